"""Lists: a page of items and the cursor of the next one.

A cursor holds the keyset of the last item shown, not a number of pages: the cost of a page does not grow with its
depth, and what is added or removed meanwhile neither repeats nor hides an item. It is no secret and not signed; it is
checked like all that comes from outside, and belongs to the list, filters and order that it was made for.
"""

import base64
import binascii
import hashlib
from collections.abc import Callable, Iterable, Sequence
from typing import Annotated, Any, Final, Generic, TypeVar, cast

import msgspec
from litestar.params import QueryParameter
from msgspec import Struct

from buttonhook import times
from buttonhook.errors import QueryError
from buttonhook.ids import Microseconds

DEFAULT_LIMIT: Final = 50
MAX_LIMIT: Final = 1000
T = TypeVar("T")
R = TypeVar("R")
K = TypeVar("K", bound=tuple[Any, ...])

Limit = Annotated[int, QueryParameter(ge=1, le=MAX_LIMIT, description="How many items at most.")]
CursorText = Annotated[str | None, QueryParameter(max_length=2000, description="`next` of the page before this one.")]
FieldNames = Annotated[
    str | None, QueryParameter(max_length=2000, description="Only these fields of each item, divided by commas.")
]
OneFieldNames = Annotated[
    str | None, QueryParameter(max_length=2000, description="Only these of its fields, divided by commas.")
]
MomentText = Annotated[
    str | None,
    QueryParameter(
        max_length=50,
        format="date-time",
        description="A time, as 2026-11-23T02:57:01Z; without an offset in UTC.",
    ),
]


class Page(Struct, Generic[T]):
    """Some items of a list. `next` is the cursor of the following page, null on the last one."""

    items: list[T]
    next: str | None


class _Cursor(Struct, frozen=True, array_like=True):
    mark: str
    keyset: tuple[Any, ...]


def encode_cursor(question: Any, keyset: Iterable[Any]) -> str:
    """The cursor behind an item; `question` is all that the list depends on, filters and order, but for the limit."""
    encoded = msgspec.json.encode(_Cursor(_mark(question), tuple(keyset)))
    return base64.urlsafe_b64encode(encoded).rstrip(b"=").decode()


def decode_cursor(question: Any, text: str, shape: type[R]) -> R:
    """The keyset of a cursor, as the tuple type `shape`.

    Raises:
        QueryError: it is none, or of another list.
    """
    try:
        encoded = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        cursor = msgspec.json.decode(encoded, type=_Cursor)
        keyset = msgspec.convert(cursor.keyset, shape)
    except (binascii.Error, msgspec.MsgspecError, ValueError, RecursionError) as exc:
        raise QueryError(text[:40], "is no cursor", "Take `next` of a page as it is.") from exc
    if any(isinstance(each, int) and not -(2**63) <= each < 2**63 for each in cursor.keyset):
        raise QueryError(text[:40], "is no cursor", "Take `next` of a page as it is.")
    if cursor.mark != _mark(question):
        raise QueryError(text[:40], "is the cursor of another list", "Keep filters and order from page to page.")
    return keyset


def _mark(question: Any) -> str:
    return hashlib.sha256(msgspec.json.encode(question)).hexdigest()[:8]


def page_by_name(
    question: Any, records: Iterable[R], shape: Callable[[R], T], cursor: str | None, limit: int
) -> Page[T]:
    """A page of records that are in memory whole, in the order of their names."""
    order = Order[R, tuple[str]](tuple[str], lambda each: (str(getattr(each, "name", "")),))
    return page_in_order(question, records, shape, order, cursor, limit)


class Order(Struct, Generic[R, K], frozen=True):
    """An order of records that are in memory whole: what they are ordered by, which no two have in common."""

    keyset: Any
    """The type of what they are ordered by."""
    key: Callable[[R], K]


def page_in_order(
    question: Any,
    records: Iterable[R],
    shape: Callable[[R], T],
    order: Order[R, K],
    cursor: str | None,
    limit: int,
) -> Page[T]:
    """A page of records that are in memory whole."""
    after = None if cursor is None else decode_cursor(question, cursor, order.keyset)
    left = sorted(
        (each for each in records if after is None or order.key(each) > after),
        key=order.key,
    )
    shown = left[:limit]
    following = encode_cursor(question, order.key(shown[-1])) if len(left) > limit else None
    return Page([shape(each) for each in shown], following)


def read_moment(name: str, text: str | None) -> Microseconds | None:
    """A time that stands in the query under a name.

    Raises:
        QueryError: it is none.
    """
    try:
        return None if text is None else times.from_text(text)
    except (ValueError, OverflowError) as exc:
        raise QueryError(f"{name}={text}", "is no time", "Write it as 2026-11-23T02:57:01Z.") from exc


def sparse(page: Page[T], fields: str | None) -> Page[T]:
    """The page with some fields of each item only, where the asker named them.

    Raises:
        QueryError: an item has no such field.
    """
    if fields is None:
        return page
    wanted = _names(fields)
    return cast(Page[T], Page([pick(each, wanted) for each in page.items], page.next))


def sparse_item(item: T, fields: str | None) -> T:
    """One thing with some of its fields only, where the asker named them. Raises: as `sparse`."""
    return item if fields is None else cast(T, pick(item, _names(fields)))


def _names(fields: str) -> list[str]:
    return [each.strip() for each in fields.split(",")]


def pick(item: Any, wanted: Sequence[str]) -> dict[str, Any]:
    """Some fields of a shape.

    Raises:
        QueryError: it has no such field.
    """
    known = type(item).__struct_fields__
    for name in wanted:
        if name not in known:
            raise QueryError(f"fields={name}", "names no field", f"Known: {', '.join(known)}.")
    return {name: getattr(item, name) for name in wanted}
