"""Sources of webhooks: made with a secret that is shown once, edited, and what each sent lately."""

from typing import Any, Final

from litestar import Response
from litestar.params import FromPath
from msgspec import UNSET

from buttonhook.errors import ButtonhookError, PermissionDenied, RecordConflict, RecordError, RecordNotFound
from buttonhook.http.asking import access_of, daemon_of, note_denied
from buttonhook.http.declaring import act
from buttonhook.http.flashes import Flash
from buttonhook.http.pages.page import Crumb, form, go, page, show, why_not
from buttonhook.http.pages.refusals import faults
from buttonhook.http.pages.templating import path
from buttonhook.http.paging import CursorText, page_by_name
from buttonhook.http.reading import Form, Request, form_of
from buttonhook.people import SourceRecord
from buttonhook.permissions import missing
from buttonhook.sources import SourceDraft

PAGE: Final = 100
CRUMBS: Final = (Crumb("Sources", "/sources"),)
ALGORITHMS: Final = ("sha256", "sha384", "sha512")
TEXTS: Final = (
    *("kind", "acts_as", "prefix", "description", "signature_header", "algorithm", "timestamp_header"),
    *("secret_file", "secret_variable"),
)
ADD: Final = act("add a source")
EDIT: Final = act("edit a source")
REMOVE: Final = act("remove a source")
PLACES: Final = (
    ("unfit name", "name"),
    ("exists already", "name"),
    ("the kind", "kind"),
    ("prefix", "prefix"),
    ("timestamp_header", "timestamp_header"),
    ("header", "signature_header"),
    ("window", "window_seconds"),
    ("description", "description"),
    ("echo user", "echo_users"),
    ("secret", "secret_file"),
)
"""By what a refusal says: the field where that was typed."""


@page("/sources", act("see a source"))
async def list_sources(request: Request, cursor: CursorText = None) -> Response[Any]:
    """The sources."""
    daemon = daemon_of(request)
    shown = page_by_name("sources", access_of(request).sources.all(), lambda each: each, cursor, PAGE)
    return show(
        request,
        "sources/list.html",
        "Sources",
        sources=shown.items,
        next=shown.next,
        cursor=cursor,
        kinds=set(daemon.app.registry.webhook_readers),
        last={each.id: next(iter(daemon.deliveries.of(each.name)), None) for each in shown.items},
        why_not_add=why_not(request, "jobs.add_source"),
    )


@page("/sources/new", ADD)
async def new_source(request: Request) -> Response[Any]:
    """The form for a source that is new."""
    return _form(request)


def _form(
    request: Request,
    source: SourceRecord | None = None,
    errors: dict[str, str] | None = None,
    given: Form | None = None,
    status: int = 422,
) -> Response[Any]:
    access = access_of(request)
    kinds = sorted(daemon_of(request).app.registry.webhook_readers)
    shown = {} if source is None else _typed(source)
    if given is not None:
        shown = {name: given.get(name) for name in given_names(given)}
    return show(
        request,
        "sources/form.html",
        "Add a source" if source is None else f"Edit {source.name}",
        status=status if errors else 200,
        crumbs=CRUMBS if source is None else [*CRUMBS, Crumb(source.name, path("sources", source.name))],
        source=source,
        shown=shown,
        is_opened=bool(set(errors or ()) - {"", "name", "kind", "acts_as", "description", "prefix"}),
        kinds=[(each, each) for each in kinds],
        algorithms=[("", "as its kind has it") if source is None else ("", ""), *((a, a) for a in ALGORITHMS)],
        user_names=[each.name for each in access.administration.users()],
        errors=errors or {},
        is_owner=access.user.is_owner,
    )


def given_names(given: Form) -> list[str]:
    """The names of the fields that were sent."""
    return list(dict.fromkeys(name for name, _ in given.pairs))


def _typed(source: SourceRecord) -> dict[str, str]:
    """A source as its form shows it."""
    texts = {name: str(getattr(source, name)) for name in ("kind", "acts_as", "prefix", "description")}
    return {
        **texts,
        "signature_header": source.signature_header,
        "algorithm": source.algorithm,
        "timestamp_header": source.timestamp_header,
        "window_seconds": "" if source.window_seconds is None else str(source.window_seconds),
        "echo_users": ", ".join(source.echo_users),
        "secret_file": source.secret_file,
        "secret_variable": source.secret_variable,
        "enabled": "yes" if source.enabled else "",
    }


