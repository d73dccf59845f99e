"""What changed between two states of an object, in the shape Nautobot's `get_snapshots()` has.

The comparison is shallow: one entry for each top-level key. It is exact, because both states are stored with
the change. Both sides of an update's differences hold the same keys; a key that is absent on one side is None there.
"""

from typing import Any

from buttonhook.documents import ABSENT, same

Document = dict[str, Any]


def differences(prechange: Document | None, postchange: Document | None) -> dict[str, Document | None]:
    """`{"removed": ..., "added": ...}`: None and all for a create, all and None for a delete."""
    if prechange is None or postchange is None:
        return {"removed": prechange, "added": postchange}
    keys = changed_keys(prechange, postchange)
    return {
        "removed": {key: prechange.get(key) for key in keys},
        "added": {key: postchange.get(key) for key in keys},
    }


def changed_keys(before: Document, after: Document) -> list[str]:
    """The top-level keys whose values are not the same, those of `after` first, each side in its own order."""
    changed = [key for key, value in after.items() if not same(before.get(key, ABSENT), value)]
    changed.extend(key for key in before if key not in after)
    return changed


def snapshots(prechange: Document | None, postchange: Document | None) -> dict[str, Any]:
    """`{"prechange", "postchange", "differences": {"removed", "added"}}`."""
    return {
        "prechange": prechange,
        "postchange": postchange,
        "differences": differences(prechange, postchange),
    }
