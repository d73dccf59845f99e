"""Installed plugins: what each brings, how it is set, and what is wrong with those that are broken."""

import inspect
from collections.abc import Sequence
from typing import Any, Final

from litestar import Response
from litestar.params import FromPath
from msgspec import Struct

from buttonhook import hookspecs
from buttonhook.errors import RecordNotFound
from buttonhook.http.asking import access_of, daemon_of
from buttonhook.http.declaring import act
from buttonhook.http.pages.page import Crumb, page, show
from buttonhook.http.reading import Request
from buttonhook.permissions import missing
from buttonhook.plugins import PluginReport
from buttonhook.records import Job

SEE: Final = act("see plugins")


class Hookspec(Struct, frozen=True):
    """What a plugin can implement, with the first line of what it is for."""

    name: str
    told: str


HOOKSPECS: Final[Sequence[Hookspec]] = [
    Hookspec(name, (inspect.getdoc(each) or "").partition("\n")[0])
    for name, each in sorted(vars(hookspecs).items())
    if name.startswith("buttonhook_") and callable(each)
]


@page("/plugins", SEE)
async def list_plugins(request: Request) -> Response[Any]:
    """The plugins, those that are broken first."""
    found = sorted(access_of(request).plugins(), key=lambda each: (not each.errors or each.is_blocked, each.name))
    return show(request, "plugins/list.html", "Plugins", plugins=found, hookspecs=HOOKSPECS)


@page("/plugins/{name:str}", SEE)
async def show_plugin(request: Request, name: FromPath[str]) -> Response[Any]:
    """One plugin."""
    access, registry = access_of(request), daemon_of(request).app.registry
    found = next((each for each in access.plugins() if each.name == name), None)
    if found is None:
        raise RecordNotFound("plugin", name)
    jobs = [registry.find(Job, each) for each in found.jobs]
    shown = [each for each in jobs if each is not None and missing(access.user, "see a job", each) is None]
    return show(
        request,
        "plugins/one.html",
        found.name,
        crumbs=[Crumb("Plugins", "/plugins")],
        plugin=found,
        jobs=shown,
        state=state_of(found),
    )


def state_of(report: PluginReport) -> str:
    """How a plugin stands, in a word."""
    return "blocked" if report.is_blocked else "broken" if report.errors else "loaded"


ROUTES: Final = (list_plugins, show_plugin)
