"""Many writes in one request, a JSON object a line, committed together or not at all."""

import asyncio
from collections.abc import Iterator, Sequence
from typing import Annotated, Any, Final

import msgspec
from litestar import Response
from litestar.params import QueryParameter

from buttonhook import documents
from buttonhook.access.access import Access
from buttonhook.errors import (
    ButtonhookError,
    InvalidDocument,
    InvalidKey,
    ObjectError,
    ObjectNotFound,
    PermissionDenied,
    StaleObject,
    UnknownObjectType,
)
from buttonhook.http.api.writing import NDJSON, TRIES, CauseHeader, acting, may_see
from buttonhook.http.asking import daemon_of, note_denied
from buttonhook.http.declaring import LOGIN, post
from buttonhook.http.idempotency import Answer, IdempotencyKey, answer_of, once
from buttonhook.http.problems import ProblemError, Refused, of_error
from buttonhook.http.reading import Request, check_media_type, read_as
from buttonhook.http.shapes.objects import BulkShape, LineInput, LineShape, MadeChange
from buttonhook.ids import ObjectKey, new_uuid7
from buttonhook.objects.keys import check_pk, object_permission, subject
from buttonhook.objects.session import Write
from buttonhook.objects.transactions import TransactionAnswer
from buttonhook.objects.types import ObjectType
from buttonhook.old_data import differing
from buttonhook.receivers.user import User
from buttonhook.records import Condition, ObjectQuery, StoredObject
from buttonhook.registry import Registry

MAX_LINES: Final = 2_000
MAX_BYTES: Final = 16_000_000
MAX_FAULTS: Final = 100
LINE_BYTES: Final = documents.MAX_BYTES + 10_000
PIECE: Final = 100
"""So many lines are read before somebody else has their turn."""
READ_PIECE: Final = 250


class Line(msgspec.Struct, frozen=True):
    """One line that can be carried out as far as can be told from itself."""

    number: int
    type: ObjectType
    pk: str
    given: LineInput

    @property
    def key(self) -> ObjectKey:
        return self.type.name, self.pk


class Faults:
    """What is wrong with the lines, each with its number; the first hundred."""

    def __init__(self) -> None:
        self.found: list[ProblemError] = []

    def add(self, number: int, path: str, message: str) -> None:
        if len(self.found) < MAX_FAULTS:
            self.found.append(ProblemError(f"{number}.{path}" if path else str(number), message))

    def refuse(self) -> None:
        """Raises: Refused: there are faults."""
        if self.found:
            first = self.found[0]
            more = f", and {len(self.found) - 1} more faults" if len(self.found) > 1 else ""
            detail = (
                f"Line {first.path}: {first.message}{more}. Nothing was written; mend the lines and send all again."
            )
            raise Refused(422, "invalid-lines", detail, faults=self.found)


@post(
    "/api/objects",
    LOGIN,
    tags=["objects"],
    status_code=200,
    request_max_body_size=MAX_BYTES,
)
async def write_objects(
    request: Request,
    made: Annotated[bool, QueryParameter(description="Tell every change, with what went along.")] = False,
    idempotency_key: IdempotencyKey = None,
    buttonhook_cause: CauseHeader = None,
) -> Response[BulkShape]:
    """Write objects of any types, all in one transaction.

    The body is `application/x-ndjson`, a JSON object a line: `{"op": "put", "object_type": "dcim.device", "pk": "r1",
    "data": {...}}`. `op` is `put` (unless given), `create`, `patch` or `delete`; a `create` may leave out `pk`; `patch`
    sets the fields in `data` and takes those in `unset` away; with `version` a line holds only for that version. There
    may be 2,000 lines and 16 MB. What `objects export` writes can be sent as it is.
    """
    check_media_type(request, NDJSON)
    return await write_lines(request, None, tells_made=made)


