"""The page that shows the API: made in the browser from `/api/schema`, with nothing loaded from elsewhere."""

from importlib import resources
from typing import Any, Final

from litestar import Response

from buttonhook.http.declaring import LOGIN, get

_PAGE: Final = (resources.files("buttonhook.http") / "static" / "docs.html").read_bytes()


@get("/api/docs", LOGIN, include_in_schema=False)
async def documentation() -> Response[Any]:
    """The documentation of this API, as a page."""
    return Response(_PAGE, media_type="text/html")


ROUTES: Final = (documentation,)
