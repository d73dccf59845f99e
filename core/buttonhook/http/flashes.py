"""What a page has to say after a redirect: kept in memory for a login session until its next page shows it.

It is not put into a cookie, which other programs on the same machine could write. What a restart loses is a sentence.
"""

from collections import OrderedDict
from typing import Final, Literal

from msgspec import Struct

FlashKind = Literal["success", "info", "warning", "failure"]
MOST_SESSIONS: Final = 10_000
MOST_OF_ONE: Final = 20


class Flash(Struct, frozen=True):
    """One message; `secret` is told once and can be copied, `href` leads to what it is about."""

    kind: FlashKind
    text: str
    href: str = ""
    label: str = ""
    secret: str = ""


class Flashes:
    """Messages by login session."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, list[Flash]] = OrderedDict()

    def add(self, login_id: str, flash: Flash) -> None:
        """Keep a message for the next page of a session; the oldest make room."""
        kept = self._kept.setdefault(login_id, [])
        kept.append(flash)
        del kept[:-MOST_OF_ONE]
        self._kept.move_to_end(login_id)
        if len(self._kept) > MOST_SESSIONS:
            self._kept.popitem(last=False)

    def take(self, login_id: str) -> list[Flash]:
        """The messages of a session, which are forgotten with this."""
        return self._kept.pop(login_id, [])