async def write_lines(request: Request, type_: ObjectType | None, *, tells_made: bool = False) -> Response[Any]:
    """Carry out the lines of a request, of one type where it is named.

    Raises:
        Refused, PermissionDenied: nothing was written; each fault is told with its line.
    """
    registry = daemon_of(request).app.registry
    lines = await read_lines(await request.body(), registry, type_)
    access = await acting(request)

    async def act() -> TransactionAnswer:
        for turn in range(TRIES):
            writes = await make_writes(access, lines)
            try:
                return await access.session.writer.commit(access.session.request(writes))
            except StaleObject as exc:
                if turn == TRIES - 1 or any(
                    each.given.version for each in lines if each.key == (exc.object_type, exc.pk)
                ):
                    raise
        raise AssertionError("the last turn returns or raises")

    def tell(answer: TransactionAnswer) -> Answer:
        return answer_of(told(lines, answer, access.user if tells_made else None))

    try:
        return await once(request, act, tell)
    except (ObjectError, PermissionDenied) as exc:
        if isinstance(exc, PermissionDenied):
            note_denied(request, exc)
        raise _with_line(exc, lines) from exc


# --- reading the lines ----------------------------------------------------------------------------


async def read_lines(body: bytes, registry: Registry, type_: ObjectType | None) -> list[Line]:
    """All lines, or what is wrong with them.

    Raises:
        Refused: they cannot be carried out.
    """
    faults = Faults()
    texts = [(number, text) for number, text in enumerate(body.split(b"\n"), start=1) if text.strip()]
    if not texts:
        raise Refused(422, "invalid-lines", "The body holds no line. Send a JSON object a line.")
    if len(texts) > MAX_LINES:
        detail = f"{len(texts):,} lines are more than the {MAX_LINES:,} of one transaction. Send them in parts."
        raise Refused(413, "too-many-lines", detail)
    lines = []
    for place, (number, text) in enumerate(texts):
        if place % PIECE == PIECE - 1:
            await asyncio.sleep(0)
        line = _read_line(number, text, registry, type_, faults)
        if line is not None:
            lines.append(line)
    faults.refuse()
    return lines


def _read_line(number: int, text: bytes, registry: Registry, type_: ObjectType | None, faults: Faults) -> Line | None:
    """One line, None where it has faults."""
    try:
        given: LineInput = read_as(documents.parse(text, f"Line {number}", LINE_BYTES), LineInput)
    except InvalidDocument as exc:
        for fault in exc.faults:
            faults.add(number, fault.path, fault.message)
        return None
    try:
        own = type_ or registry.get_type(given.object_type or "")
        pk = new_uuid7() if given.pk is None else given.pk
        if given.pk is not None and given.op in ("put", "create"):
            check_pk(pk)
    except UnknownObjectType:
        faults.add(number, "object_type", f"object type {(given.object_type or '')!r} is not known")
        return None
    except InvalidKey as exc:
        faults.add(number, "pk", str(exc))
        return None
    count = len(faults.found)
    for path, message in _problems(given, own):
        faults.add(number, path, message)
    return None if len(faults.found) > count else Line(number, own, pk, given)


def _problems(given: LineInput, type_: ObjectType) -> Iterator[tuple[str, str]]:
    """What is wrong with a line besides its key."""
    if given.object_type not in (None, type_.name):
        yield "object_type", f"this is the list of {type_.name}; send other types to /api/objects"
    if given.op != "create" and given.pk is None:
        yield "pk", "is missing; only a create may leave it out"
    if given.op == "delete" and given.data is not None:
        yield "data", "a delete takes none"
    if given.op in ("put", "create") and given.data is None:
        yield "data", "is missing"
    if given.op == "create" and given.version is not None:
        yield "version", "a new object has none"
    if given.op != "patch" and given.unset:
        yield "unset", "only a patch takes it"
    if given.op in ("put", "create") and given.data is not None:
        for fault in type_.faults(given.data):
            yield f"data.{fault.path}" if fault.path else "data", fault.message


# --- carrying them out ----------------------------------------------------------------------------


async def make_writes(access: Access, lines: Sequence[Line]) -> tuple[Write, ...]:
    """The writes of all lines; a patch is made of the object as it is, or as the lines before leave it.

    Raises:
        Refused: an object that is to be patched is not there, or not for this user.
    """
    stored = await _read_patched(access, lines)
    staged: dict[ObjectKey, dict[str, Any] | None] = {}
    faults = Faults()
    writes = []
    for line in lines:
        if line.given.op == "patch":
            write = _patch(line, stored.get(line.key), staged)
            if write is None:
                faults.add(line.number, "", f"no {subject(*line.key)} exists")
                continue
        else:
            write = _whole(line)
            name = subject(*line.key)
            staged[line.key] = None if write.document is None else line.type.validate(write.document, name)
        writes.append(write)
    faults.refuse()
    return tuple(writes)


