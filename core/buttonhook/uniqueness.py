"""Keeping the indexes of unique values and of references in line with what the installed types declare.

The indexes are kept by every write. When a plugin's new version declares another constraint or reference, those of that
type are made anew at the next start, in one pass. Of objects that hold the same value the first one (by pk) keeps it,
the others are told; references to what does not exist are told by `check`.
"""

from collections.abc import Sequence
from typing import Any, Final, Protocol

from buttonhook import documents
from buttonhook.errors import UniqueViolation
from buttonhook.objects.keys import join_fields
from buttonhook.objects.references import kept_form
from buttonhook.objects.types import ObjectType
from buttonhook.recorder.transaction import unique_keys
from buttonhook.records import ConfigRecord, ObjectQuery, UniqueIndex
from buttonhook.registry import Registry
from buttonhook.stores.base import Reader, ReferenceKey, UniqueKey

PAGE: Final = 1000


class Indexer(Protocol):
    """Commits index rows and the record that says what they cover."""

    async def reindex(
        self,
        object_type: str,
        keys: Sequence[tuple[UniqueKey, str]],
        references: Sequence[ReferenceKey],
        record: ConfigRecord,
    ) -> None: ...


async def follow_constraints(registry: Registry, reader: Reader, indexer: Indexer) -> list[str]:
    """Make the index of every type whose constraints changed anew; returns what breaks the new ones, in sentences."""
    problems: list[str] = []
    for type_ in registry.list_types():
        known = registry.find(UniqueIndex, type_.name) or UniqueIndex(id=type_.name, name=type_.name, fields=())
        declared = UniqueIndex(
            id=type_.name,
            name=type_.name,
            fields=tuple(sorted(join_fields(fields) for fields in type_.unique)),
            references=kept_form(type_.references),
        )
        if declared == known:
            continue
        keys, references, found = await _keys_of(type_, reader)
        problems.extend(found)
        await indexer.reindex(type_.name, keys, references, declared)
    return problems


async def _keys_of(
    type_: ObjectType, reader: Reader
) -> tuple[list[tuple[UniqueKey, str]], list[ReferenceKey], list[str]]:
    """The unique keys and references of all objects of a type, and the objects whose keys others hold already."""
    holders: dict[UniqueKey, str] = {}
    references: list[ReferenceKey] = []
    problems: list[str] = []
    after: tuple[Any, ...] | None = None
    while True:
        page = await reader.objects(ObjectQuery(object_type=type_.name, after=after, limit=PAGE))
        for stored, _ in page:
            document: dict[str, Any] = documents.decode(stored.document)
            references.extend((each.target, pk, *stored.key, each.field) for each, pk in type_.targets(document))
            for key, values in unique_keys(type_, document).items():
                holder = holders.setdefault(key, stored.pk)
                if holder != stored.pk:
                    problems.append(str(UniqueViolation(*stored.key, key[1].split(","), values, holder)))
        if len(page) < PAGE:
            return list(holders.items()), references, problems
        after = page[-1][1]
