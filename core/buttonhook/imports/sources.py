"""Opening what is imported: a file or standard input, decompressed on the way, its bytes counted.

The bytes are read as they are asked for, so a source of any length costs the same memory.
"""

import gzip
import io
import lzma
import sys
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Final, Self, cast

from buttonhook.errors import ImportFault
from buttonhook.imports.forms import STANDARD_STREAM, Form, form_of

_BUFFER_BYTES: Final = 1 << 17


class Source:
    """One opened import. `name` is how messages and changes name it; `total` is None for a stream.

    `bytes_read` counts what was taken from the file, compressed where the file is; it may be read
    from any thread.
    """

    def __init__(self, name: str, form: Form, raw: BinaryIO, total: int | None = None) -> None:
        self.name, self.form, self.total = name, form, total
        self._counter = _Counter(raw)
        counted = io.BufferedReader(self._counter, _BUFFER_BYTES)
        self._opened: list[io.IOBase | BinaryIO] = [raw, counted]
        if form.compression == "gz":
            self._opened.append(gzip.GzipFile("", "rb", fileobj=counted))
        elif form.compression == "xz":
            self._opened.append(lzma.LZMAFile(counted))  # noqa: SIM115 - `close` closes it
        self.stream = cast(BinaryIO, self._opened[-1])

    @property
    def bytes_read(self) -> int:
        return self._counter.count

    def close(self) -> None:
        """Close the file; standard input stays open, and may be waited on by a thread still."""
        if self.total is None:
            return
        for stream in reversed(self._opened):
            stream.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def open_source(path: str | Path, format: str | None = None, stdin: BinaryIO | None = None) -> Source:
    """Open a file, or standard input for "-", in the form its name or `format` tells.

    Raises:
        ImportFault: there is no such file, it cannot be read, or its form is not known.
    """
    target = str(path)
    form = form_of(target, format)
    if target == STANDARD_STREAM:
        stream = stdin or sys.stdin.buffer
        # Past its buffer, whose lock a thread that waits for input would hold at the end of the process.
        return Source("stdin", form, getattr(stream, "raw", stream))
    file = Path(path)
    try:
        raw = file.open("rb")
        total = file.stat().st_size
    except OSError as exc:
        raise ImportFault(target, 0, f"cannot be read: {exc.strerror}.") from exc
    if form.compression and not total:
        raw.close()
        raise ImportFault(target, 0, f"is empty, which no .{form.compression} file is. Copy it again.")
    return Source(file.name, form, raw, total)


class _Counter(io.RawIOBase):
    """Passes bytes on as they come, never waiting for more than one read, and counts them."""

    def __init__(self, raw: BinaryIO) -> None:
        super().__init__()
        self._raw = raw
        self.count = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer)
        read_some = getattr(self._raw, "read1", self._raw.read)
        data = read_some(len(view))
        if data is None:
            raise BlockingIOError("it gives no data and does not wait for any")
        view[: len(data)] = data
        self.count += len(data)
        return len(data)
