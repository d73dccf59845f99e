"""Connections that nobody can hold open for nothing: who sends a head too slowly, or without end, is cut off.

Head and body of an answer leave in one piece, where both are there in the same turn of the loop: each piece is a system
call, and wakes who reads.
"""

from asyncio import AbstractEventLoop, Handle, TimerHandle, Transport
from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_SECONDS: Final = 15.0
"""How long a request's head may take, from the connection on or from its first byte."""
HEAD_BYTES: Final = 65_536
_TOO_LARGE: Final = b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"


class Joining:
    """A transport that joins what is written in one turn of the loop, two pieces at a time."""

    __slots__ = ("_first", "_handle", "_inner", "_loop", "get_extra_info", "get_write_buffer_size", "is_closing")

    def __init__(self, inner: Transport, loop: AbstractEventLoop) -> None:
        self._inner, self._loop = inner, loop
        self._first: bytes | None = None
        self._handle: Handle | None = None
        self.is_closing = inner.is_closing
        self.get_extra_info = inner.get_extra_info
        self.get_write_buffer_size = inner.get_write_buffer_size

    def write(self, piece: bytes) -> None:
        """Write behind a piece that waits; one that comes first waits until the loop's next turn."""
        if self._first is None:
            self._first = piece
            self._handle = self._loop.call_soon(self.flush)
        else:
            self._first += piece
            self.flush()

    def flush(self) -> None:
        """Let go what waits; where the other side hung up meanwhile nobody is there to get it."""
        piece, self._first = self._first, None
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None
        if piece and not self.is_closing():
            self._inner.write(piece)

    def close(self) -> None:
        self.flush()
        self._inner.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


class Connection(HttpToolsProtocol):
    """uvicorn's protocol with bounds on heads, which its parser lacks. Bodies have theirs in `gate` and `reading`."""

    def __init__(self, *args: Any, **given: Any) -> None:
        super().__init__(*args, **given)
        self._late: TimerHandle | None = None
        self._head_bytes = 0
        self._in_head = True

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.transport = Joining(transport, self.loop)  # type: ignore[assignment]
        self._wait_for_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._end_head()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._in_head:
            self._head_bytes += len(data)
        super().data_received(data)
        if self._in_head:
            if self._head_bytes > HEAD_BYTES and not self.transport.is_closing():
                self._refuse()
            elif self._late is None:
                self._wait_for_head()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["buttonhook.transport"] = self.transport  # type: ignore[typeddict-unknown-key]
        if not self._in_head:
            self._in_head, self._head_bytes = True, 0

    def on_headers_complete(self) -> None:
        self._end_head()
        super().on_headers_complete()

    def _wait_for_head(self) -> None:
        self._late = self.loop.call_later(HEAD_SECONDS, self.transport.close)

    def _end_head(self) -> None:
        self._in_head = False
        if self._late is not None:
            self._late.cancel()
            self._late = None

    def _refuse(self) -> None:
        self._end_head()
        self.transport.write(_TOO_LARGE)
        self.transport.close()
