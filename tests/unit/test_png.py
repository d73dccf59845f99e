"""Pictures of pages in fewer bytes look as before."""

import struct
import zlib

from tests.browser.png import HEAD, rows_of, tightened


def picture(colour: int, lines: list[bytes], width: int) -> bytes:
    head = struct.pack(">IIBBBBB", width, len(lines), 8, colour, 0, 0, 0)
    parts = [(b"IHDR", head), (b"IDAT", zlib.compress(b"".join(lines), 0)), (b"IEND", b"")]
    return HEAD + b"".join(struct.pack(">I", len(c)) + k + c + struct.pack(">I", zlib.crc32(k + c)) for k, c in parts)


def test_every_filter_of_rows_is_undone_and_transparency_left_out() -> None:
    lines = [
        b"\0" + bytes([10, 20, 30, 255, 40, 50, 60, 255]),
        b"\1" + bytes([1, 2, 3, 255, 1, 1, 1, 0]),
        b"\2" + bytes([0, 0, 1, 0, 2, 0, 0, 0]),
        b"\3" + bytes([5, 5, 5, 128, 0, 0, 0, 128]),
        b"\4" + bytes([1, 1, 1, 0, 1, 1, 1, 0]),
    ]
    width, size, rows = rows_of(picture(6, lines, 2))
    assert (width, size) == (2, 4)
    assert rows[1][:8] == bytes([1, 2, 3, 255, 2, 3, 4, 255])
    assert rows[2][:8] == bytes([1, 2, 4, 255, 4, 3, 4, 255])
    assert rows[3][:4] == bytes([5, 6, 7, 255])
    small = tightened(picture(6, lines, 2))
    plain = [bytes(each for at, each in enumerate(row) if at % 4 != 3) for row in rows]
    assert rows_of(small) == (2, 3, plain)
