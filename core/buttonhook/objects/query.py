"""The contract of queries: what `Device.objects` and `self.objects(...)` offer.

    await Device.objects.get("ams01-r1")                     one, by pk or by fields; ObjectNotFound if none
    await Device.objects.find(name="ams01-r1")               one or None
    async for device in Device.objects.filter(status="up"):  all, read page by page
    await Device.objects.where("console-ports.0.name", "=", "con0").count()

Keyword filters write `__` for the dots of a path and end in an operator: `name__startswith="ams"`,
`location__in=["ams01", "fra01"]`, `u_height__gt=1`. In a plain `def` every call returns its value at once and
`for` works where `async for` does here.
"""

from collections.abc import AsyncIterator, Awaitable, Generator, Iterator, Mapping
from typing import Any, Protocol, TypeVar

from msgspec import Struct

T = TypeVar("T")

QUERY_OPERATORS: Mapping[str, str] = {
    "=": "equal as a JSON value",
    "ne": "not equal, or absent",
    "gt": "greater",
    "gte": "greater or equal",
    "lt": "less",
    "lte": "less or equal",
    "in": "equal to one of a list",
    "contains": "text that holds this text, or a list that holds this member",
    "icontains": "the same, whatever the case of ASCII letters",
    "startswith": "text that begins so",
    "istartswith": "the same, whatever the case of ASCII letters",
    "endswith": "text that ends so",
    "isnull": "true: null or absent; false: there",
}
"""Operator: what it matches. `__exact` is another spelling of `=`."""


class Page(Struct, frozen=True):
    """One page of a query: at most `size` objects, and the cursor of the next page (None at the end)."""

    objects: list[Any]
    next: str | None


class Query(Protocol[T]):
    """A question that has not been asked yet; every method that narrows it returns a new one."""

    def filter(self, **fields: Any) -> "Query[T]": ...

    def where(self, path: str, operator: str, value: Any) -> "Query[T]": ...

    def order_by(self, *paths: str) -> "Query[T]":
        """Order by these paths, `-path` for descending; equal ones, and all without this, go by pk."""
        ...

    def limit(self, count: int) -> "Query[T]": ...

    def all(self) -> Awaitable[list[T]]: ...

    def first(self) -> Awaitable[T | None]: ...

    def count(self) -> Awaitable[int]: ...

    def exists(self, pk: str | None = None, /) -> Awaitable[bool]: ...

    def page(self, size: int = 50, after: str | None = None) -> Awaitable[Page]:
        """One page in order; pass the last page's `next` as `after`. The cost does not grow with depth."""
        ...

    def __await__(self) -> Generator[Any, Any, list[T]]: ...

    def __aiter__(self) -> AsyncIterator[T]: ...

    def __iter__(self) -> Iterator[T]: ...


class BlockingQuery(Protocol[T]):
    """A query as it is in a plain `def`: every call returns its value at once."""

    def filter(self, **fields: Any) -> "BlockingQuery[T]": ...

    def where(self, path: str, operator: str, value: Any) -> "BlockingQuery[T]": ...

    def order_by(self, *paths: str) -> "BlockingQuery[T]": ...

    def limit(self, count: int) -> "BlockingQuery[T]": ...

    def all(self) -> list[T]: ...

    def first(self) -> T | None: ...

    def count(self) -> int: ...

    def exists(self, pk: str | None = None, /) -> bool: ...

    def page(self, size: int = 50, after: str | None = None) -> Page: ...

    def __iter__(self) -> Iterator[T]: ...


class BlockingObjects(BlockingQuery[T], Protocol[T]):
    """All objects of one type, as in a plain `def`; see `Objects` for what each call does."""

    def get(self, pk: str | None = None, /, **fields: Any) -> T: ...

    def find(self, pk: str | None = None, /, **fields: Any) -> T | None: ...

    def create(self, *, pk: str | None = None, **fields: Any) -> T: ...

    def update_or_create(
        self, pk: str | None = None, /, *, defaults: Mapping[str, Any] | None = None, **fields: Any
    ) -> tuple[T, bool]: ...


class Objects(Query[T], Protocol[T]):
    """All objects of one type, and the ways to one of them."""

    def get(self, pk: str | None = None, /, **fields: Any) -> Awaitable[T]:
        """Load exactly one.

        Raises:
            ObjectNotFound, MultipleObjects: none or more than one fits.
        """
        ...

    def find(self, pk: str | None = None, /, **fields: Any) -> Awaitable[T | None]:
        """Load one, None where there is none.

        Raises:
            MultipleObjects: more than one fits.
        """
        ...

    def create(self, *, pk: str | None = None, **fields: Any) -> Awaitable[T]: ...

    def update_or_create(
        self, pk: str | None = None, /, *, defaults: Mapping[str, Any] | None = None, **fields: Any
    ) -> Awaitable[tuple[T, bool]]:
        """Find one by `pk` or `fields` and set `defaults` on it, else create it of both.

        Returns the object and whether it was created.
        """
        ...
