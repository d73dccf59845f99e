"""The queries behind `Device.objects` and `self.objects(...)`: they collect a question and let the session ask it."""

import base64
import binascii
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Generator, Iterable, Iterator, Mapping
from functools import partial
from typing import Any, Final, Generic, Protocol, Self, TypeVar

import msgspec

from buttonhook import documents
from buttonhook.errors import MultipleObjects, ObjectNotFound, QueryError
from buttonhook.objects.query import QUERY_OPERATORS, Page
from buttonhook.objects.references import Reference, plain_value
from buttonhook.objects.session import as_awaitable
from buttonhook.objects.tracked import FreeObject
from buttonhook.objects.types import ObjectType
from buttonhook.records import Condition, Crossing, ObjectQuery, StoredObject

T = TypeVar("T")
PAGE_SIZE: Final = 500
MAX_PAGE: Final = 1000
FOREIGN_OPERATORS: Final = frozenset(
    {"iexact", "iendswith", "regex", "iregex", "range", "like", "ilike", "date", "year", "eq"}
)
"""Operators that people know from elsewhere; taken for a field's name they would find nothing, without a word."""
_FOUND = tuple[StoredObject, tuple[Any, ...]]


class QuerySession(Protocol):
    """What a query needs of its session."""

    def perform(self, start: Callable[[], Coroutine[Any, Any, T]], what: str, right_form: str) -> Any: ...

    async def fetch(self, query: ObjectQuery) -> list[_FOUND]: ...

    async def count(self, query: ObjectQuery) -> int: ...

    async def read_object(self, object_type: str, pk: str) -> StoredObject | None: ...

    def build(self, stored: StoredObject) -> Any: ...

    def find_type(self, name: str) -> ObjectType | None: ...


