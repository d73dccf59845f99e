"""Keeping the index of unique values in line with what the installed types declare.

The index is kept by every write. When a plugin's new version declares another constraint, the index of that type is
made anew at the next start; of objects that hold the same value the first one (by pk) keeps it, the others are told.
"""

from collections.abc import Sequence
from typing import Any, Final, Protocol

from buttonhook import documents
from buttonhook.errors import UniqueViolation
from buttonhook.objects.keys import join_fields
from buttonhook.objects.types import ObjectType
from buttonhook.recorder.transaction import unique_keys
from buttonhook.records import ConfigRecord, ObjectQuery, UniqueIndex
from buttonhook.registry import Registry
from buttonhook.stores.base import Reader, UniqueKey

PAGE: Final = 1000


class Indexer(Protocol):
    """Commits index rows and the record that says what they cover."""

    async def reindex(self, object_type: str, keys: Sequence[tuple[UniqueKey, str]], record: ConfigRecord) -> None: ...


async def follow_constraints(registry: Registry, reader: Reader, indexer: Indexer) -> list[str]:
    """Make the index of every type whose constraints changed anew; returns what breaks the new ones, in sentences."""
    problems: list[str] = []
    for type_ in registry.list_types():
        declared = tuple(sorted(join_fields(fields) for fields in type_.unique))
        known = registry.find(UniqueIndex, type_.name)
        if declared == (known.fields if known is not None else ()):
            continue
        keys, found = await _keys_of(type_, reader)
        problems.extend(found)
        await indexer.reindex(type_.name, keys, UniqueIndex(id=type_.name, name=type_.name, fields=declared))
    return problems


async def _keys_of(type_: ObjectType, reader: Reader) -> tuple[list[tuple[UniqueKey, str]], list[str]]:
    """The unique keys of all objects of a type, and the objects whose keys others hold already."""
    holders: dict[UniqueKey, str] = {}
    problems: list[str] = []
    after: tuple[Any, ...] | None = None
    while True:
        page = await reader.objects(ObjectQuery(object_type=type_.name, after=after, limit=PAGE))
        for stored, _ in page:
            for key, values in unique_keys(type_, documents.decode(stored.document)).items():
                holder = holders.setdefault(key, stored.pk)
                if holder != stored.pk:
                    problems.append(str(UniqueViolation(*stored.key, key[1].split(","), values, holder)))
        if len(page) < PAGE:
            return list(holders.items()), problems
        after = page[-1][1]
