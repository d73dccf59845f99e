"""Writing objects: what a request's headers ask of the object as it is, one commit, and what is told of it."""

import re
from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Final
from urllib.parse import quote

from litestar import Response
from litestar.params import HeaderParameter
from msgspec import Struct

from buttonhook import documents
from buttonhook.access.access import Access
from buttonhook.errors import Fault, InvalidDocument, InvalidKey, ObjectNotFound, RecordNotFound, StaleObject
from buttonhook.http.asking import access_of, daemon_of
from buttonhook.http.idempotency import Answer, answer_of, once
from buttonhook.http.problems import Refused
from buttonhook.http.reading import BODY_BYTES, SUBJECT, Request, check_media_type
from buttonhook.http.shapes.objects import Action, MadeChange, ObjectShape, WriteShape
from buttonhook.objects.keys import object_permission
from buttonhook.objects.session import Write
from buttonhook.objects.transactions import TransactionAnswer
from buttonhook.receivers.user import User
from buttonhook.records import StoredObject
from buttonhook.registry import Registry

JSON: Final = "application/json"
NDJSON: Final = "application/x-ndjson"
MERGE_PATCH: Final = "application/merge-patch+json"
CAUSE: Final = "buttonhook-cause"
_PLAIN: Final = re.compile(r"[A-Za-z0-9._~-]*").fullmatch
"""Keys that stand in a URL as they are: most do."""
TRIES: Final = 5
"""How often a change of what is there is made anew when somebody else's comes between."""

IfMatch = Annotated[
    str | None,
    HeaderParameter(
        name="If-Match",
        description="Only if this is the object's `ETag`, or `*`: only if it exists. Else 409.",
        schema_extra={"pattern": r'^\*$|^(W/)?"[0-9]+"$'},
    ),
]
IfNoneMatch = Annotated[
    str | None,
    HeaderParameter(
        name="If-None-Match",
        description="`*`: only if there is no such object yet. Else 409.",
        schema_extra={"pattern": r"^\*$"},
    ),
]
CauseHeader = Annotated[
    str | None,
    HeaderParameter(
        name="Buttonhook-Cause",
        description="The id of the job result because of which this is written; takes `jobs.add_objectchange`.",
        schema_extra={"minLength": 1},
    ),
]


class Expected(Struct, frozen=True):
    """What a request expects of the object: a version, that it exists, that it does not, or nothing."""

    version: int | None = None
    exists: bool | None = None


def etag(version: int) -> str:
    """An object's entity tag."""
    return f'"{version}"'


def read_etag(text: str, header: str) -> int:
    """The version that an entity tag names. A proxy that packs answers makes it weak, which changes nothing here.

    Raises:
        Refused: it is no tag of ours.
    """
    tag = text.strip().removeprefix("W/")
    number = tag[1:-1]
    if len(tag) < 3 or tag[0] != '"' or tag[-1] != '"' or not (number.isascii() and number.isdecimal()):
        raise Refused(400, "bad-etag", f"{header} is {text[:60]!r}, no ETag of an object. Send one as it came.")
    return int(number) if len(number) < 19 else 0


def expected(request: Request) -> Expected:
    """What the headers expect.

    Raises:
        Refused: they cannot be.
    """
    match, none = request.headers.get("if-match"), request.headers.get("if-none-match")
    if match is not None and none is not None:
        raise Refused(400, "bad-etag", "If-Match and If-None-Match contradict each other. Send one of them.")
    if none is not None:
        if none.strip() != "*":
            raise Refused(400, "bad-etag", "If-None-Match is * on a write: only if there is no such object.")
        return Expected(exists=False)
    if match is None:
        return Expected()
    if match.strip() == "*":
        return Expected(exists=True)
    return Expected(version=read_etag(match, "If-Match"), exists=True)


async def acting(request: Request) -> Access:
    """The asker's way in; one whose writes belong to the chain of a run, where the request names it.

    Raises:
        Refused, PermissionDenied: there is no such run, or they may not say so.
    """
    access = access_of(request)
    cause = request.headers.get(CAUSE)
    if cause is None:
        return access
    try:
        return await access.because_of(cause)
    except RecordNotFound:
        detail = f"Buttonhook-Cause names job result {cause[:60]!r}, which there is not, or not for you to see."
        raise Refused(422, "unknown-cause", f"{detail} Send the id of the run that led here, or no header.") from None


