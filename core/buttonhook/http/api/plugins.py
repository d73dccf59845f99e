"""Plugins: the installed packages that bring receivers, object types and presets."""

from typing import Final

from litestar.params import FromPath

from buttonhook.errors import RecordNotFound
from buttonhook.http.asking import access_of
from buttonhook.http.declaring import act, get
from buttonhook.http.paging import DEFAULT_LIMIT, CursorText, FieldNames, Limit, Order, Page, page_in_order, sparse
from buttonhook.http.reading import Request
from buttonhook.http.shapes.plugins import PluginShape
from buttonhook.plugins import PluginReport

TAGS: Final = ["plugins"]
ORDER: Final = Order[PluginReport, tuple[str, str]](tuple[str, str], lambda each: (each.name, each.distribution))


@get("/api/plugins", act("see plugins"), tags=TAGS)
async def list_plugins(
    request: Request, limit: Limit = DEFAULT_LIMIT, cursor: CursorText = None, fields: FieldNames = None
) -> Page[PluginShape]:
    """List the installed plugins, by name: version, what each brings, why one could not be loaded.

    Secrets are redacted.
    """
    found = access_of(request).plugins()
    return sparse(page_in_order("plugins", found, PluginShape.of, ORDER, cursor, limit), fields)


@get("/api/plugins/{name:str}", act("see plugins"), tags=TAGS)
async def get_plugin(request: Request, name: FromPath[str]) -> PluginShape:
    """Show a plugin, by the name of its entry point or its package."""
    found = access_of(request).plugins()
    report = next((each for each in found if name in (each.name, each.distribution)), None)
    if report is None:
        known = [word for each in found for word in (each.name, each.distribution)]
        raise RecordNotFound("plugin", name, known, "buttonhook plugins")
    return PluginShape.of(report)


ROUTES: Final = (list_plugins, get_plugin)