async def _read_patched(access: Access, lines: Sequence[Line]) -> dict[ObjectKey, StoredObject]:
    """The objects that are to be patched, of those that the user may see."""
    wanted: dict[str, list[str]] = {}
    for line in lines:
        if line.given.op == "patch":
            wanted.setdefault(line.type.name, []).append(line.pk)
    found: dict[ObjectKey, StoredObject] = {}
    for name, pks in wanted.items():
        for start in range(0, len(pks), READ_PIECE):
            some = list(dict.fromkeys(pks[start : start + READ_PIECE]))
            query = ObjectQuery(object_type=name, conditions=(Condition(("pk",), "in", some),), limit=len(some))
            found.update((each.key, each) for each, _ in await access.session.fetch(query))
    return found


def _patch(line: Line, stored: StoredObject | None, staged: dict[ObjectKey, dict[str, Any] | None]) -> Write | None:
    """The write of a patch; None where there is nothing to patch."""
    stored_document: dict[str, Any] | None = None if stored is None else documents.decode(stored.document)
    before = staged.get(line.key, stored_document)
    if before is None:
        return None
    shown = before if line.key in staged else line.type.read(before).document
    after = {
        name: value for name, value in {**shown, **(line.given.data or {})}.items() if name not in line.given.unset
    }
    staged[line.key] = after
    strict = line.given.version is not None
    return Write(
        kind="update",
        object_type=line.type.name,
        pk=line.pk,
        changes=differing(before, after),
        version=line.given.version if strict or stored is None else stored.version,
        strict=strict,
    )


def _whole(line: Line) -> Write:
    given = line.given
    return Write(
        kind="put" if given.op == "put" else "create" if given.op == "create" else "delete",
        object_type=line.type.name,
        pk=line.pk,
        document=given.data,
        version=given.version,
        strict=given.version is not None,
        checked=True,
    )


# --- telling --------------------------------------------------------------------------------------


def told(lines: Sequence[Line], answer: TransactionAnswer, user: User | None = None) -> BulkShape:
    """What came of each line; for a `user` also all changes that they may see."""
    last = {(each.object_type, each.object_pk): each for each in answer.changes}
    shapes = []
    for line in lines:
        change, stored = last.get(line.key), answer.objects[line.key]
        shapes.append(
            LineShape(
                line=line.number,
                object_type=line.type.name,
                pk=line.pk,
                action="unchanged" if change is None else change.action.value,
                change=None if change is None else change.id,
                version=None if stored is None else stored.version,
            )
        )
    shape = BulkShape(lines=shapes, changes=len(answer.changes))
    if user is not None:
        own = {line.key for line in lines}
        seen = [each for each in answer.changes if (each.object_type, each.object_pk) in own or may_see(user, each)]
        shape.made = [MadeChange.of(each) for each in seen]
    return shape


def _with_line(exc: ButtonhookError, lines: Sequence[Line]) -> Refused:
    """An error about one object, with the lines that are about it."""
    problem = of_error(exc)
    about = [each.number for each in lines if _is_about(exc, each)]
    faults = [ProblemError(str(number), problem.detail) for number in about]
    detail = f"Line {about[0]}: {problem.detail}" if about else problem.detail
    return Refused(problem.status, problem.type.rpartition(":")[2], detail, faults=faults)


def _is_about(exc: ButtonhookError, line: Line) -> bool:
    if isinstance(exc, PermissionDenied):
        return exc.key in (line.key, ("", "")) and _asks(line, exc.permission)
    if isinstance(exc, InvalidDocument):
        return exc.subject == subject(*line.key)
    if isinstance(exc, ObjectNotFound):
        return (exc.object_type, exc.looked_for) == (line.type.name, repr(line.pk))
    return (getattr(exc, "object_type", ""), getattr(exc, "pk", "")) == line.key


def _asks(line: Line, permission: str) -> bool:
    """Whether a line may need a permission."""
    words = {"put": ("add", "change"), "create": ("add",), "patch": ("change", "view"), "delete": ("delete",)}
    return permission in [object_permission(line.type.name, word) for word in words[line.given.op]]


ROUTES: Final = (write_objects,)
