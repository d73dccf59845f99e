"""Adding and editing job hooks by a form: the rule, its conditions, and beside them what it would have said to the last
changes, as one edits.
"""

from collections.abc import Sequence
from typing import Any, Final

from litestar import Response
from litestar.params import FromPath, FromQuery
from msgspec import Struct

from buttonhook.conditions import Presets
from buttonhook.configuration import ALL_ACTIONS
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
from buttonhook.http.pages.condition_rows import RowState
from buttonhook.http.pages.hooks import CRUMBS, EDIT
from buttonhook.http.pages.page import FRAGMENT_HEADER, Crumb, form, fragment, go, page, show, why_not
from buttonhook.http.pages.templating import path
from buttonhook.http.pages.trying import TryOut, try_out
from buttonhook.http.reading import Form, Request, form_of
from buttonhook.ids import JobId
from buttonhook.records import JobHook

ADD: Final = act("add a job hook")
ACTIONS: Final = tuple(each.value for each in ALL_ACTIONS)
RUN_AS: Final = (("installer", "whoever installed it"), ("author", "the author of the change"))


class Draft(Struct):
    """A job hook in a form: what was typed, and what is wrong with it. `before` is the one that is edited."""

    before: JobHook | None
    name: str
    job: str
    object_types: Sequence[str]
    actions: Sequence[str]
    rows: list[RowState]
    run_as: str
    allow_job_hook_changes: bool
    enabled: bool
    mark: str
    errors: Errors


def _of_hook(hook: JobHook, presets: Presets) -> Draft:
    return Draft(
        before=hook,
        name=hook.name,
        job=hook.job,
        object_types=hook.object_types,
        actions=[each.value for each in hook.actions],
        rows=condition_rows.states_of(hook.conditions, presets),
        run_as=hook.run_as,
        allow_job_hook_changes=hook.allow_job_hook_changes,
        enabled=hook.enabled,
        mark=mark_of(hook),
        errors={},
    )


def _of_form(given: Form, before: JobHook | None, presets: Presets) -> Draft:
    return Draft(
        before=before,
        name=given.get("name").strip(),
        job=given.get("job"),
        object_types=in_order(given.all("object_types"), before.object_types if before else ()),
        actions=in_order([each for each in ACTIONS if each in given.all("actions")], before.actions if before else ()),
        rows=condition_rows.read(given, presets),
        run_as=given.get("run_as", "installer"),
        allow_job_hook_changes="allow_job_hook_changes" in given,
        enabled="enabled" in given,
        mark=given.get("mark"),
        errors={},
    )


def _presets(request: Request) -> Presets:
    return daemon_of(request).app.registry.presets


# --- pages ----------------------------------------------------------------------------------------


@page("/hooks/add", ADD)
async def add_hook_page(request: Request, job: FromQuery[str] = "") -> Response[Any]:
    """The form for a new job hook."""
    known = job_of(access_of(request), job)
    receiver = None if known is None else access_of(request).configuration.receiver_of(known)
    draft = _of_form(Form([("job", "" if known is None else known.id), ("enabled", "yes")]), None, _presets(request))
    draft.actions = ACTIONS
    if known is not None and receiver is not None:
        draft.name = known.name
        draft.object_types = receiver.meta.object_types
        draft.actions = [each.value for each in receiver.meta.actions]
    return await _show(request, draft)


@form("/hooks/add", ADD)
async def add_hook(request: Request) -> Response[Any]:
    """Add a job hook, or show its form after one of the form's own buttons."""
    given = await form_of(request)
    return await _answer(request, given, _of_form(given, None, _presets(request)))


@page("/hooks/{name:str}/edit", EDIT)
async def edit_hook_page(request: Request, name: FromPath[str]) -> Response[Any]:
    """The form for a job hook as it is."""
    return await _show(request, _of_hook(access_of(request).configuration.get_hook(name), _presets(request)))


@form("/hooks/{name:str}/edit", EDIT)
async def edit_hook(request: Request, name: FromPath[str]) -> Response[Any]:
    """Change a job hook, or show its form after one of the form's own buttons."""
    given = await form_of(request)
    hook = access_of(request).configuration.get_hook(name)
    return await _answer(request, given, _of_form(given, hook, _presets(request)))