def check_path(request: Request) -> None:
    """Refuse a key with a slash in it, which a decoded path would split in two.

    Raises:
        InvalidKey: there is one.
    """
    raw = request.scope.get("raw_path") or b""
    if b"%2f" in raw.lower():
        raise InvalidKey("pk", raw.decode("latin-1").rpartition("/")[2][:60], "must not contain '/'")


def media_type_of(request: Request) -> str:
    """The media type of the body."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


async def read_document(request: Request, *media_types: str) -> dict[str, Any]:
    """The body as a document.

    Raises:
        Refused, InvalidDocument: it is none.
    """
    check_media_type(request, *(media_types or (JSON,)))
    body = await request.body()
    if len(body) > BODY_BYTES:
        raise Refused(413, "too-large", f"The body has {len(body):,} bytes, more than the {BODY_BYTES:,} allowed.")
    value = documents.parse(body, SUBJECT, BODY_BYTES)
    if not isinstance(value, dict):
        raise InvalidDocument(SUBJECT, [Fault("", "an object is a JSON object")])
    return value


async def commit(request: Request, make: Callable[[Access], Awaitable[Write]]) -> Response[Any]:
    """Commit the write that `make` makes of what is there, and tell what came of it.

    Where `make` looked at an object that somebody changed before the commit, and the request expects no version, it is
    made anew.

    Raises:
        ObjectError, PermissionDenied: nothing was written.
    """
    access = await acting(request)
    registry = daemon_of(request).app.registry
    is_free = expected(request).version is None
    made: list[Write] = []

    async def act() -> TransactionAnswer:
        for turn in range(TRIES):
            made[:] = [await make(access)]
            try:
                return await access.session.writer.commit(access.session.request(tuple(made)))
            except StaleObject:
                if not is_free or turn == TRIES - 1:
                    raise
        raise AssertionError("the last turn returns or raises")

    return await once(request, act, lambda answer: told(access.user, registry, made[0], answer))


def told(user: User, registry: Registry, write: Write, answer: TransactionAnswer) -> Answer:
    """What came of one write, without what the user may not see."""
    key = (write.object_type, write.pk)
    stored = answer.objects[key]
    own = [each for each in answer.changes if (each.object_type, each.object_pk) == key]
    shape: ObjectShape | None = None
    if stored is not None and may_see(user, stored):
        is_new = bool(own) and own[-1].postchange is not None
        shape = (
            ObjectShape.written(stored, own[-1].object_repr)
            if is_new
            else ObjectShape.of(stored, registry.get_type(write.object_type))
        )
    seen = [each for each in answer.changes if (each.object_type, each.object_pk) == key or may_see(user, each)]
    action: Action = own[-1].action.value if own else "unchanged"
    body = WriteShape(
        action=action,
        change=own[-1].id if own else None,
        object=shape,
        changes=[MadeChange.of(each) for each in seen],
    )
    headers = {} if stored is None else {"ETag": etag(stored.version)}
    if action == "create":
        pk = write.pk if _PLAIN(write.pk) else quote(write.pk, safe="")
        headers["Location"] = f"/api/objects/{write.object_type}/{pk}"
    return answer_of(body, 201 if action == "create" else 200, headers)


def may_see(user: User, what: Any) -> bool:
    """Whether a user may see an object, or every state of it that a change holds."""
    return user.has_perm(object_permission(what.object_type, "view"), what)


async def find_stored(access: Access, object_type: str, pk: str) -> StoredObject:
    """Raises: ObjectNotFound: there is none, or not for this user."""
    stored = await access.session.read_object(object_type, pk)
    if stored is None:
        raise ObjectNotFound(object_type, repr(pk))
    return stored


def patched(before: dict[str, Any], given: dict[str, Any], *, is_merge: bool) -> dict[str, Any]:
    """A document with what a patch gives.

    As JSON each field given takes the place of the one that is there, and null is a value. As a merge patch (RFC 7396)
    objects are merged at every depth, and null takes a field away.
    """
    return merged(before, given) if is_merge else {**before, **given}


def merged(before: Any, patch: dict[str, Any]) -> dict[str, Any]:
    """RFC 7396."""
    result = dict(before) if isinstance(before, dict) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        elif isinstance(value, dict):
            result[name] = merged(result.get(name), value)
        else:
            result[name] = value
    return result