class StoredQuery(Generic[T]):
    """A question about the objects of one type, and the ways to ask it (contract: `objects.query`)."""

    def __init__(self, session: QuerySession, type_: ObjectType, query: ObjectQuery | None = None) -> None:
        self._session = session
        self._type = type_
        self._query = query or ObjectQuery(object_type=type_.name)

    def filter(self, **fields: Any) -> Self:
        """Objects that meet every condition too."""
        return self._with(conditions=(*self._query.conditions, *self._conditions(fields)))

    def where(self, path: str, operator: str, value: Any) -> Self:
        """Objects whose value at a dotted path compares so too."""
        return self._with(conditions=(*self._query.conditions, self._condition(path, operator, value)))

    def order_by(self, *paths: str) -> Self:
        order = tuple((documents.split_path(path.removeprefix("-")), path.startswith("-")) for path in paths)
        return self._with(order=order)

    def limit(self, count: int) -> Self:
        if count < 0:
            raise QueryError(f"limit({count})", "must not be negative")
        return self._with(limit=count)

    def all(self) -> Awaitable[list[T]]:
        """Every object that fits, in a list."""
        return self._perform(self._all, "all()")

    def first(self) -> Awaitable[T | None]:
        """The first in order, or None."""
        return self._perform(self._first, "first()")

    def count(self) -> Awaitable[int]:
        return self._perform(self._count, "count()")

    def exists(self, pk: str | None = None, /) -> Awaitable[bool]:
        """Whether any fits; with a pk, whether that one is there."""

        async def start() -> bool:
            if pk is not None:
                return await self._session.read_object(self._type.name, pk) is not None
            return bool(await self._fetch_few(1))

        return self._perform(start, "exists()")

    def page(self, size: int = 50, after: str | None = None) -> Awaitable[Page]:
        """One page in order, and the cursor of the next."""
        if not 1 <= size <= MAX_PAGE:
            raise QueryError(f"page(size={size})", f"must ask for 1 to {MAX_PAGE} objects")
        if self._query.limit is not None:
            raise QueryError("page()", "cannot follow limit()", "Say by 'size' how many objects a page has.")

        async def start() -> Page:
            found = await self._fetch_page(size + 1, None if after is None else decode_cursor(after))
            following = encode_cursor(found[size - 1][1]) if len(found) > size else None
            return Page([self._session.build(stored) for stored, _ in found[:size]], following)

        return self._perform(start, "page()")

    def get(self, pk: str | None = None, /, **fields: Any) -> Awaitable[T]:
        return self._perform(lambda: self._get(pk, fields), "get()")

    def find(self, pk: str | None = None, /, **fields: Any) -> Awaitable[T | None]:
        return self._perform(lambda: self._find(pk, fields), "find()")

    def create(self, *, pk: str | None = None, **fields: Any) -> Awaitable[T]:
        return self._perform(lambda: self._create(pk, fields), "create()")

    def update_or_create(
        self, pk: str | None = None, /, *, defaults: Mapping[str, Any] | None = None, **fields: Any
    ) -> Awaitable[tuple[T, bool]]:
        return self._perform(lambda: self._update_or_create(pk, dict(defaults or {}), fields), "update_or_create()")

    def __await__(self) -> Generator[Any, Any, list[T]]:
        return self.all().__await__()

    async def __aiter__(self) -> AsyncIterator[T]:
        after: tuple[Any, ...] | None = None
        left = self._query.limit
        while left is None or left > 0:
            size = PAGE_SIZE if left is None else min(left, PAGE_SIZE)
            found = await self._perform(partial(self._fetch_page, size, after), "all()")
            for stored, _ in found:
                yield self._session.build(stored)
            if len(found) < size:
                return
            after = found[-1][1]
            left = None if left is None else left - size

    def __iter__(self) -> Iterator[T]:
        """For plain functions in a worker thread; on a loop use `async for`."""
        listed = self.all()
        if not isinstance(listed, list):
            what = f"{self._type.name} objects"
            listed.close()  # type: ignore[attr-defined] # an Operation
            raise QueryError(what, "cannot be walked with 'for' in an async function", "Write: async for obj in ...")
        return iter(listed)

    async def _all(self) -> list[T]:
        return [each async for each in self]

    async def _first(self) -> T | None:
        found = await self._fetch_few(1)
        return self._session.build(found[0][0]) if found else None

    async def _count(self) -> int:
        return await self._session.count(self._query)

    async def _fetch_few(self, count: int) -> list[_FOUND]:
        limit = count if self._query.limit is None else min(count, self._query.limit)
        return await self._session.fetch(msgspec.structs.replace(self._query, limit=limit))

    async def _fetch_page(self, size: int, after: tuple[Any, ...] | None) -> list[_FOUND]:
        return await self._session.fetch(msgspec.structs.replace(self._query, limit=size, after=after))

    async def _get(self, pk: str | None, fields: Mapping[str, Any]) -> T:
        found = await self._find(pk, fields)
        if found is None:
            raise ObjectNotFound(self._type.name, _wanted(pk, fields))
        return found

    async def _find(self, pk: str | None, fields: Mapping[str, Any]) -> T | None:
        if pk is not None and not fields and not self._query.conditions:
            stored = await self._session.read_object(self._type.name, pk)
            return None if stored is None else self._session.build(stored)
        wanted = {**fields, "pk": pk} if pk is not None else dict(fields)
        if not wanted and not self._query.conditions:
            raise QueryError("get()", "was given nothing to look for", "Give a pk or fields: get(name='ams01-r1').")
        query = self.filter(**wanted)._query
        unique = implied_unique(query.conditions, self._type)
        found = await self._session.fetch(msgspec.structs.replace(query, limit=2, unique=unique))
        if len(found) > 1:
            raise MultipleObjects(self._type.name, _wanted(pk, fields))
        return self._session.build(found[0][0]) if found else None

    async def _create(self, pk: str | None, fields: Mapping[str, Any]) -> T:
        new = self._make(pk, fields)
        new._state.session = self._session
        await new._save()
        return new  # type: ignore[no-any-return]

    async def _update_or_create(
        self, pk: str | None, defaults: Mapping[str, Any], fields: Mapping[str, Any]
    ) -> tuple[T, bool]:
        found: Any = await self._find(pk, fields)
        if found is None:
            return await self._create(pk, {**fields, **defaults}), True
        for name, value in defaults.items():
            if isinstance(found, FreeObject):  # one of a struct's type has the document's keys, not the attributes
                found[self._type.document_key(name)] = value
            else:
                setattr(found, name, value)
        await found._save()
        return found, False

    def _make(self, pk: str | None, fields: Mapping[str, Any]) -> Any:
        if self._type.struct is None:
            return FreeObject(self._type.name, dict(fields), pk=pk)
        try:
            return self._type.struct(pk=pk, **fields)
        except TypeError as exc:
            raise QueryError(f"{self._type.name}.create()", f"cannot be made: {exc}") from exc

    def _conditions(self, fields: Mapping[str, Any]) -> Iterator[Condition]:
        for name, value in fields.items():
            *path, last = name.split("__")
            operator = "="
            if path and (last in QUERY_OPERATORS or last == "exact"):
                operator = "=" if last == "exact" else last
            else:
                path.append(last)
            if path and last in FOREIGN_OPERATORS and operator == "=":
                raise QueryError(
                    name, f"asks for {last!r}, which is no operator here", f"Known: {', '.join(QUERY_OPERATORS)}."
                )
            if not all(path):
                raise QueryError(name, "has an empty step", "Write paths as field__inner__operator=value.")
            steps = (self._type.document_key(path[0]), *path[1:])
            yield condition(steps, operator, value, self._type, self._session.find_type)

    def _condition(self, path: str, operator: str, value: Any) -> Condition:
        return condition(documents.split_path(path), operator, value, self._type, self._session.find_type)

    def _with(self, **changes: Any) -> Self:
        return type(self)(self._session, self._type, msgspec.structs.replace(self._query, **changes))

    def _perform(self, start: Callable[[], Coroutine[Any, Any, Any]], call: str) -> Awaitable[Any]:
        what = f"{call} of {self._type.name} objects"
        return as_awaitable(self._session.perform(start, what, f"await ...objects(...).{call}"))


