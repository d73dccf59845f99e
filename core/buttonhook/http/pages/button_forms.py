"""Adding and editing job buttons by a form, and beside it the button as the page of an object shows it."""

from collections.abc import Sequence
from typing import Any, Final

from litestar import Response
from litestar.params import FromPath, FromQuery
from msgspec import Struct

from buttonhook.conditions import Presets
from buttonhook.configuration import BUTTON_STYLES
from buttonhook.http.asking import access_of, daemon_of
from buttonhook.http.declaring import act
from buttonhook.http.flashes import Flash
from buttonhook.http.pages import condition_rows
from buttonhook.http.pages.bindings import (
    EDITED,
    Errors,
    Refusals,
    in_order,
    job_choices,
    job_of,
    known_for,
    mark_of,
    note_error,
    type_choices,
)
from buttonhook.http.pages.button_preview import preview
from buttonhook.http.pages.buttons import CRUMBS, EDIT
from buttonhook.http.pages.condition_rows import RowState
from buttonhook.http.pages.page import FRAGMENT_HEADER, Crumb, form, fragment, go, page, show, why_not
from buttonhook.http.pages.templating import path
from buttonhook.http.reading import Form, Request, form_of
from buttonhook.http.shapes.job_buttons import MOST_GROUP, MOST_TEXT, MOST_WEIGHT
from buttonhook.records import JobButton

ADD: Final = act("add a job button")
MOST_INSERTS: Final = 24


class Draft(Struct):
    """A job button in a form: what was typed, and what is wrong with it. `before` is the one that is edited."""

    before: JobButton | None
    name: str
    job: str
    object_types: Sequence[str]
    text: str
    group: str
    weight: str
    style: str
    confirmation: bool
    enabled: bool
    rows: list[RowState]
    mark: str
    sample: str
    errors: Errors

    @property
    def shown_text(self) -> str:
        """What stands on it: its name where no text is given."""
        return self.text or self.name


def _of_button(button: JobButton, presets: Presets) -> Draft:
    return Draft(
        before=button,
        name=button.name,
        job=button.job,
        object_types=button.object_types,
        text=button.text,
        group=button.group,
        weight=str(button.weight),
        style=button.style,
        confirmation=button.confirmation,
        enabled=button.enabled,
        rows=condition_rows.states_of(button.conditions, presets),
        mark=mark_of(button),
        sample="",
        errors={},
    )


def _of_form(given: Form, before: JobButton | None, presets: Presets) -> Draft:
    return Draft(
        before=before,
        name=given.get("name").strip(),
        job=given.get("job"),
        object_types=in_order(given.all("object_types"), before.object_types if before else ()),
        text=given.get("text").strip(),
        group=given.get("group").strip(),
        weight=given.get("weight").strip(),
        style=given.get("style", "default"),
        confirmation="confirmation" in given,
        enabled="enabled" in given,
        rows=condition_rows.read(given, presets),
        mark=given.get("mark"),
        sample=given.get("sample").strip()[:200],
        errors={},
    )


def _presets(request: Request) -> Presets:
    return daemon_of(request).app.registry.presets


# --- pages ----------------------------------------------------------------------------------------


@page("/buttons/add", ADD)
async def add_button_page(request: Request, job: FromQuery[str] = "") -> Response[Any]:
    """The form for a new job button."""
    known = job_of(access_of(request), job)
    receiver = None if known is None else access_of(request).configuration.receiver_of(known)
    first = Form([("enabled", "yes"), ("confirmation", "yes"), ("weight", "100"), ("style", "default")])
    draft = _of_form(first, None, _presets(request))
    if known is not None and receiver is not None:
        draft.job, draft.name, draft.object_types = known.id, known.name, receiver.meta.object_types
    return await _show(request, draft)


@form("/buttons/add", ADD)
async def add_button(request: Request) -> Response[Any]:
    """Add a job button, or show its form after one of the form's own buttons."""
    given = await form_of(request)
    return await _answer(request, given, _of_form(given, None, _presets(request)))


@page("/buttons/{name:str}/edit", EDIT)
async def edit_button_page(request: Request, name: FromPath[str]) -> Response[Any]:
    """The form for a job button as it is."""
    return await _show(request, _of_button(access_of(request).configuration.get_button(name), _presets(request)))


@form("/buttons/{name:str}/edit", EDIT)
async def edit_button(request: Request, name: FromPath[str]) -> Response[Any]:
    """Change a job button, or show its form after one of the form's own buttons."""
    given = await form_of(request)
    button = access_of(request).configuration.get_button(name)
    return await _answer(request, given, _of_form(given, button, _presets(request)))


