"""Writing objects out in the formats that are read in.

`jsonl`, `json` and `yaml` hold object lines (`object_type`, `pk`, `data`) and come back as they were. `csv` is for
spreadsheets: one column a field, objects within nested by dotted headers, lists as JSON text. What a cell
cannot tell apart is lost there: null, empty text and unset are all an empty cell, and in types without a
struct all is text. Text that a spreadsheet would run as a formula gets an apostrophe before it, which
reading takes off again.

A file is written under a temporary name beside its place, synced and renamed at the end, so that an
interrupted export leaves what was there before and no half file.
"""

import asyncio
import contextlib
import csv
import gzip
import io
import lzma
import os
import shutil
import sys
import tempfile
from collections.abc import AsyncIterable, Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO, Final, Protocol, cast

from buttonhook import documents
from buttonhook.documents import read_path
from buttonhook.errors import ImportFault
from buttonhook.ids import new_uuid7
from buttonhook.imports import cells, yaml_values
from buttonhook.imports.forms import STANDARD_STREAM, Compression, FormName, form_of

BATCH: Final = 200
ExportedObject = tuple[str, str, dict[str, Any]]
"""(object_type, pk, document)."""


async def export_objects(
    objects: AsyncIterable[ExportedObject],
    path: str | Path,
    format: str | None = None,
    stdout: BinaryIO | None = None,
    progress: Callable[[int], None] | None = None,
) -> int:
    """Write objects to a file, or to standard output for "-", and return how many.

    `progress` is called with the number written so far. Files are written in a worker thread.

    Raises:
        ImportFault: the format is not known, or the file cannot be written.
    """
    form = form_of(str(path), format)
    try:
        with (
            _target(path, stdout) as raw,
            _compressed(raw, form.compression) as stream,
            contextlib.closing(_WRITERS[form.name](stream)) as writer,
        ):
            return await _write_all(objects, writer, progress)
    except OSError as exc:
        raise ImportFault(str(path), 0, f"cannot be written: {exc.strerror or exc}.") from exc


class _Writer(Protocol):
    def write(self, batch: Iterable[ExportedObject]) -> None: ...

    def end(self) -> None: ...

    def close(self) -> None: ...


async def _write_all(
    objects: AsyncIterable[ExportedObject], writer: _Writer, progress: Callable[[int], None] | None
) -> int:
    count = 0
    batch: list[ExportedObject] = []
    async for item in objects:
        batch.append(item)
        if len(batch) >= BATCH:
            await asyncio.to_thread(writer.write, batch)
            count += len(batch)
            batch = []
            if progress is not None:
                progress(count)
    await asyncio.to_thread(writer.write, batch)
    await asyncio.to_thread(writer.end)
    count += len(batch)
    if progress is not None:
        progress(count)
    return count


@contextlib.contextmanager
def _target(path: str | Path, stdout: BinaryIO | None) -> Iterator[BinaryIO]:
    if str(path) == STANDARD_STREAM:
        stream = stdout or sys.stdout.buffer
        yield stream
        stream.flush()
        return
    file = Path(path).resolve()
    if file.exists() and not file.is_file():
        with file.open("wb") as stream:  # a pipe or a device is written to, never replaced
            yield stream
        return
    temporary = file.with_name(f".{file.name[:100]}.{new_uuid7()}.part")
    try:
        with temporary.open("xb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        if file.exists():
            shutil.copymode(file, temporary)
        temporary.replace(file)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


@contextlib.contextmanager
def _compressed(raw: BinaryIO, compression: Compression) -> Iterator[BinaryIO]:
    if compression == "gz":
        # No name and no time inside: the same objects make the same file.
        with gzip.GzipFile("", "wb", fileobj=raw, mtime=0) as stream:
            yield cast(BinaryIO, stream)
    elif compression == "xz":
        with lzma.LZMAFile(raw, "wb", preset=3) as packed:
            yield cast(BinaryIO, packed)
    else:
        yield raw


def _line(item: ExportedObject) -> dict[str, Any]:
    return {"object_type": item[0], "pk": item[1], "data": item[2]}


class _JsonLines:
    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def write(self, batch: Iterable[ExportedObject]) -> None:
        self._stream.write("".join(f"{documents.encode(_line(item))}\n" for item in batch).encode())

    def end(self) -> None:
        pass

    def close(self) -> None:
        pass


class _JsonList:
    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._opening = "[\n"

    def write(self, batch: Iterable[ExportedObject]) -> None:
        for item in batch:
            self._stream.write(f"{self._opening}{documents.encode(_line(item))}".encode())
            self._opening = ",\n"

    def end(self) -> None:
        self._stream.write(b"\n]\n" if self._opening == ",\n" else b"[]\n")

    def close(self) -> None:
        pass


class _Yaml:
    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def write(self, batch: Iterable[ExportedObject]) -> None:
        for item in batch:
            self._stream.write(yaml_values.write_document(_line(item)).encode())

    def end(self) -> None:
        pass

    def close(self) -> None:
        pass


class _Table:
    """Keeps the objects in a temporary file until all columns are known, then writes the rows."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._spool = tempfile.TemporaryFile()  # noqa: SIM115 - `close` closes it
        self._is_leaf: dict[cells.Path, bool] = {}
        """Each path in order of first sight, and whether a value stands there that is a cell's."""
        self._branches: set[cells.Path] = set()

    def write(self, batch: Iterable[ExportedObject]) -> None:
        for item in batch:
            self._note_paths(item[2], ())
            self._spool.write(f"{documents.encode(_line(item))}\n".encode())

    def end(self) -> None:
        columns = self._columns()
        text = io.TextIOWrapper(self._stream, encoding="utf-8", newline="", write_through=True)
        rows = csv.writer(text)
        rows.writerow([*cells.KEY_COLUMNS, *map(cells.header_text, columns)])
        self._spool.seek(0)
        for line in self._spool:
            value = documents.decode(line.decode())
            row = [value["object_type"], cells.guard(value["pk"])]
            row += [cells.cell_of(read_path(value["data"], path)) for path in columns]
            rows.writerow(row)
        text.detach()

    def close(self) -> None:
        self._spool.close()

    def _note_paths(self, document: Mapping[str, Any], path: cells.Path) -> None:
        for key, value in document.items():
            here = (*path, key)
            is_branch = isinstance(value, dict) and value and "" not in value
            if is_branch:
                self._branches.add(here)
                self._note_paths(value, here)
            if not is_branch and value is not None:
                self._is_leaf[here] = True
            else:
                self._is_leaf.setdefault(here, False)

    def _columns(self) -> list[cells.Path]:
        """One column a leaf; where some objects have a value and others an object, one column for both."""
        return [
            path
            for path, is_leaf in self._is_leaf.items()
            if (is_leaf or path not in self._branches)
            and not any(self._is_leaf[path[:length]] for length in range(1, len(path)))
        ]


_WRITERS: Final[dict[FormName, Callable[[BinaryIO], _Writer]]] = {
    "jsonl": _JsonLines,
    "json": _JsonList,
    "yaml": _Yaml,
    "csv": _Table,
}
