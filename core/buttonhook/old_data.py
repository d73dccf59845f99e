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
    """Save every object of a type that a plugin mends, as ordinary updates; tells how far it is after each page.

    A page is one transaction. Where that is refused, its objects are saved one by one, and those that break a rule are
    left as they are. Doing it twice changes nothing; with `is_dry` nothing is written at all.
    """
    done = Upgraded(object_type=type_.name)
    async for page in _pages(type_, reader):
        writes = [_mending(stored, reading) for stored, reading in page if reading.is_mended]
        done.objects += len(page)
        done.mendable += len(writes)
        if writes and not is_dry and not await _save(writes, gateway, requests, done, is_last=False):
            for write in writes:
                await _save([write], gateway, requests, done, is_last=True)
        yield done


async def _save(
    writes: Sequence[Write], gateway: Gateway, requests: Requests, done: Upgraded, *, is_last: bool
) -> bool:
    try:
        await gateway.commit(requests.request(tuple(writes)))
    except (ObjectError, PermissionDenied) as exc:
        if is_last:
            done.refused += 1
            if len(done.errors) < MAX_SHOWN:
                done.errors.append(str(exc))
        return False
    done.saved += len(writes)
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
    after: tuple[Any, ...] | None = None
    while True:
        page = await reader.objects(ObjectQuery(object_type=type_.name, after=after, limit=PAGE))
        yield [(stored, type_.read(documents.decode(stored.document))) for stored, _ in page]
        if len(page) < PAGE:
            return
        after = page[-1][1]