FindType = Callable[[str], ObjectType | None]


def condition(path: tuple[str, ...], operator: str, value: Any, type_: ObjectType, find_type: FindType) -> Condition:
    """A checked filter row for objects of a type; a path that goes on behind a reference leads to the other object.

    Raises:
        QueryError: an operator that is not known, or a path over more than one reference.
    """
    if operator not in QUERY_OPERATORS:
        name = documents.join_path(path)
        raise QueryError(f"{name} {operator}", "has an unknown operator", f"Known: {', '.join(QUERY_OPERATORS)}.")
    value = plain_value(value)
    reference = type_.references.get(path[0])
    if reference is None:
        return Condition(path, operator, value)
    if len(path) == 1:
        texts = value if operator == "in" and isinstance(value, list) else [value]
        if operator in ("=", "in") and all(isinstance(each, str) for each in texts):
            return Condition(("pk",), operator, value, Crossing(reference.field, reference.target))
        return Condition(path, operator, value)
    return _crossing(path, operator, value, reference, find_type(reference.target))


def _crossing(
    path: tuple[str, ...], operator: str, value: Any, reference: Reference, target: ObjectType | None
) -> Condition:
    """A condition on the object that a reference leads to."""
    inner, unique = path[1:], None
    if target is not None:
        inner = (target.document_key(inner[0]), *inner[1:])
        if inner[0] in target.references and len(inner) > 1:
            cure = f"Ask for the {target.name} objects first, then filter by their pks: {path[0]}__in=[...]."
            raise QueryError(documents.join_path(path), "goes over more than one reference", cure)
        if operator == "=" and len(inner) == 1:
            unique = target.unique_key({inner[0]: value})
    return Condition(inner, operator, value, Crossing(reference.field, reference.target, unique))


def implied_unique(rows: Iterable[Condition], type_: ObjectType) -> tuple[str, str] | None:
    """A unique key that some of these conditions make up, for an index; None where there is none."""
    equal = {field: row.value for row in rows if row.operator == "=" and (field := _own_field(row)) is not None}
    for fields in type_.unique:
        if equal.keys() >= set(fields):
            return type_.unique_key({field: equal[field] for field in fields})
    return None


def _own_field(row: Condition) -> str | None:
    """The field of the objects themselves whose whole value a condition is about."""
    if row.crossing is not None:
        return row.crossing.field if row.path == ("pk",) else None
    return row.path[0] if len(row.path) == 1 else None


def encode_cursor(keyset: tuple[Any, ...]) -> str:
    """A keyset as opaque text."""
    return base64.urlsafe_b64encode(msgspec.json.encode(keyset)).decode().rstrip("=")


def decode_cursor(text: str) -> tuple[Any, ...]:
    """Raises: QueryError: it is no cursor of ours."""
    try:
        padded = text + "=" * (-len(text) % 4)
        return msgspec.json.decode(base64.b64decode(padded, altchars=b"-_", validate=True), type=tuple[Any, ...])
    except (binascii.Error, msgspec.MsgspecError, ValueError) as exc:
        raise QueryError(text, "is no cursor", "Use the 'next' of the page before.") from exc


def _wanted(pk: str | None, fields: Mapping[str, Any]) -> str:
    given = [repr(pk)] if pk is not None else []
    given.extend(f"{name} = {value!r}" for name, value in fields.items())
    return "with " + ", ".join(given) if fields else " ".join(given)
