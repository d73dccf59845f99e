"""The files that pages load: read once, at start, from the package; what is not among them does not exist."""

import hashlib
from collections.abc import Iterator
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Any, Final

from litestar import Response
from litestar.params import FromPath
from msgspec import Struct

from buttonhook.http.declaring import PUBLIC, get
from buttonhook.http.problems import Refused
from buttonhook.http.reading import Request

TYPES: Final = {
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".ico": "image/x-icon",
    ".woff2": "font/woff2",
}


class StaticFile(Struct, frozen=True):
    """One file as it is sent."""

    content: bytes
    media_type: str
    tag: str


def _read(folder: Traversable, prefix: str = "") -> Iterator[tuple[str, StaticFile]]:
    for each in folder.iterdir():
        suffix = each.name[each.name.rfind(".") :]
        if each.is_dir():
            yield from _read(each, f"{prefix}{each.name}/")
        elif suffix in TYPES:
            content = each.read_bytes()
            tag = f'"{hashlib.sha256(content).hexdigest()[:16]}"'
            yield f"{prefix}{each.name}", StaticFile(content, TYPES[suffix], tag)


FILES: Final = dict(_read(resources.files("buttonhook.http") / "static"))


@get("/static/{path:path}", PUBLIC, include_in_schema=False)
async def static_file(request: Request, path: FromPath[str]) -> Response[Any]:
    """A file that a page loads."""
    found = FILES.get(str(path).lstrip("/"))
    if found is None:
        raise Refused(404, "not-found", "There is no such file.")
    headers = {"ETag": found.tag, "Cache-Control": "no-cache"}
    if request.headers.get("if-none-match") == found.tag:
        return Response(b"", status_code=304, headers=headers, media_type=found.media_type)
    return Response(found.content, headers=headers, media_type=found.media_type)


ROUTES: Final = (static_file,)
