"""Redaction: secrets are taken out of text before any sink, in time linear to its length.

No pattern here can backtrack over what it has read, and what a scan reads is either redacted or passed over for good:
so no input, however made, costs more than its length. A line without anything that looks like a secret costs a few
searches for substrings. It is best effort: what is neither registered nor named as a secret is not known to be one.
"""

import base64
import html
import json
import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Any, Final
from urllib.parse import quote, quote_plus

from buttonhook.documents import clean
from buttonhook.redaction_scan import MARK, NAME_CHARACTERS, Name, name_words, value_span, word_set

MIN_LENGTH: Final = 6
"""Shorter values would black out ordinary text."""
MARGIN: Final = 8_192
"""What is thrown away beside a place where a text was cut before it was redacted: a secret may lie open there."""
_LONGEST_NAME: Final = 64
_MOST_LABELS: Final = 1_000
_LONGEST_LABEL: Final = 200
_COMMON: Final = word_set(
    "access active always buttonhook change changeme created default delete device disabled enabled example failed "
    "failure inactive localhost object password pending private public receiver redacted remove secret started status "
    "string success system update username version warning"
)
_SINGLE: Final = word_set(
    "password passwords passwd passphrase passcode pwd secret secrets token psk apikey authorization credential "
    "credentials community cookie"
)
_ENDINGS: Final = (
    *("password", "passwd", "passphrase", "secret", "token", "apikey", "authorization", "sessionid", "sessid"),
    *("accesskey", "privatekey", "secretkey"),
)
_KINDS_OF_KEY: Final = word_set(
    "api access private secret shared encryption signing master auth authentication account session digest"
)
_PAIRS: Final = frozenset(
    (
        ("session", "id"),
        ("pass", "word"),
        ("pass", "phrase"),
        ("key", "string"),
        *((each, "key") for each in _KINDS_OF_KEY),
    )
)
_QUALIFIERS: Final = word_set(
    "old new current previous value hash hashed plain plaintext text encrypted confirm confirmation repeat again base "
    "b64 base64"
)
"""Words behind a secret's name that leave it one: `password_hash`, `new_password_2`."""
_STEMS: Final = (
    *("passw", "passp", "passc", "pass_", "pass-", "pwd", "secret", "token", "psk", "key", "authorization"),
    *("credential", "community", "cookie", "sess", "bearer"),
)
_HINTS: Final = (
    *("pass", "key", "secret", "token", "auth", "://", "cred", "commun", "cookie", "sess", "bearer", "psk", "pwd"),
    "snmp",
)
"""Every form needs one of these: the prefilter. In a long text they are searched quicker than one pattern of them."""
_SHORT: Final = 300

_REST_OF_NAME: Final = re.compile(r"[A-Za-z0-9_-]*+")
_AUTHORITY: Final = re.compile(r"://([^\s/?#\"'<>\\:@]*+)(:?)([^\s/?#\"'<>\\]*+)")
_PORT: Final = re.compile(r"[0-9]*+(?![^\s/?#\"'<>\\])")
_SLASHED: Final = re.compile(r"[^\s@\"'<>]{1,128}+@")
_TOKEN_AS_USER: Final = re.compile(r"(?=[^0-9]*+[0-9])[A-Za-z0-9_.~-]{16,}+\Z")
_KEY_BEGIN: Final = re.compile(r"-----BEGIN (?:[A-Z0-9]{1,16}+ ){0,3}?PRIVATE KEY(?: BLOCK)?-----")
_KEY_END: Final = "-----END"
_SNMP: Final = re.compile(
    r"(?i)(snmp-server host [^\s]{1,255}+ (?:(?:traps|informs) )?(?:version (?:1|2c) )?"
    r"|\b(?:auth|authentication) (?:md5|sha(?:-?[0-9]{3})?) (?:0x)?"
    r"|\bpriv(?:acy)? (?:3?des|aes(?:[ -]?[0-9]{3})?) (?:0x)?)(?!(?:version|vrf|traps|informs)\s)([^\s'\"]++)"
)


