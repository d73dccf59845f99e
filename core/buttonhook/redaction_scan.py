"""The forms in which a secret stands behind its name, and where its value begins and ends.

`name=value`, `name: value`, quoted in JSON, Python and shell, JSON within text at any depth, headers, XML elements,
options of commands, lines of network devices. A scan goes forward only, and what it reads it gives away as redacted;
where it looks back or ahead it does so for a bounded number of characters.
"""

import re
import string
from typing import Final, NamedTuple


def word_set(words: str) -> frozenset[str]:
    """The words of a text, to ask for one of them."""
    return frozenset(words.split())


MARK: Final = "[redacted]"
NAME_CHARACTERS: Final = string.ascii_letters + string.digits + "_-"
LONGEST_NESTED: Final = 4_096
"""A value in brackets that does not end within so many characters is redacted as far."""
_LOOK_BACK: Final = 96
_KEPT: Final = frozenset(("", "none", "null", "true", "false", "nil", "undefined"))
_PROSE: Final = word_set(
    "is are was were has had have must may can cannot could should would not no for of in on at and or the a an to "
    "from with by as if will does did wrong missing required invalid expired"
)
"""Words that go on with a sentence: what follows a secret's name without `=` or `:` is no secret when it is one."""

_WORDS: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_SEPARATOR: Final = re.compile(
    r"(?P<escapes>\\{0,64}+)(?P<close>[\"'`]?)"
    r"(?P<sep>[ \t]*+(?::[ \t]*+(?:str|bytes|Secret|SecretStr)(?:[ \t]*+\|[ \t]*+None)?[ \t]*+=|=>|:=|={1,3}+|:)"
    r"[ \t]*+)"
)
_PAIR: Final = re.compile(r"['\"],[ \t]?(?=b?['\"])")
_OPENING: Final = re.compile(r"(?:[bBuUrRfF]{1,2})?(?P<escapes>\\{0,64}+)(?P<quote>\"\"\"|'''|[\"'`])")
_QUOTES: Final = {each: re.compile(rf"\\++{each}?|{each}|\n") for each in "\"'`"}
_BRACKETS: Final = re.compile(r"[\[\]{}()\"'\n]")
_BARE: Final = re.compile(r"[^\s,;&\"'`<>()\[\]{}\\]++")
_BLANKS: Final = re.compile(r"[ \t]++")
_NEXT_FIELD: Final = re.compile(r"[ \t]{0,8}+[\w.\"'-]{1,64}+[ \t]?[=:]")
_SCHEME: Final = re.compile(r"(bearer|basic|token|apikey|digest|negotiate|ntlm)[ \t]++(?=\S)", re.IGNORECASE)
_ELEMENT: Final = re.compile(r"(?:[ \t][^<>\n]{0,128}+)?>")
_COMMUNITY_OF_BGP: Final = re.compile(r"[\[({\"']{0,2}+[0-9]{1,10}+:[0-9]")
_AFTER: Final = re.compile(
    r"[ \t]++(?:(?P<type>[0-9])[ \t]++)?"
    r"(?P<words>(?:(?:ascii-text|hexadecimal|ascii|hex|local|remote|md5|sha-?[0-9]{1,3}|[0-9]{1,3}"
    r"|address[ \t]++\S{1,64}+|key)[ \t]++){0,4}+)"
    r"(?P<value>\"[^\"\n]*+\"?|[^\s]++)"
)
_COMMAND: Final = re.compile(
    r"(?:^|[#>'\"\[(:,\n])[ \t]*(?:no[ \t]|set[ \t])?(?:enable"
    r"|username[ \t](?!or[ \t]|and[ \t])\S{1,64}(?:[ \t]privilege[ \t][0-9]{1,2})?"
    r"|neighbor[ \t]\S{1,64}|(?:tacacs|radius)-server(?:[ \t]host[ \t]\S{1,64})?|server-private[ \t]\S{1,64}"
    r"|crypto[ \t]isakmp|snmp-server|snmp)[ \t]\Z"
)
_COMMAND_WORDS: Final = ("enable", "username", "neighbor", "server", "isakmp", "snmp")
_STRONG: Final = (
    *("key-string", "authentication-key", "pre-shared-key", "digest-key", "encrypted-password", "simple-password"),
    "wpa-psk",
)
_TOKEN: Final = re.compile(r"[A-Za-z0-9._~+/=-]++")

