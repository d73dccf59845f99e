"""Adding, changing and deleting objects by forms.

A form holds the document that it showed. What is sent to the recorder is the difference to that one, so what others
changed meanwhile stays, and where both changed the same field the recorder refuses and says who wrote what.
"""

from typing import Any, Final

import msgspec
from litestar import Response
from litestar.params import FromPath

from buttonhook import documents
from buttonhook.access.access import Access
from buttonhook.errors import (
    BrokenReference,
    InvalidDocument,
    InvalidKey,
    ObjectError,
    ObjectExists,
    ObjectNotFound,
    PermissionDenied,
    QueryError,
    StaleObject,
    StillReferenced,
    UniqueViolation,
)
from buttonhook.http.api.writing import find_stored, may_see
from buttonhook.http.asking import access_of, daemon_of, note_denied
from buttonhook.http.declaring import on_objects
from buttonhook.http.flashes import Flash
from buttonhook.http.pages.columns import fields_of
from buttonhook.http.pages.finding import MOST_OPTIONS, find_reference
from buttonhook.http.pages.forms import REST, FormField, carried, fields_for, plainly, read
from buttonhook.http.pages.page import Crumb, form, go, page, show
from buttonhook.http.pages.rows import row_of
from buttonhook.http.pages.templating import path, query
from buttonhook.http.problems import Refused, of_error, sentence, status_of
from buttonhook.http.reading import Form, Request, form_of
from buttonhook.ids import new_uuid7
from buttonhook.objects.keys import check_pk
from buttonhook.objects.session import Write
from buttonhook.objects.transactions import TransactionAnswer
from buttonhook.objects.types import ObjectType
from buttonhook.old_data import differing
from buttonhook.records import ObjectQuery

Errors = dict[str, str]
PK: Final = "pk"
"""In errors: about the key; `""` is about the whole."""


# --- adding ---------------------------------------------------------------------------------------


@page("/add/{object_type:str}", on_objects("add"))
async def add_page(request: Request, object_type: FromPath[str]) -> Response[Any]:
    """The form for a new object."""
    return await _add_form(request, _type_of(request, object_type))


async def _add_form(
    request: Request, type_: ObjectType, status: int = 200, given: Form | None = None, errors: Errors | None = None
) -> Response[Any]:
    told = errors or {}
    return show(
        request,
        "objects/edit.html",
        f"Add {type_.name}",
        status=status,
        crumbs=_crumbs(type_.name),
        type_=type_,
        fields=await _with_options(access_of(request), fields_for(type_, {}, given, told)),
        errors=told,
        pk="" if given is None else given.get(PK),
        is_new=True,
        base="{}",
        version="",
        action=path("add", type_.name),
        back=path("objects", type_.name),
    )


@form("/add/{object_type:str}", on_objects("add"))
async def add(request: Request, object_type: FromPath[str]) -> Response[Any]:
    """Make an object."""
    access, type_, given = access_of(request), _type_of(request, object_type), await form_of(request)
    document, errors = await _read(access, type_, {}, given)
    pk = given.get(PK).strip() or new_uuid7()
    try:
        check_pk(pk)
    except InvalidKey as exc:
        errors[PK] = str(exc)
    if not errors:
        write = Write(kind="create", object_type=object_type, pk=pk, document=document)
        try:
            answer = await access.session.writer.commit(access.session.request((write,)))
            return _saved(request, write, answer, "Added.")
        except (ObjectError, PermissionDenied) as exc:
            errors = _refused(request, exc, type_)
    return await _add_form(request, type_, _status(errors), given, errors)


# --- changing -------------------------------------------------------------------------------------


@page("/objects/{object_type:str}/{pk:str}/edit", on_objects("change"))
async def edit_page(request: Request, object_type: FromPath[str], pk: FromPath[str]) -> Response[Any]:
    """The form for an object as it is."""
    type_ = _type_of(request, object_type)
    stored = await find_stored(access_of(request), object_type, pk)
    document = row_of(stored, type_).document
    return await _edit_form(request, type_, pk, (document, stored.document, str(stored.version)))


