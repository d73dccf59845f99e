"""Objects that were stored before their type became what it is: finding them, and writing for good what plugins mend.

Objects are read page by page and only the first few of each type are kept, so neither costs memory with their number.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from typing import Any, Final, Protocol

from msgspec import Struct

from buttonhook import documents
from buttonhook.documents import ABSENT
from buttonhook.errors import Fault, ObjectError, PermissionDenied
from buttonhook.objects.session import Write
from buttonhook.objects.transactions import Gateway, TransactionRequest
from buttonhook.objects.types import ObjectType, Reading
from buttonhook.records import ObjectQuery, StoredObject
from buttonhook.registry import Registry
from buttonhook.stores.base import Reader

PAGE: Final = 500
Keyset = tuple[Any, ...]
MAX_SHOWN: Final = 20
"""How many invalid objects of a type are told with their reasons."""


class OldData(Struct, kw_only=True):
    """What is old among the stored objects of one type."""

    type: ObjectType
    objects: int = 0
    mendable: int = 0
    invalid: int = 0
    shown: list[tuple[str, tuple[Fault, ...]]] = []
    """The first invalid ones: pk and reasons."""


class Upgraded(Struct, kw_only=True):
    """What came of upgrading the objects of one type."""

    object_type: str
    objects: int = 0
    mendable: int = 0
    saved: int = 0
    refused: int = 0
    errors: list[str] = []
    """Why some could not be saved; the first few."""


class Pages(Protocol):
    """Reads stored objects page by page."""

    async def objects(self, query: ObjectQuery) -> list[tuple[StoredObject, tuple[Any, ...]]]: ...


class Requests(Protocol):
    """Makes the transactions of one author."""

    def request(self, writes: tuple[Write, ...]) -> TransactionRequest: ...


async def find_old(registry: Registry, reader: Reader) -> AsyncIterator[OldData]:
    """Look every stored object over; what is found, by type, of those types where there is something to tell."""
    for type_ in registry.list_types():
        found = OldData(type=type_)
        if not type_.is_installed:
            found.objects = await reader.count_objects(ObjectQuery(object_type=type_.name))
        elif type_.struct is not None:
            async for page in _pages(type_, reader):
                _note(found, page)
        if found.mendable or found.invalid or (found.objects and not type_.is_installed):
            yield found


def _note(found: OldData, page: Sequence[tuple[StoredObject, Reading]]) -> None:
    found.objects += len(page)
    for stored, reading in page:
        found.mendable += reading.is_mended
        if reading.faults:
            found.invalid += 1
            if len(found.shown) < MAX_SHOWN:
                found.shown.append((stored.pk, reading.faults))


async def upgrade(
    type_: ObjectType, reader: Pages, gateway: Gateway, requests: Requests, *, is_dry: bool = False
) -> AsyncGenerator[Upgraded, None]:
    """Save every object of a type that a plugin mends, see `Upgrade`; tells how far it is after each page."""
    work = Upgrade(type_, reader, gateway, requests, is_dry=is_dry)
    after: Keyset | None = None
    while True:
        after = await work.page(after)
        yield work.done
        if after is None:
            return


class Upgrade:
    """Saves every object of a type that a plugin mends, as ordinary updates, page by page.

    A page is one transaction. Where that is refused, its objects are saved one by one, and those that break a rule are
    left as they are. Doing it twice changes nothing; with `is_dry` nothing is written at all.
    """

    def __init__(
        self, type_: ObjectType, reader: Pages, gateway: Gateway, requests: Requests, *, is_dry: bool = False
    ) -> None:
        self._type, self._reader, self._gateway, self._requests = type_, reader, gateway, requests
        self._is_dry = is_dry
        self.done = Upgraded(object_type=type_.name)
        """What came of all pages so far."""
        self.changes: list[int] = []
        """The ids of the changes that the last page made."""

    async def page(self, after: Keyset | None) -> Keyset | None:
        """Do the page behind a keyset; returns the keyset of the next one, None at the end."""
        page, behind = await _page(self._type, self._reader, after)
        writes = [_mending(stored, reading) for stored, reading in page if reading.is_mended]
        self.done.objects += len(page)
        self.done.mendable += len(writes)
        self.changes = []
        if writes and not self._is_dry and not await self._save(writes, is_last=False):
            for write in writes:
                await self._save([write], is_last=True)
        return behind

    async def _save(self, writes: Sequence[Write], *, is_last: bool) -> bool:
        done = self.done
        try:
            answer = await self._gateway.commit(self._requests.request(tuple(writes)))
        except (ObjectError, PermissionDenied) as exc:
            if is_last:
                done.refused += 1
                if len(done.errors) < MAX_SHOWN:
                    done.errors.append(str(exc))
            return False
        done.saved += len(writes)
        self.changes += [each.id for each in answer.changes]
        return True


def _mending(stored: StoredObject, reading: Reading) -> Write:
    before: dict[str, Any] = documents.decode(stored.document)
    return Write(
        kind="update",
        object_type=stored.object_type,
        pk=stored.pk,
        changes=differing(before, reading.document),
        version=stored.version,
    )


def differing(before: dict[str, Any], after: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
    """The top-level keys whose values differ, each with the value before and after (ABSENT for none)."""
    return {
        key: (before.get(key, ABSENT), after.get(key, ABSENT))
        for key in {**before, **after}
        if not documents.same(before.get(key, ABSENT), after.get(key, ABSENT))
    }


async def _pages(type_: ObjectType, reader: Pages) -> AsyncIterator[list[tuple[StoredObject, Reading]]]:
    after: Keyset | None = None
    while True:
        page, after = await _page(type_, reader, after)
        yield page
        if after is None:
            return


async def _page(
    type_: ObjectType, reader: Pages, after: Keyset | None
) -> tuple[list[tuple[StoredObject, Reading]], Keyset | None]:
    """Objects behind a keyset, as their type reads them, and the keyset of the last one where there may be more."""
    page = await reader.objects(ObjectQuery(object_type=type_.name, after=after, limit=PAGE))
    read = [(stored, type_.read(documents.decode(stored.document))) for stored, _ in page]
    return read, page[-1][1] if len(page) == PAGE else None
