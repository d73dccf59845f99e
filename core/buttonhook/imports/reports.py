"""What an import is told, and what it tells: options, one report a transaction or fault, a summary."""

from collections.abc import Awaitable, Callable
from typing import Literal

from msgspec import Struct

from buttonhook.errors import ImportFault

OnError = Literal["stop", "skip"]


class ImportOptions(Struct, frozen=True, kw_only=True):
    """What the caller decides.

    `user_name` is the author, and `object_type` the type, of lines that name none. `in_flight` and
    `writes_in_flight` bound what is sent and not yet answered; one transaction may be larger.
    """

    user_name: str
    on_error: OnError = "stop"
    object_type: str | None = None
    batch_lines: int = 500
    in_flight: int = 64
    writes_in_flight: int = 2000


class ImportedRequest(Struct, frozen=True):
    """A transaction that is durable now, or was before (`skipped`).

    `unchanged` counts the objects that were as their lines say already.
    """

    request_id: str
    line_first: int
    line_last: int
    changes: int
    skipped: bool = False
    unchanged: int = 0
    change_ids: tuple[tuple[int, int], ...] = ()
    """Of the changes: first and last of each run of them."""


class ImportSummary(Struct, kw_only=True):
    """What an import came to. `stopped`: it ended at a fault, before the source did."""

    source: str
    lines: int = 0
    requests: int = 0
    requests_skipped: int = 0
    created: int = 0
    updated: int = 0
    deleted: int = 0
    unchanged: int = 0
    faults: int = 0
    stopped: bool = False
    seconds: float = 0.0


Report = Callable[[ImportedRequest | ImportFault], Awaitable[None]]
"""Awaited for each transaction after its commit and for each fault, in order of lines."""

Progress = Callable[[int, int | None], None]
"""Called with the bytes read so far and their total (None for a stream)."""