async def _answer(request: Request, given: Form, draft: Draft) -> Response[Any]:
    do = given.get("do", "save")
    if do == "save":
        saved = await _save(request, draft)
        if saved is not None:
            return saved
        return await _show(request, draft, status=422)
    draft.rows = condition_rows.edit(draft.rows, do, _presets(request))
    if FRAGMENT_HEADER in request.headers:
        return fragment(request, "hooks/beside.html", **await _context(request, draft))
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
        "actions": tuple(draft.actions),
        "conditions": condition_rows.rows_of(draft.rows),
        "run_as": draft.run_as,
        "allow_job_hook_changes": draft.allow_job_hook_changes,
        "enabled": draft.enabled,
    }
    try:
        if draft.before is None:
            hook = await configuration.add_hook(**fields)
        else:
            hook = await configuration.edit_hook(draft.before.id, **fields)
    except Refusals as exc:
        note_error(exc, draft.errors, draft.rows)
        return None
    told = f"{'Added' if draft.before is None else 'Saved'} {hook.name}. It holds from the next change on."
    notes = access_of(request).notes_on(hook)
    flash = Flash("warning", f"{told} It fires on nothing yet: {'; '.join(notes)}.") if notes else None
    return go(request, path("hooks", hook.id), flash or Flash("success", told))


def _check(draft: Draft, presets: Presets) -> None:
    """Note what can be told without asking."""
    if not draft.name:
        draft.errors["name"] = "Must not be empty."
    if not draft.job:
        draft.errors["job"] = "Choose the job that it runs."
    if not draft.object_types:
        draft.errors["object_types"] = "Choose one at least."
    if not draft.actions:
        draft.errors["actions"] = "Choose one at least."
    condition_rows.check(draft.rows, presets)
    if draft.before is not None and draft.mark != mark_of(draft.before):
        draft.errors[""] = EDITED
        draft.mark = mark_of(draft.before)


# --- drawing --------------------------------------------------------------------------------------


async def _show(request: Request, draft: Draft, status: int = 200) -> Response[Any]:
    before = draft.before
    crumbs = CRUMBS if before is None else (*CRUMBS, Crumb(before.name, path("hooks", before.id)))
    return show(
        request,
        "hooks/edit.html",
        "Add a job hook" if before is None else f"Edit {before.name}",
        status=status,
        crumbs=crumbs,
        jobs=job_choices(access_of(request), "hook", draft.job),
        types=type_choices(request, draft.object_types),
        all_actions=ACTIONS,
        run_as=RUN_AS,
        back="/hooks" if before is None else path("hooks", before.id),
        why_not=why_not(request, "jobs.add_jobhook" if before is None else "jobs.change_jobhook", before),
        **await _context(request, draft),
    )


async def _context(request: Request, draft: Draft) -> dict[str, Any]:
    presets = _presets(request)
    known = await known_for(request, draft.object_types)
    return {
        "draft": draft,
        "errors": draft.errors,
        "rows": condition_rows.draw(draft.rows, presets, known),
        "presets": list(presets.values()),
        "noun": "job hook",
        "overlaps": _overlapping(request, draft),
        "tryout": await _try(request, draft),
        "action": "/hooks/add" if draft.before is None else path("hooks", draft.before.id, "edit"),
    }


def _overlapping(request: Request, draft: Draft) -> list[JobHook]:
    """Hooks that one may see and that keep this one from being saved: of the same job, on the same type and action."""
    own = None if draft.before is None else draft.before.id
    return [
        each
        for each in access_of(request).configuration.hooks()
        if each.job == draft.job
        and each.id != own
        and not set(each.object_types).isdisjoint(draft.object_types)
        and not {action.value for action in each.actions}.isdisjoint(draft.actions)
    ]


async def _try(request: Request, draft: Draft) -> TryOut:
    """The try-out of what is typed, without the conditions that are not complete yet."""
    rows, unready = condition_rows.ready(draft.rows, _presets(request))
    hook = JobHook(
        id="" if draft.before is None else draft.before.id,
        name=draft.name,
        job=JobId(draft.job),
        object_types=tuple(draft.object_types),
        actions=tuple(each for each in ALL_ACTIONS if each.value in draft.actions),
        enabled=draft.enabled,
        conditions=rows,
        allow_job_hook_changes=draft.allow_job_hook_changes,
    )
    access = access_of(request)
    notes = access.notes_on(hook) if job_of(access, draft.job) is not None else ()
    return await try_out(request, hook, [*unready, *notes])


ROUTES: Final = (add_hook_page, add_hook, edit_hook_page, edit_hook)
