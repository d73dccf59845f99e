"""Finding the objects meant by lines without a pk: by their type's natural key, else new ones."""

import asyncio
from collections.abc import Sequence
from typing import Any, Final, Protocol

import msgspec

from buttonhook import documents
from buttonhook.errors import ObjectError, PermissionDenied
from buttonhook.ids import new_uuid7
from buttonhook.imports.entries import Entry, Refusal
from buttonhook.objects.types import ObjectType

LOOKUPS_AT_ONCE: Final = 32
Values = tuple[Any, ...]


class NaturalKeyLookup(Protocol):
    """Finds the object that has these values in the fields `type_.natural_key`, None where none has."""

    async def __call__(self, type_: ObjectType, values: Values, /) -> str | None:
        """Raises: MultipleObjects, PermissionDenied."""
        ...


async def find_pks(entries: Sequence[Entry], lookup: NaturalKeyLookup) -> list[Entry | Refusal]:
    """Give each entry a pk; one whose natural key is ambiguous becomes the error.

    Earlier entries count before the store: a second line of the same natural key means the first one's object.
    All that was sent before must be committed.
    """
    if all(entry.pk is not None for entry in entries):
        return list(entries)
    stored = await _look_up([entry for entry in entries if entry.pk is None], lookup)
    own: dict[tuple[str, str], str] = {}
    written: set[tuple[str, str]] = set()
    result: list[Entry | Refusal] = []
    for entry in entries:
        name, natural = entry.type.name, _natural_text(entry)
        pk = entry.pk or (own.get((name, natural)) if natural is not None else None)
        if pk is None:
            found = stored.get((name, natural)) if natural is not None else None
            if isinstance(found, Refusal):
                result.append(found)
                continue
            # An object that an earlier line wrote has another natural key by now.
            pk = found if found is not None and (name, found) not in written else new_uuid7()
        if natural is not None:
            own[name, natural] = pk
        written.add((name, pk))
        result.append(msgspec.structs.replace(entry, pk=pk))
    return result


async def _look_up(
    entries: Sequence[Entry], lookup: NaturalKeyLookup
) -> dict[tuple[str, str | None], str | Refusal | None]:
    questions: dict[tuple[str, str], tuple[ObjectType, Values]] = {}
    for entry in entries:
        values = entry.type.natural_values(entry.document or {})
        if values is not None:
            questions[entry.type.name, documents.encode(values)] = entry.type, values
    found: dict[tuple[str, str | None], str | Refusal | None] = {}
    keys = list(questions)
    for start in range(0, len(keys), LOOKUPS_AT_ONCE):
        part = keys[start : start + LOOKUPS_AT_ONCE]
        answers = await asyncio.gather(*(_ask(lookup, *questions[key]) for key in part))
        found.update(zip(part, answers, strict=True))
    return found


async def _ask(lookup: NaturalKeyLookup, type_: ObjectType, values: Values) -> str | Refusal | None:
    try:
        return await lookup(type_, values)
    except (ObjectError, PermissionDenied) as exc:
        return exc


def _natural_text(entry: Entry) -> str | None:
    values = entry.type.natural_values(entry.document) if entry.document is not None else None
    return None if values is None else documents.encode(values)