Span = tuple[int, int]


class Name(NamedTuple):
    """What may be the name of a secret: its place in the text, and whether it is one."""

    word: str
    start: int
    end: int
    is_secret: bool


def name_words(name: str) -> tuple[str, ...]:
    """The words of a name, in lower case: `dbPassword-2` has db, password, 2."""
    return tuple(word.lower() for word in _WORDS.findall(name))


def value_span(text: str, name: Name) -> Span | None:
    """Where the secret behind a name begins and ends, or None."""
    if name.is_secret:
        if text[name.start - 1 : name.start] in ("<", ":") and (opened := _ELEMENT.match(text, name.end)):
            return _element(text, opened.end())
        separator = _SEPARATOR.match(text, name.end)
        if separator is not None:
            return _assigned(text, name, separator)
        pair = _PAIR.match(text, name.end)
        if pair is not None:
            return _paired(text, name, pair.end())
    return _following(text, name)


def _element(text: str, first: int) -> Span | None:
    end = text.find("<", first)
    end = len(text) if end < 0 else end
    return (first, end) if text[first:end].strip() else None


def _assigned(text: str, name: Name, separator: re.Match[str]) -> Span | None:
    """What stands behind `=` or `:`."""
    first = separator.end()
    if name.word.lower().endswith("community") and (
        _COMMUNITY_OF_BGP.match(text, first) or text[first : first + 1] == "["
    ):
        return None
    if text.startswith(("Expected `", "expected `"), first):  # our own "path: what was expected there"
        return None
    opening = _OPENING.match(text, first)
    if opening is not None:
        return _worth(text, _after_scheme(text, opening.end()), _end_of_quoted(text, opening))
    if text[first : first + 1] in ("[", "{", "(") and not text.startswith(MARK, first):
        return first, _end_of_nested(text, first)
    is_spaced = separator["sep"].strip() != separator["sep"]
    whole_line = is_spaced and not separator["close"] and _begins_line(text, name.start)
    scheme = _SCHEME.match(text, first)
    if scheme is not None:
        first, whole_line = scheme.end(), scheme[1].lower() == "digest"
    elif name.word.lower().endswith("cookie"):
        end = text.find("\n", first)
        return _worth(text, first, len(text) if end < 0 else end)
    return _worth(text, first, _end_of_bare(text, first, whole_line=whole_line))


def _paired(text: str, name: Name, first: int) -> Span | None:
    """`('password', 'value')`: pairs of headers and fields are shown so."""
    opening = _OPENING.match(text, first)
    before = text[max(0, name.start - 3) : name.start].rstrip("b'\"")
    if opening is None or not before.endswith("("):
        return None
    end = _end_of_quoted(text, opening)
    if text[end + 1 : end + 2] not in (")", ""):
        return None
    return _worth(text, _after_scheme(text, opening.end()), end)


def _worth(text: str, first: int, last: int) -> Span | None:
    """The span, unless nothing stands there, or nothing secret, or it is redacted already."""
    if last - first <= len("undefined") and text[first:last].strip().lower() in _KEPT:
        return None
    if text.startswith(MARK, first) and not text[first + len(MARK) : first + len(MARK) + 1].isalnum():
        return None
    return first, last


def _after_scheme(text: str, first: int) -> int:
    scheme = _SCHEME.match(text, first)
    return first if scheme is None else scheme.end()


