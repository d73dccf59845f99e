"""The settings in force: what each is, where it came from, what it means. Secrets are not shown."""

import ast
import inspect
import textwrap
from collections.abc import Sequence
from typing import Any, Final

import msgspec
from litestar import Response
from msgspec import Struct

from buttonhook.http.asking import access_of, daemon_of
from buttonhook.http.declaring import act
from buttonhook.http.pages.page import page, show
from buttonhook.http.reading import Request
from buttonhook.redaction_scan import MARK
from buttonhook.settings import PREFIX, Settings

SECRET: Final = frozenset({"token"})
DEFAULT: Final = "default"


class Shown(Struct, frozen=True):
    """A setting as it may be shown; `origin` is the layer that set it."""

    name: str
    value: Any
    origin: str
    told: str
    variable: str


def _docs() -> dict[str, str]:
    """The sentence below each field of the settings, which is its documentation."""
    body = ast.parse(textwrap.dedent(inspect.getsource(Settings))).body[0]
    assert isinstance(body, ast.ClassDef)  # noqa: S101 - the source of a class
    found = {}
    for field, below in zip(body.body, body.body[1:], strict=False):
        is_told = isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant)
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and is_told:
            found[field.target.id] = inspect.cleandoc(str(below.value.value))  # type: ignore[attr-defined]
    return found


DOCS: Final = _docs()


@page("/settings", act("see settings"))
async def show_settings(request: Request) -> Response[Any]:
    """The settings in force."""
    access, daemon = access_of(request), daemon_of(request)
    access.history.require_settings()
    return show(
        request,
        "settings.html",
        "Settings",
        settings=_shown(daemon.app.settings, daemon.origins),
        plugins=[each for each in access.plugins() if each.settings],
    )


def _shown(settings: Settings, origins: dict[str, str]) -> Sequence[Shown]:
    made = []
    for name in Settings.__struct_fields__:
        value = getattr(settings, name)
        if name != "plugins":
            is_default = value == getattr(_DEFAULTS, name)
            origin = origins.get(name, DEFAULT if is_default else "the program")
            text = MARK if name in SECRET and value is not None else msgspec.to_builtins(value)
            made.append(Shown(name, text, origin, DOCS.get(name, ""), f"{PREFIX}{name.upper()}"))
    return made


_DEFAULTS: Final = Settings()

ROUTES: Final = (show_settings,)