class Redactor:
    """What one open app knows of secrets. `redact` may be called from any thread, also while values are registered."""

    def __init__(self, names: Iterable[str] = ()) -> None:
        self._values: tuple[str, ...] = ()
        self._own_names: frozenset[tuple[str, ...]] = frozenset()
        self._hints: tuple[str, ...] = _HINTS
        self._any_hint: re.Pattern[str]
        self._stems = _pattern(_STEMS)
        self._labels: dict[str, str] = {}
        self.add_names(names)

    def add_names(self, names: Iterable[str]) -> None:
        """Take further names of secrets, as `door_code`; they hold at the end of longer names, too.

        Raises:
            ValueError: a name holds no letter or digit.
        """
        own = set(self._own_names)
        for name in names:
            words = name_words(name)
            if not words:
                raise ValueError(f"{name!r} is no name of a secret; write it as in door_code")
            own.add(words)
        self._own_names = frozenset(own)
        last = sorted({words[-1] for words in own})
        self._stems = _pattern((*_STEMS, *last))
        self._hints = (*_HINTS, *last)
        self._any_hint = re.compile("|".join(map(re.escape, self._hints)))
        self._labels = {}

    def register(self, value: str) -> None:
        """Take a secret value: it is redacted wherever it stands, also escaped for JSON, URLs, HTML, and in base64.

        Raises:
            ValueError: it is too short or too common a text; the message says so and does not hold the value.
        """
        if len(value.strip()) < MIN_LENGTH:
            raise ValueError(
                f"it has fewer than {MIN_LENGTH} characters and would black out ordinary text in all logs; "
                "use a longer one"
            )
        if value.strip().lower() in _COMMON or len(set(value)) < 3 or value in MARK:
            raise ValueError("it is so common a text that redacting it would black out all logs; use another one")
        self._values = tuple(sorted({*self._values, *_forms_of(value)}, key=len, reverse=True))
        self._labels = {}

    def redact(self, text: str) -> str:
        """The text with `[redacted]` in the place of each secret; what a secret is called stays."""
        for value in self._values:
            if value in text:
                text = text.replace(value, MARK)
        lower = text.lower()
        if len(text) <= _SHORT:
            has_hint = self._any_hint.search(lower) is not None
        else:
            has_hint = any(map(lower.__contains__, self._hints))
        return self._without_forms(text) if has_hint else text

    def head(self, text: str, limit: int) -> str:
        """The redacted text, or about `limit` characters from its beginning, without redacting all of a huge one."""
        if len(text) <= limit:
            return self.redact(text)
        bound = 4 * limit + self._margin
        if len(text) <= bound:
            return self.redact(text)
        return self.redact(text[:bound])[: -self._margin]

    def tail(self, text: str, limit: int) -> str:
        """As `head`, from the end of the text."""
        bound = 4 * limit + self._margin
        if len(text) <= bound:
            return self.redact(text)
        return self.redact(text[-bound:])[self._margin :]

    def label(self, text: str) -> str:
        """As `redact`, and clean, for short texts of which there are few, each asked for again and again."""
        known = self._labels.get(text)
        if known is None:
            known = self.head(clean(text), _LONGEST_LABEL)
            if len(text) <= _LONGEST_LABEL and len(self._labels) < _MOST_LABELS:
                self._labels[text] = known
        return known

    def redact_value(self, value: Any) -> Any:
        """JSON-like data with its texts redacted, and whatever stands under a secret's name."""
        if isinstance(value, str):
            return self.redact(value)
        if isinstance(value, dict):
            return {
                self.redact(key): MARK
                if self.is_secret_name(key) and not _is_nothing(member)
                else self.redact_value(member)
                for key, member in value.items()
            }
        return [self.redact_value(member) for member in value] if isinstance(value, list | tuple) else value

    def is_secret_name(self, name: str) -> bool:
        """Whether what goes by this name is taken for a secret."""
        name = name[-_LONGEST_NAME:]
        if _is_secret_name(name):
            return True
        if not self._own_names:
            return False
        words = name_words(name)
        return any(words[-len(own) :] == own for own in self._own_names)

    @property
    def _margin(self) -> int:
        return max(MARGIN, len(self._values[0]) if self._values else 0)

    def _without_forms(self, text: str) -> str:
        if "://" in text and "@" in text:
            text = _AUTHORITY.sub(_without_credentials, _without_slashed(text))
        if "PRIVATE KEY" in text:
            text = _without_private_keys(text)
        if "snmp" in text:
            text = _SNMP.sub(lambda found: f"{found[1]}{MARK}", text)
        return self._without_named(text)

    def _without_named(self, text: str) -> str:
        """Each secret's name is found by a part of it, judged as a whole, and passed over with its value."""
        parts: list[str] = []
        kept = place = 0
        lower = text.lower()
        if len(lower) != len(text):  # places in the one would be none in the other
            lower = "".join(each if len(each.lower()) > 1 else each.lower() for each in text)
        while (found := self._stems.search(lower, place)) is not None:
            rest = _REST_OF_NAME.match(text, found.end())
            end = rest.end() if rest is not None else found.end()
            floor = max(0, found.start() - _LONGEST_NAME)
            start = floor + len(text[floor : found.start()].rstrip(NAME_CHARACTERS))
            place = end
            word = text[max(start, end - _LONGEST_NAME) : end]
            span = value_span(text, Name(word, start, end, self.is_secret_name(word)))
            if span is None:
                continue
            if not parts or span[0] >= kept:
                parts += text[kept : span[0]], MARK
            kept = max(kept, span[1])
            # The end of one value may be the name of the next: `key-string password: x`.
            place = max(end, span[1] - _LONGEST_NAME - 2)
        return "".join((*parts, text[kept:])) if parts else text