async def _edit_form(
    request: Request,
    type_: ObjectType,
    pk: str,
    shown: tuple[dict[str, Any], str, str],
    given: Form | None = None,
    errors: Errors | None = None,
) -> Response[Any]:
    told = errors or {}
    stored = await find_stored(access_of(request), type_.name, pk)
    name = row_of(stored, type_).name
    return show(
        request,
        "objects/edit.html",
        f"Edit {name}",
        status=_status(told) if told else 200,
        crumbs=[*_crumbs(type_.name), Crumb(name, path("objects", type_.name, pk))],
        type_=type_,
        fields=await _with_options(access_of(request), fields_for(type_, shown[0], given, told)),
        errors=told,
        pk=pk,
        is_new=False,
        base=shown[1],
        version=shown[2],
        action=path("objects", type_.name, pk, "edit"),
        back=path("objects", type_.name, pk),
    )


@form("/objects/{object_type:str}/{pk:str}/edit", on_objects("change"))
async def edit(request: Request, object_type: FromPath[str], pk: FromPath[str]) -> Response[Any]:
    """Change an object by what differs from what the form showed."""
    access, type_, given = access_of(request), _type_of(request, object_type), await form_of(request)
    await find_stored(access, object_type, pk)
    before, version = _base_of(given)
    base = type_.read(before).document
    document, errors = await _read(access, type_, base, given)
    if not errors:
        write = Write(
            kind="update", object_type=object_type, pk=pk, changes=differing(before, document), version=version
        )
        if not write.changes:
            return go(request, path("objects", object_type, pk), Flash("info", "Nothing changed: it is so already."))
        try:
            answer = await access.session.writer.commit(access.session.request((write,)))
            return _saved(request, write, answer, "Saved.")
        except (ObjectError, PermissionDenied) as exc:
            errors = _refused(request, exc, type_)
            if isinstance(exc, StaleObject):
                return await _shown_anew(request, type_, pk, base, given, errors)
    return await _edit_form(request, type_, pk, (base, given.get("base"), given.get("version")), given, errors)


async def _shown_anew(
    request: Request, type_: ObjectType, pk: str, base: dict[str, Any], given: Form, errors: Errors
) -> Response[Any]:
    """The form on the object as it is now, with what was typed: to save it again is to overrule the other."""
    stored = await find_stored(access_of(request), type_.name, pk)
    document = row_of(stored, type_).document
    kept = carried(type_, base, document, given)
    return await _edit_form(request, type_, pk, (document, stored.document, str(stored.version)), kept, errors)


def _base_of(given: Form) -> tuple[dict[str, Any], int]:
    """The document that a form showed, and its version.

    Raises:
        Refused: they are missing or broken.
    """
    try:
        base = documents.parse(given.get("base"), "base")
        version = int(given.get("version"))
    except (InvalidDocument, ValueError) as exc:
        raise Refused(400, "bad-form", "The form is broken. Open it anew and try again.") from exc
    if not isinstance(base, dict) or not 0 <= version < 2**63:
        raise Refused(400, "bad-form", "The form is broken. Open it anew and try again.")
    return base, version


# --- deleting -------------------------------------------------------------------------------------


@page("/objects/{object_type:str}/{pk:str}/delete", on_objects("delete"))
async def delete_page(request: Request, object_type: FromPath[str], pk: FromPath[str]) -> Response[Any]:
    """The page that asks whether an object is to be deleted."""
    return await _ask_delete(request, object_type, pk)


async def _ask_delete(
    request: Request, object_type: str, pk: str, refused: StillReferenced | None = None, error: str = ""
) -> Response[Any]:
    access = access_of(request)
    row = row_of(await find_stored(access, object_type, pk), _type_of(request, object_type))
    return show(
        request,
        "objects/delete.html",
        f"Delete {row.name}?",
        status=409 if refused or error else 200,
        crumbs=[*_crumbs(object_type), Crumb(row.name, path("objects", object_type, pk))],
        row=row,
        referrers=await access.session.referrers((object_type, pk), None, 11),
        error=sentence(refused) if refused else error,
    )


