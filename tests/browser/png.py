"""Making PNG files of pages small: browsers write them quickly, not tightly."""

import struct
import zlib
from collections.abc import Iterator

HEAD = b"\x89PNG\r\n\x1a\n"


def chunks(picture: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Kind and content of each chunk."""
    at = len(HEAD)
    while at < len(picture):
        (size,) = struct.unpack(">I", picture[at : at + 4])
        yield picture[at + 4 : at + 8], picture[at + 8 : at + 8 + size]
        at += size + 12


def rows_of(picture: bytes) -> tuple[int, int, list[bytes]]:
    """Width, bytes a pixel, and the rows of an 8-bit picture as they look."""
    found = dict(chunks(picture))
    width, height, depth, colour = struct.unpack(">IIBB", found[b"IHDR"][:10])
    size = {2: 3, 6: 4}[colour]
    assert depth == 8
    stream = zlib.decompress(b"".join(content for kind, content in chunks(picture) if kind == b"IDAT"))
    rows, above = [], bytes(width * size)
    for number in range(height):
        start = number * (width * size + 1)
        above = unfiltered(stream[start], stream[start + 1 : start + 1 + width * size], above, size)
        rows.append(above)
    return width, size, rows


def unfiltered(kind: int, row: bytes, above: bytes, size: int) -> bytes:
    """A row without its filter, by the PNG specification, 9.2."""
    if kind == 0:
        return row
    if kind == 2:
        return bytes((a + b) & 255 for a, b in zip(row, above, strict=True))
    made = bytearray(row)
    for at in range(len(row)):
        left = made[at - size] if at >= size else 0
        corner = above[at - size] if at >= size else 0
        if kind == 1:
            guess = left
        elif kind == 3:
            guess = (left + above[at]) // 2
        else:
            p = left + above[at] - corner
            guess = min((abs(p - left), 0, left), (abs(p - above[at]), 1, above[at]), (abs(p - corner), 2, corner))[2]
        made[at] = (made[at] + guess) & 255
    return bytes(made)


def tightened(picture: bytes) -> bytes:
    """The same picture in fewer bytes: pages are flat, and flat rows pack best as they are."""
    width, size, rows = rows_of(picture)
    made = [b"\0" + b"".join(row[at : at + 3] for at in range(0, len(row), size)) for row in rows]
    head = struct.pack(">IIBBBBB", width, len(rows), 8, 2, 0, 0, 0)
    parts = [(b"IHDR", head), (b"IDAT", zlib.compress(b"".join(made), 9)), (b"IEND", b"")]
    return HEAD + b"".join(
        struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        for kind, content in parts
    )
