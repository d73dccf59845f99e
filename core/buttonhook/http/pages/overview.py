"""The first page."""

from typing import Any, Final

from litestar import Response

from buttonhook.http.declaring import LOGIN
from buttonhook.http.pages.page import go, page
from buttonhook.http.reading import Request


@page("/", LOGIN)
async def overview(request: Request) -> Response[Any]:
    """Where one begins."""
    return go(request, "/objects")


ROUTES: Final = (overview,)