def _end_of_quoted(text: str, opening: re.Match[str]) -> int:
    """The place of the closing quote, else the end of the line.

    A quote that is escaped more often than the opening one belongs to the value; how often is told by the backslashes
    before it, whose number doubles with each level of text within text.
    """
    mark, level = opening["quote"], len(opening["escapes"])
    if len(mark) == 3:
        end = text.find(mark, opening.end())
        return len(text) if end < 0 else end
    for found in _QUOTES[mark].finditer(text, opening.end()):
        if found[0] == "\n":
            return found.start()
        escapes = len(found[0].rstrip(mark))
        if found[0][-1] == mark and (escapes < level or escapes % (2 * level + 2) == level):
            return found.end() - 1 - min(level, escapes)
    return len(text)


def _end_of_nested(text: str, first: int) -> int:
    """Behind the bracket that closes the one at `first`; brackets within quotes do not count."""
    depth = 0
    place = first
    limit = min(len(text), first + LONGEST_NESTED)
    while (found := _BRACKETS.search(text, place, limit)) is not None:
        place = found.end()
        if found[0] in "\"'":
            opening = _OPENING.match(text, found.start())
            place = place if opening is None else max(place, _end_of_quoted(text, opening) + 1)
        elif found[0] in "[{(":
            depth += 1
        elif found[0] != "\n":
            depth -= 1
            if depth == 0:
                return place
    return max(limit, min(place, len(text)))


def _end_of_bare(text: str, first: int, *, whole_line: bool) -> int:
    """The end of a value without quotes. What may also be part of it ends it only where something else begins."""
    place = first
    while True:
        run = _BARE.match(text, place)
        place = place if run is None else run.end()
        character = text[place : place + 1]
        if character in (" ", "\t"):
            blanks = _BLANKS.match(text, place)
            behind = place + 1 if blanks is None else blanks.end()
            if not whole_line or behind >= len(text) or text[behind] in "\r\n" or _NEXT_FIELD.match(text, behind):
                return place
            place = behind
        elif character in ("", "\n", "\r") or character.isspace() or _is_end(text, first, place):
            return place
        else:
            place += 1


def _is_end(text: str, first: int, place: int) -> bool:
    """Whether a character that may be part of a value ends it: no bracket does at its beginning."""
    character, behind = text[place], text[place + 1 : place + 2]
    if character in ",;&":
        return not behind or behind.isspace() or _NEXT_FIELD.match(text, place + 1) is not None
    if character == "\\":
        return behind in ('"', "'")
    return place > first and not behind.isalnum()


def _begins_line(text: str, start: int) -> bool:
    before = text[max(0, start - _LOOK_BACK) : start]
    line = before.rpartition("\n")[2]
    return (len(line) < len(before) or start <= _LOOK_BACK) and not line.strip(" \t-\"'")


def _following(text: str, name: Name) -> Span | None:
    """What stands behind a name with nothing but blanks between: commands, device configuration, bearer tokens."""
    is_asked = name.is_secret or name.word.lower() in ("key", "bearer")
    found = _AFTER.match(text, name.end) if is_asked else None
    if found is None:
        return None
    first, last = found.span("value")
    value = text[first:last].strip("\"'")
    if value.rstrip(".,;:!?").lower() in _PROSE or not _is_meant(text, name, found, value):
        return None
    if text[first] in "\"'":
        first += 1
    return _worth(text, first, first + len(text[first:last].rstrip("\"'`,;)]}")))


def _is_meant(text: str, name: Name, found: re.Match[str], value: str) -> bool:
    word = name.word.lower()
    if word == "bearer":
        return _is_token(value, 8)
    if word.endswith(_STRONG) or (word.startswith("--") and name.is_secret):
        return True
    if found["type"] is not None and found["type"] in "0456789":
        return found["type"] == "0" or not value.rstrip(".,;:!?").isalpha()
    if word.endswith("token") and _is_token(value, 20):
        return True
    before = text[max(0, name.start - _LOOK_BACK) : name.start]
    return any(map(before.__contains__, _COMMAND_WORDS)) and _COMMAND.search(before) is not None


def _is_token(value: str, length: int) -> bool:
    run = _TOKEN.match(value)
    token = "" if run is None else run[0].rstrip(".")
    return len(token) >= length and (not token.isalpha() or len(token) >= 2 * length)