class Secret:
    """A value that shows itself to nobody: `str()`, `repr()` and JSON say `[redacted]`. `reveal()` gives it."""

    __slots__ = ("__value",)

    def __init__(self, value: str) -> None:
        self.__value = value

    def reveal(self) -> str:
        """The value itself."""
        return self.__value

    def __repr__(self) -> str:
        return MARK

    def __bool__(self) -> bool:
        return bool(self.__value)

    def __reduce__(self) -> Any:
        raise TypeError("A Secret is not pickled or copied. Hand on what you make of its reveal().")

    def __copy__(self) -> "Secret":
        return self

    def __deepcopy__(self, _: Any) -> "Secret":
        return self


def shown(value: Any) -> str:
    """For an encoder that meets what it does not know: a Secret as it may be shown.

    Raises:
        NotImplementedError: it is something else.
    """
    if isinstance(value, Secret):
        return MARK
    raise NotImplementedError(f"Encoding objects of type {type(value).__name__} is unsupported")


def _pattern(stems: Iterable[str]) -> re.Pattern[str]:
    return re.compile("|".join(map(re.escape, stems)))


@lru_cache(4096)
def _is_secret_name(name: str) -> bool:
    """The head of a name is its last word: `db_password` is a secret, `password_policy` and `tokens_used` are none."""
    words = name_words(name)
    while words:
        last = words[-1]
        if last in _SINGLE or last.endswith(_ENDINGS) or words[-2:] in _PAIRS:
            return True
        if not (last in _QUALIFIERS or last.isdigit()):
            return False
        words = words[:-1]
    return False


def _is_nothing(value: Any) -> bool:
    return value is None or isinstance(value, bool) or value in ("", [], {})


def _forms_of(value: str) -> set[str]:
    """How a value may be written: escaped, quoted, or within something in base64, at each of its three offsets."""
    raw = value.encode("utf-8", "surrogatepass")
    shown_as = repr(value)[1:-1]
    escaped = {
        json.dumps(value)[1:-1],
        json.dumps(value, ensure_ascii=False)[1:-1],
        shown_as,
        shown_as.replace("'", "\\'"),
        repr(raw)[2:-1],
        repr(raw)[2:-1].replace("'", "\\'"),
    }
    # Text within text is escaped twice: JSON in a JSON field, the repr of a repr.
    twice = {form for each in escaped for form in (json.dumps(each)[1:-1], repr(each)[1:-1])}
    forms = {value, value.strip(), *escaped, *twice}
    forms |= {
        quote(value),
        quote(value, safe=""),
        quote_plus(value),
        html.escape(value),
        html.escape(value, quote=False),
    }
    for offset in range(3):
        whole = len(raw) + offset - (len(raw) + offset) % 3
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            inner = encode(b"\0" * offset + raw)[: whole // 3 * 4].decode()[(0, 2, 3)[offset] :]
            forms.add(inner)
    return {each for each in forms if len(each) >= MIN_LENGTH}


def _without_credentials(found: re.Match[str]) -> str:
    """`://user:password@` and a token in the place of the user."""
    user, colon, rest = found.groups()
    before, at, host = rest.rpartition("@")
    if not at:
        return found[0]
    if colon:
        return f"://{user}:{MARK}@{host}" if before else found[0]
    return f"://{MARK}@{host}" if _TOKEN_AS_USER.match(user) else found[0]


def _without_slashed(text: str) -> str:
    """Passwords with `/`, `?` or `#` in them, which end the authority of a URL though somebody wrote them so."""
    parts: list[str] = []
    kept = 0
    for found in _AUTHORITY.finditer(text):
        if not found[2] or "@" in found[3] or _PORT.match(text, found.start(3)):
            continue
        slashed = _SLASHED.match(text, found.start(3))
        if slashed is not None and found.start(3) >= kept:
            parts += text[kept : found.start(3)], MARK
            kept = slashed.end() - 1
    return "".join((*parts, text[kept:])) if parts else text


def _without_private_keys(text: str) -> str:
    """Keys in PEM form, from their first line to their last; one that is cut off, to the end of the text."""
    parts: list[str] = []
    kept = 0
    while (found := _KEY_BEGIN.search(text, kept)) is not None:
        end = text.find(_KEY_END, found.end())
        parts += text[kept : found.end()], MARK
        kept = end if end >= 0 else len(text)
    return "".join((*parts, text[kept:])) if parts else text
