"""The application: all routes, what guards them, and the schema. The gate tells them which daemon they serve."""

import re
from functools import cache
from importlib.metadata import version
from typing import Any, Final

from litestar import Litestar, Router
from litestar.exceptions import HTTPException
from litestar.openapi.config import OpenAPIConfig
from litestar.openapi.spec import Components, License, SecurityScheme, Tag
from litestar.types import ASGIApp, ControllerRouterHandler

from buttonhook.errors import PermissionDenied, StorageUnavailable
from buttonhook.http import problems
from buttonhook.http.api import (
    audit,
    bulk,
    feeds,
    groups,
    health,
    imports,
    job_buttons,
    job_hooks,
    job_results,
    jobs,
    log_entries,
    login,
    object_changes,
    object_types,
    objects,
    permissions,
    plugins,
    sources,
    tokens,
    upgrading,
    upkeep,
    users,
)
from buttonhook.http.asking import authorize, daemon_of, note_denied
from buttonhook.http.daemon import Daemon
from buttonhook.http.declaring import DECLARED, LOGIN, note_query_names, route_table
from buttonhook.http.gate import Gate, Hosts
from buttonhook.http.pages import (
    account,
    administering,
    button_forms,
    buttons,
    cause_tree,
    changes,
    dashboard,
    documentation,
    editing,
    entering,
    finding,
    hook_forms,
    hooks,
    one_change,
    one_job,
    one_object,
    one_result,
    pressing,
    static,
    steering,
)
from buttonhook.http.pages import (
    jobs as job_pages,
)
from buttonhook.http.pages import (
    objects as object_pages,
)
from buttonhook.http.pages import (
    results as result_pages,
)
from buttonhook.http.pages.page import on_page_error, wants_page
from buttonhook.http.reading import BODY_BYTES, Request
from buttonhook.http.schema import SchemaPlugin

SCHEMA_PATH: Final = "/api/schema"

ROUTES: Final[tuple[ControllerRouterHandler, ...]] = (
    *health.ROUTES,
    *login.ROUTES,
    *users.ROUTES,
    *groups.ROUTES,
    *permissions.ROUTES,
    *tokens.ROUTES,
    *jobs.ROUTES,
    *job_hooks.ROUTES,
    *job_buttons.ROUTES,
    *objects.ROUTES,
    *object_types.ROUTES,
    *object_changes.ROUTES,
    *sources.ROUTES,
    *job_results.ROUTES,
    *log_entries.ROUTES,
    *plugins.ROUTES,
    *bulk.ROUTES,
    *audit.ROUTES,
    *feeds.ROUTES,
    *upgrading.ROUTES,
    *upkeep.ROUTES,
    *imports.ROUTES,
    *documentation.ROUTES,
    *entering.ROUTES,
    *account.ROUTES,
    *dashboard.ROUTES,
    *administering.ROUTES,
    *object_pages.ROUTES,
    *one_object.ROUTES,
    *editing.ROUTES,
    *finding.ROUTES,
    *changes.ROUTES,
    *one_change.ROUTES,
    *cause_tree.ROUTES,
    *pressing.ROUTES,
    *result_pages.ROUTES,
    *one_result.ROUTES,
    *steering.ROUTES,
    *job_pages.ROUTES,
    *one_job.ROUTES,
    *hooks.ROUTES,
    *hook_forms.ROUTES,
    *buttons.ROUTES,
    *button_forms.ROUTES,
    *static.ROUTES,
)
"""All routes of the daemon. A module of routes is added here."""


def make_application(
    daemon: Daemon, *, host_names: tuple[str, ...] = (), routes: tuple[ControllerRouterHandler, ...] = ROUTES
) -> ASGIApp:
    """The ASGI application of a daemon.

    Raises:
        UsageError: a route declares nothing; it is named.
    """
    application = make_routes(routes)
    return Gate(application, daemon, Hosts(host_names), lambda path: _methods(application, path))


@cache
def make_routes(routes: tuple[ControllerRouterHandler, ...] = ROUTES) -> Litestar:
    """The routes alone, made once for all daemons of the process. `declaring.route_table` tells what each asks."""
    application = Litestar(
        route_handlers=list(routes),
        guards=[authorize],
        exception_handlers={
            Exception: problems.on_error,
            HTTPException: _on_http_error,
            PermissionDenied: _on_denied,
            StorageUnavailable: _on_storage,
        },
        request_class=Request,
        request_max_body_size=BODY_BYTES,
        openapi_config=_openapi(),
        logging_config=None,
        debug=False,
    )
    route_table(application)
    note_query_names(application)
    return application


def _on_http_error(request: Any, exc: HTTPException) -> Any:
    """As for all errors; one of a wrong method tells the right ones."""
    if exc.status_code == 405:
        allowed = _methods(request.app, request.url.path)
        exc.headers = {"Allow": ", ".join(allowed)}
    if wants_page(request):
        return on_page_error(request, exc)
    return problems.on_error(request, exc)


def _on_denied(request: Any, exc: PermissionDenied) -> Any:
    note_denied(request, exc)
    return problems.on_error(request, exc)


def _on_storage(request: Any, exc: StorageUnavailable) -> Any:
    daemon_of(request).note_storage(exc)
    return problems.on_error(request, exc)


def _methods(application: Litestar, path: str) -> list[str]:
    """The methods that a path takes; none where there is no such path."""
    found: dict[str, set[str]] = {}
    for route in application.routes:
        pattern = re.sub(r"\\\{[^}]+\\\}", "[^/]+", re.escape(route.path_format))
        if re.fullmatch(pattern, path.rstrip("/") or "/"):
            found.setdefault(route.path_format, set()).update(getattr(route, "methods", ()))
    if not found:
        return []
    methods = found[min(found, key=lambda each: each.count("{"))]  # what stands there as such comes before any name
    return sorted(methods | ({"HEAD"} if "GET" in methods else set()))


def _openapi() -> OpenAPIConfig:
    return OpenAPIConfig(
        title="Buttonhook",
        version=version("buttonhook"),
        description="Everything that Buttonhook keeps and does. See the docs page at /api/docs.",
        license=License(name="Apache-2.0", identifier="Apache-2.0"),
        openapi_router=Router(SCHEMA_PATH, route_handlers=[], include_in_schema=False, opt={DECLARED: LOGIN}),
        render_plugins=[SchemaPlugin()],
        components=Components(
            security_schemes={
                "token": SecurityScheme(type="http", scheme="bearer", description="A token of /api/tokens."),
            }
        ),
        security=[{"token": []}],
        tags=[
            Tag("people", "Users, groups, permissions, tokens."),
            Tag("objects", "What is kept."),
            Tag("object types", "What objects look like."),
            Tag("object changes", "Who changed what, and what came of it."),
            Tag("jobs", "What can run."),
            Tag("job hooks", "What runs when objects change."),
            Tag("job results", "Runs of jobs, and what they logged."),
            Tag("plugins", "What is installed."),
            Tag("job buttons", "What people press on objects."),
            Tag("feeds", "What happens, as it happens."),
            Tag("sources", "Systems that send webhooks."),
            Tag("logging in", "Sessions of browsers."),
            Tag("health", "How the daemon stands."),
        ],
        use_handler_docstrings=True,
    )
