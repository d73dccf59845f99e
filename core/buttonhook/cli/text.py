"""Text that is safe to show: what comes out of data cannot steer a terminal or pose as something else.

Control characters, escape sequences and characters that turn the direction of writing are shown by their codes.
"""

import re
from typing import Final

from buttonhook import times

_HIDDEN: Final = (
    "\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028\u2029\u202a-\u202e\u2060-\u2064\u2066-\u206f"
    "\ufeff\ufff9-\ufffb\ud800-\udfff"
)
_IN_BLOCK: Final = re.compile(f"[{_HIDDEN}]")
_IN_LINE: Final = re.compile(f"[{_HIDDEN}\t\n]")
_IN_JSON: Final = re.compile(
    "[\x7f-\x9f\u061c\u200b\u200e\u200f\u2028\u2029\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufeff]"
)
_SHORT: Final = {"\n": "\\n", "\t": "\\t", "\r": "\\r"}
_SECOND: Final = 1_000_000


def one_line(text: str) -> str:
    """Text as one line: line breaks and tabs are shown as `\\n` and `\\t`."""
    return text if text.isascii() and text.isprintable() else _IN_LINE.sub(_code, text)


def block(text: str) -> str:
    """Text of several lines, its line breaks and tabs kept."""
    return text if text.isascii() and text.isprintable() else _IN_BLOCK.sub(_code, text)


def json_text(text: str) -> str:
    """JSON text with what a terminal might obey written as JSON's own escapes: the same value."""
    return text if text.isascii() and "\x7f" not in text else _IN_JSON.sub(_json_code, text)


def cut(text: str, most: int = 200) -> str:
    """The beginning of a long text."""
    return text if len(text) <= most else f"{text[: most - 3]}..."


def human_time(moment: int, *, exact: bool = False) -> str:
    """A moment for a person: local time to the second, or to the millisecond."""
    local = times.to_datetime(moment).astimezone()
    text = local.strftime("%Y-%m-%d %H:%M:%S")
    return f"{text}.{local.microsecond // 1000:03d}" if exact else text


def duration(microseconds: int) -> str:
    """How long something took: `0.4 ms`, `12 ms`, `3.1 s`, `2 min 5 s`."""
    if microseconds < 10_000:
        return f"{microseconds / 1000:.1f} ms"
    if microseconds < _SECOND:
        return f"{microseconds / 1000:.0f} ms"
    seconds = microseconds / _SECOND
    if seconds < 60:
        return f"{seconds:.1f} s"
    return f"{int(seconds // 60)} min {int(seconds % 60)} s"


def plural(count: int, noun: str, many: str = "") -> str:
    """`1 change`, `2,000 changes`."""
    return f"{count:,} {noun if count == 1 else many or noun + 's'}"


def _code(found: "re.Match[str]") -> str:
    character = found[0]
    number = ord(character)
    return _SHORT.get(character) or (f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}")


def _json_code(found: "re.Match[str]") -> str:
    return f"\\u{ord(found[0]):04x}"