async def _answer(request: Request, given: Form, draft: Draft) -> Response[Any]:
    do = given.get("do", "save")
    if do == "save":
        saved = await _save(request, draft)
        if saved is not None:
            return saved
        return await _show(request, draft, status=422)
    draft.rows = condition_rows.edit(draft.rows, do, _presets(request))
    if FRAGMENT_HEADER in request.headers:
        return fragment(request, "buttons/beside.html", **await _context(request, draft))
    return await _show(request, draft)


async def _save(request: Request, draft: Draft) -> Response[Any] | None:
    """What the browser is led to after saving; None where the draft cannot be saved, which then says why."""
    _check(draft, _presets(request))
    if draft.errors or any(row.errors for row in draft.rows):
        return None
    configuration = access_of(request).configuration
    fields: dict[str, Any] = {
        "name": draft.name,
        "job": draft.job,
        "object_types": tuple(draft.object_types),
        "text": draft.shown_text,
        "group": draft.group,
        "weight": int(draft.weight),
        "style": draft.style,
        "confirmation": draft.confirmation,
        "enabled": draft.enabled,
        "conditions": condition_rows.rows_of(draft.rows),
    }
    try:
        if draft.before is None:
            button = await configuration.add_button(**fields)
        else:
            button = await configuration.edit_button(draft.before.id, **fields)
    except Refusals as exc:
        note_error(exc, draft.errors, draft.rows)
        return None
    told = f"{'Added' if draft.before is None else 'Saved'} {button.name}."
    job = job_of(access_of(request), button.job)
    if job is not None and not job.enabled:
        flash = Flash("warning", f"{told} Its job is disabled.", href=path("jobs", job.id), label="Enable it there")
        return go(request, path("buttons", button.id), flash)
    return go(request, path("buttons", button.id), Flash("success", told))


def _check(draft: Draft, presets: Presets) -> None:
    """Note what can be told without asking."""
    errors = draft.errors
    if not draft.name:
        errors["name"] = "Must not be empty."
    if not draft.job:
        errors["job"] = "Choose the job that it runs."
    if not draft.object_types:
        errors["object_types"] = "Choose one at least."
    if len(draft.text) > MOST_TEXT:
        errors["text"] = f"{MOST_TEXT:,} characters at most."
    if len(draft.group) > MOST_GROUP or not draft.group.isprintable():
        errors["group"] = f"{MOST_GROUP} characters at most, on one line."
    digits = draft.weight.removeprefix("-")
    if not (digits.isascii() and digits.isdigit() and len(digits) < 10 and int(digits) <= MOST_WEIGHT):
        errors["weight"] = f"A whole number, {MOST_WEIGHT:,} at most. Lighter ones stand first."
    condition_rows.check(draft.rows, presets)
    if draft.before is not None and draft.mark != mark_of(draft.before):
        errors[""] = EDITED
        draft.mark = mark_of(draft.before)


# --- drawing --------------------------------------------------------------------------------------


async def _show(request: Request, draft: Draft, status: int = 200) -> Response[Any]:
    before = draft.before
    groups = {each.group for each in access_of(request).configuration.buttons() if each.group}
    return show(
        request,
        "buttons/edit.html",
        "Add a job button" if before is None else f"Edit {before.name}",
        status=status,
        crumbs=CRUMBS if before is None else (*CRUMBS, Crumb(before.name, path("buttons", before.id))),
        jobs=job_choices(access_of(request), "button", draft.job),
        types=type_choices(request, draft.object_types),
        styles=BUTTON_STYLES,
        groups=sorted(groups),
        back="/buttons" if before is None else path("buttons", before.id),
        why_not=why_not(request, "jobs.add_jobbutton" if before is None else "jobs.change_jobbutton", before),
        **await _context(request, draft),
    )


async def _context(request: Request, draft: Draft) -> dict[str, Any]:
    presets = _presets(request)
    known = await known_for(request, draft.object_types)
    rows, notes = condition_rows.ready(draft.rows, presets)
    job = job_of(access_of(request), draft.job)
    return {
        "draft": draft,
        "errors": draft.errors,
        "rows": condition_rows.draw(draft.rows, presets, known),
        "presets": [each for each in presets.values() if not each.of_updates],
        "noun": "job button",
        "inserts": list(known.fields)[:MOST_INSERTS],
        "preview": await preview(request, draft.shown_text, rows, draft.object_types, draft.sample),
        "notes": notes,
        "job_name": "" if job is None else job.name,
        "action": "/buttons/add" if draft.before is None else path("buttons", draft.before.id, "edit"),
    }


ROUTES: Final = (add_button_page, add_button, edit_button_page, edit_button)