@form("/objects/{object_type:str}/{pk:str}/delete", on_objects("delete"))
async def delete(request: Request, object_type: FromPath[str], pk: FromPath[str]) -> Response[Any]:
    """Delete an object."""
    access = access_of(request)
    await find_stored(access, object_type, pk)
    write = Write(kind="delete", object_type=object_type, pk=pk)
    try:
        answer = await access.session.writer.commit(access.session.request((write,)))
    except StillReferenced as exc:
        return await _ask_delete(request, object_type, pk, exc)
    own = next(each for each in answer.changes if (each.object_type, each.object_pk) == (object_type, pk))
    more = len([each for each in answer.changes if each is not own and may_see(access.user, each)])
    told = f"Deleted {own.object_repr}." + (f" {more} more went or changed along with it." if more else "")
    flash = Flash("success", told, href=path("changes", own.id), label=f"Change {own.id}")
    return go(request, path("objects", object_type), flash)


# --- what they share ------------------------------------------------------------------------------


def _type_of(request: Request, object_type: str) -> ObjectType:
    return daemon_of(request).app.registry.get_type(object_type)


def _crumbs(object_type: str) -> list[Crumb]:
    return [Crumb("Objects", "/objects"), Crumb(object_type, path("objects", object_type))]


async def _read(access: Access, type_: ObjectType, base: dict[str, Any], given: Form) -> tuple[dict[str, Any], Errors]:
    """The document that a form asks for, names of other objects made to their keys, and what is wrong."""
    document, errors = read(type_, base, given)
    for field in fields_of(type_):
        value = document.get(field.key)
        if not field.target or not isinstance(value, str) or value == base.get(field.key) or field.key in errors:
            continue
        target = access.session.find_type(field.target)
        try:
            document[field.key] = value if target is None else await find_reference(access, target, value)
        except ObjectNotFound:
            errors[field.key] = f"No {field.target} has the key or the name {value!r}."
        except QueryError as exc:
            errors[field.key] = str(exc)
        except PermissionDenied:
            pass  # whose type they may not see they give by the key; the commit looks whether it is there
    return document, errors


async def _with_options(access: Access, fields: list[FormField]) -> list[FormField]:
    """The fields, those of references with the first objects that they may hold."""
    made = []
    for each in fields:
        if each.target and access.session.find_type(each.target) is not None:
            type_ = access.session.find_type(each.target)
            try:
                found = await access.session.fetch(ObjectQuery(object_type=each.target, limit=MOST_OPTIONS))
            except PermissionDenied:
                found = []
            rows = [row_of(stored, type_) for stored, _ in found] if type_ is not None else []
            options = tuple((row.stored.pk, row.name) for row in rows)
            made.append(msgspec.structs.replace(each, options=options))
        else:
            made.append(each)
    return made


def _refused(request: Request, exc: ObjectError | PermissionDenied, type_: ObjectType) -> Errors:
    """As `_told`; what was denied stands in the audit log, as where it is not told by a form."""
    if isinstance(exc, PermissionDenied):
        note_denied(request, exc)
    return _told(exc, type_)


def _told(exc: ObjectError | PermissionDenied, type_: ObjectType) -> Errors:
    """An error by the fields it is about; what is about no field is about the whole."""
    keys = {each.key for each in fields_of(type_)}
    if isinstance(exc, InvalidDocument):
        errors: Errors = {}
        for each in exc.faults:
            key = each.path.partition(".")[0]
            text = plainly(each.message if each.path == key else f"{each.path}: {each.message}")
            errors[key if key in keys else REST if type_.is_free else ""] = text
        return errors
    if isinstance(exc, UniqueViolation | BrokenReference):
        named = {each.path: plainly(each.message) for each in of_error(exc).errors if each.path in keys}
        return {"": sentence(exc), **named}
    if isinstance(exc, ObjectExists):
        return {PK: sentence(exc)}
    if isinstance(exc, StaleObject):
        text = (
            f"Somebody else changed it while you typed: {exc.detail}. Your text stands below; save again to overrule."
        )
        return {"": text, "conflict": "yes"}
    return {"": sentence(exc), "status": str(status_of(exc))}


def _status(errors: Errors) -> int:
    if "conflict" in errors:
        return 409
    return int(errors.get("status", 422))


def _saved(request: Request, write: Write, answer: TransactionAnswer, told: str) -> Response[Any]:
    to = path("objects", write.object_type, write.pk)
    if not answer.changes:
        return go(request, to, Flash("info", "Nothing changed: it is so already."))
    change = answer.changes[0]
    flash = Flash("success", told, href=path("changes", change.id), label=f"Change {change.id}")
    return go(request, to + query(change=change.id), flash)


ROUTES: Final = (add_page, add, edit_page, edit, delete_page, delete)
