"""Edits of the set-up as changes: who gave a job hook its condition, who enabled a job, who may do what since when.

They are recorded like the changes of objects, under the types `jobs.*` and `users.*`, and fire nothing.
"""

from typing import Any, Final

import msgspec

from buttonhook import documents
from buttonhook.ids import ChangeId, Microseconds, ObjectChangeAction
from buttonhook.people import SECRET_FIELDS
from buttonhook.records import RECORD_TYPES, ChangeRecord, ConfigRecord, Origin

_BOOKKEEPING: Final = frozenset({"edited_at", "was_enabled"})
"""Fields that follow from others, so that they tell nobody anything."""


def audited(record: ConfigRecord) -> dict[str, Any]:
    """A record as its change shows it: no secrets, no bookkeeping."""
    fields: dict[str, Any] = msgspec.to_builtins(record, str_keys=True)
    return {name: value for name, value in fields.items() if name not in SECRET_FIELDS | _BOOKKEEPING}


def audit(
    origin: Origin, before: ConfigRecord | None, after: ConfigRecord | None, number: int, time: Microseconds
) -> ChangeRecord | None:
    """The change that an edit of one record comes to; None where nothing was edited, or nobody needs to know."""
    record = after if after is not None else before
    if record is None or type(record) not in RECORD_TYPES:
        return None
    old, new = None if before is None else audited(before), None if after is None else audited(after)
    if old == new:
        return None
    action = ObjectChangeAction.UPDATE
    if old is None or new is None:
        action = ObjectChangeAction.CREATE if old is None else ObjectChangeAction.DELETE
    return ChangeRecord(
        id=ChangeId(number),
        time=origin.time if origin.time is not None else time,
        recorded_at=time,
        user_name=origin.user_name,
        request_id=origin.request_id,
        action=action,
        object_type=RECORD_TYPES[type(record)],
        object_pk=record.id,
        object_repr=record.name[:200],
        change_context=origin.context,
        change_context_detail=origin.detail,
        prechange=None if old is None else documents.encode(old),
        postchange=None if new is None else documents.encode(new),
        cause=origin.cause,
        root=origin.root,
        depth=origin.depth,
    )