def _draft(given: Form, source: SourceRecord | None) -> SourceDraft:
    """What was typed; what is empty for a new source follows its kind, its name or who asks.

    Raises:
        RecordConflict: the window is no number.
    """
    name = given.get("name") if source is None else source.name

    draft: dict[str, Any] = {field: given.get(field).strip() for field in TEXTS}
    window = given.get("window_seconds").strip()
    if window and not (window.isascii() and window.isdigit()):
        raise RecordConflict("source", name, f"cannot have a window of {window[:20]!r}", "Give a number of seconds.")
    users = tuple(each.strip() for each in given.get("echo_users").split(",") if each.strip())
    draft |= {"window_seconds": int(window) if window else None, "echo_users": users}
    if source is None:
        return SourceDraft(**{field: value or UNSET for field, value in draft.items()})
    draft["enabled"] = given.get("enabled") == "yes"
    return SourceDraft(**{field: value for field, value in draft.items() if value != getattr(source, field)})


def _faults(exc: ButtonhookError) -> dict[str, str]:
    if isinstance(exc, RecordNotFound) and exc.kind == "user":
        return {"acts_as": faults(exc).popitem()[1]}
    problem = exc.problem if isinstance(exc, RecordConflict) else ""
    field = next((field for words, field in PLACES if words in problem), "")
    return {field: f"{problem[:1].upper()}{problem[1:]}. {getattr(exc, 'cure', '')}"} if field else faults(exc)


@form("/sources/new", ADD)
async def add_source(request: Request) -> Response[Any]:
    """Add a source; its secret is shown once, on the page that follows."""
    given = await form_of(request)
    name = given.get("name").strip()
    try:
        source, secret = await access_of(request).sources.add(name, _draft(given, None))
    except PermissionDenied as exc:
        note_denied(request, exc)
        return _form(request, errors={"acts_as": str(exc)}, given=given, status=403)
    except RecordError as exc:
        return _form(request, errors=_faults(exc), given=given)
    told = f"Source {source.name} is added."
    flash = Flash("success", told) if secret is None else _told_secret(told, secret)
    return go(request, path("sources", source.name), flash)


def _told_secret(told: str, secret: str) -> Flash:
    return Flash("success", f"{told} This is its secret. Copy it now: it is not shown again.", secret=secret)


@page("/sources/{name:str}", act("see a source"))
async def show_source(request: Request, name: FromPath[str]) -> Response[Any]:
    """One source: where it sends, how it signs, what it sent lately."""
    access, daemon = access_of(request), daemon_of(request)
    source = access.sources.get(name)
    needs = {each: missing(access.user, f"{each} a source", source) for each in ("edit", "remove")}
    return show(
        request,
        "sources/one.html",
        source.name,
        crumbs=CRUMBS,
        source=source,
        address=f"{str(request.base_url).rstrip('/')}/api/sources/{source.name}",
        is_kind_installed=source.kind in daemon.app.registry.webhook_readers,
        deliveries=daemon.deliveries.of(source.name),
        began_at=daemon.began_at,
        why_not={each: "" if need is None else f"You lack {need.permission}" for each, need in needs.items()},
    )


@page("/sources/{name:str}/edit", EDIT)
async def edit_page(request: Request, name: FromPath[str]) -> Response[Any]:
    """The form for a source that there is."""
    return _form(request, access_of(request).sources.get(name))


@form("/sources/{name:str}/edit", EDIT)
async def edit_source(request: Request, name: FromPath[str]) -> Response[Any]:
    """Change a source."""
    given = await form_of(request)
    sources = access_of(request).sources
    source = sources.get(name)
    try:
        await sources.edit(source.name, _draft(given, source))
    except PermissionDenied as exc:
        note_denied(request, exc)
        return _form(request, source, {"acts_as": str(exc)}, given, 403)
    except RecordError as exc:
        return _form(request, source, _faults(exc), given)
    return go(request, path("sources", source.name), Flash("success", "Saved."))


@form("/sources/{name:str}/secret", EDIT)
async def renew_secret(request: Request, name: FromPath[str]) -> Response[Any]:
    """Make a source another secret; the one before works no more."""
    source, secret = await access_of(request).sources.edit(name, SourceDraft(), renews_secret=True)
    return go(request, path("sources", source.name), _told_secret("The secret before works no more.", secret or ""))


@page("/sources/{name:str}/remove", REMOVE)
async def ask_remove(request: Request, name: FromPath[str]) -> Response[Any]:
    """The page that asks whether a source is to be removed, where there is no dialog for it."""
    source = access_of(request).sources.get(name)
    crumbs = [*CRUMBS, Crumb(source.name, path("sources", source.name))]
    return show(request, "sources/remove.html", f"Remove {source.name}?", crumbs=crumbs, source=source)


@form("/sources/{name:str}/remove", REMOVE)
async def remove_source(request: Request, name: FromPath[str]) -> Response[Any]:
    """Remove a source; what it brought stays."""
    source = await access_of(request).sources.remove(name)
    return go(request, "/sources", Flash("success", f"Source {source.name} is removed. What it brought stays."))


ROUTES: Final = (
    list_sources,
    new_source,
    add_source,
    show_source,
    edit_page,
    edit_source,
    renew_secret,
    ask_remove,
    remove_source,
)
