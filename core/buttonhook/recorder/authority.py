"""Whether whoever asks for a transaction may make it: asked of every write beforehand, and of every change it comes to.

Beforehand, so that no rule that is broken tells of an object that is not there for them; of the changes, cascades
among them, because only they say what an object was and becomes. Without an authority nothing is asked.
"""

from collections.abc import Iterable
from typing import Final

from buttonhook.errors import ObjectNotFound, PermissionDenied
from buttonhook.ids import ObjectChangeAction, ObjectKey
from buttonhook.objects.keys import object_permission, subject
from buttonhook.objects.session import Write
from buttonhook.objects.transactions import Authority, TransactionRequest
from buttonhook.recorder.effects import Document, Overlay, Row

_CHANGING: Final = ("add", "change", "delete")


def check_requested(request: TransactionRequest, authority: Authority, overlay: Overlay) -> None:
    """Before anything is judged: whether each object is the asker's to write, or there for them at all.

    Raises:
        PermissionDenied, ObjectNotFound: it is not.
    """
    for write in request.writes:
        _check_write(authority, write, overlay.rows.get((write.object_type, write.pk)))


def _check_write(authority: Authority, write: Write, row: Row | None) -> None:
    object_type, pk = write.object_type, write.pk
    permissions = [object_permission(object_type, each) for each in _CHANGING]
    asked = permissions[_place(write, is_there=row is not None)]
    what = f"{write.kind} {subject(object_type, pk)}"
    if not any(authority.has_perm(each) for each in permissions):
        raise PermissionDenied(authority.username, what, asked, key=(object_type, pk))
    if row is None or write.kind == "create":  # a key that is taken is told: it cannot be had
        return
    state = {**row.document, "pk": pk}
    if any(authority.has_perm(each, state) for each in (*permissions, object_permission(object_type, "view"))):
        return
    if write.kind == "put":
        is_narrowed = authority.has_perm(asked)
        raise PermissionDenied(authority.username, what, asked, is_narrowed=is_narrowed, key=(object_type, pk))
    raise ObjectNotFound(object_type, repr(pk))


def _place(write: Write, *, is_there: bool) -> int:
    """Which of `_CHANGING` a write comes to, taken alone."""
    if write.kind == "delete":
        return 2
    return 0 if write.kind == "create" or (write.kind == "put" and not is_there) else 1


def check_allowed(
    authority: Authority, key: ObjectKey, action: ObjectChangeAction, states: Iterable[Document | None]
) -> None:
    """Whether somebody may make a change, asked of the state before and of the state after.

    Raises:
        PermissionDenied: naming the permission and the object.
    """
    permission = object_permission(key[0], action)
    for state in states:
        if state is not None and not authority.has_perm(permission, {**state, "pk": key[1]}):
            what = f"{action.value} {subject(*key)}"
            is_narrowed = authority.has_perm(permission)
            raise PermissionDenied(authority.username, what, permission, is_narrowed=is_narrowed, key=key)
