"""A user as a receiver sees them: a snapshot of who they are and what they may do, taken when the attempt starts."""

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

import msgspec

from buttonhook import documents
from buttonhook.conditions import compare, display
from buttonhook.documents import ABSENT
from buttonhook.errors import UsageError
from buttonhook.ids import Microseconds
from buttonhook.objects.change import ObjectChange
from buttonhook.objects.references import as_pk
from buttonhook.objects.tracked import HeldObject
from buttonhook.people import SECRET_FIELDS, Constraint
from buttonhook.records import ChangeRecord, StoredObject

PERMISSION: Final = re.compile(r"([a-z][a-z0-9_]*)\.([a-z]+)_([a-z0-9_]+)\Z")
"""`app.action_model`."""
Grants = Mapping[str, Sequence[tuple[Constraint, ...]]]
"""By permission: the sets of constraints under which it is held. One set that is met suffices; an empty one is."""
ASKER: Final = "$user"
"""As a constraint's value: the name of the user who asks."""
_OF_CHANGES: Final = re.compile(r"jobs\.[a-z]+_objectchange\Z")
"""Permissions on changes themselves; all others look at the states of the object that a change holds."""
Subject = tuple[str | None, Mapping[str, Any]]
"""What constraints look at: the pk, and the fields."""


class User:
    """Who caused this run. `known` is false for an author without a user record, who may do nothing.

    `scopes` limits a token: of what its user may do, only these permissions. A limited owner is no owner.
    """

    __slots__ = ("_grants", "_may_all", "_scopes", "is_token", "known", "until", "username")

    def __init__(
        self,
        username: str,
        *,
        known: bool = False,
        is_owner: bool = False,
        grants: Grants | None = None,
        scopes: Sequence[str] | None = None,
    ) -> None:
        self.username = username
        self.known = known
        self._may_all = is_owner
        self._grants: Grants = grants or {}
        self._scopes = None if scopes is None else frozenset(scopes)
        self.is_token = False
        """Whether they act through a token."""
        self.until: Microseconds | None = None
        """When that token expires."""

    def has_perm(self, perm: str, obj: object = None) -> bool:
        """Whether this user holds `app.action_model`, as in `dcim.add_device`.

        Without `obj`: for some object at least. With one (an object, a change, a record, a mapping of fields): for that
        one, by the constraints of the permission; of a change every state it holds must meet them.

        Raises:
            UsageError: `perm` is no permission name.
        """
        forms = permission_forms(perm)
        if not self._has_scope(forms):
            return False
        if self._may_all:
            return True
        held = [constraints for form in forms for constraints in self._grants.get(form, ())]
        if obj is None or not all(held):
            return bool(held)
        states = list(_own_fields(obj) if _OF_CHANGES.match(perm) else _subjects(obj))
        return bool(states) and all(any(self._meets(state, constraints) for constraints in held) for state in states)

    def in_scope(self, perm: str) -> bool:
        """Whether the token that this user acts through, if any, reaches so far; not whether they hold it."""
        return self._has_scope(permission_forms(perm))

    def is_limited(self, perm: str) -> bool:
        """Whether the answer of `has_perm` differs from object to object."""
        if self._may_all or not self.has_perm(perm):
            return False
        return all(constraints for form in permission_forms(perm) for constraints in self._grants.get(form, ()))

    def scoped(self, scopes: Sequence[str] | None, until: Microseconds | None = None) -> "User":
        """This user through a token."""
        user = User(self.username, known=self.known, is_owner=self._may_all, grants=self._grants, scopes=scopes)
        user.is_token, user.until = True, until
        return user

    @property
    def scopes(self) -> frozenset[str] | None:
        """What the token may do of what its user may; None: all, or there is no token."""
        return self._scopes

    @property
    def is_owner(self) -> bool:
        """Whether they may do everything."""
        return self._may_all and self._scopes is None

    @property
    def is_scoped(self) -> bool:
        """Whether they act through a token that may not do all they may."""
        return self._scopes is not None

    def _has_scope(self, forms: Sequence[str]) -> bool:
        return self._scopes is None or not self._scopes.isdisjoint(forms)

    def _meets(self, subject: Subject, constraints: Sequence[Constraint]) -> bool:
        return all(self._meets_one(subject, each) for each in constraints)

    def _meets_one(self, subject: Subject, constraint: Constraint) -> bool:
        pk, fields = subject
        wanted, operator = constraint.value, constraint.operator
        try:
            found = (
                pk if constraint.path == "pk" else documents.read_path(fields, documents.split_path(constraint.path))
            )
            if wanted == ASKER:
                return _names(found, operator, self.username)
            if constraint.path == "pk" and operator in ("=", "in"):
                options = wanted if operator == "in" and isinstance(wanted, list) else [wanted]
                return found in options
            return compare(None if found is ABSENT else found, operator, wanted)
        except (TypeError, KeyError, ValueError):  # no order, no such operator, a number too long: fails closed
            return False

    def __str__(self) -> str:
        return self.username

    def __repr__(self) -> str:
        return f"User({self.username!r}, known={self.known})"


def permission_forms(perm: str) -> tuple[str, str, str]:
    """The names under which a permission may have been given: itself, `app.action_*`, `app.*`.

    Raises:
        UsageError: it is no permission name.
    """
    forms = _forms(str(perm))
    if forms is None:
        raise UsageError(f"{perm!r} is no permission. Write app.action_model, as in 'dcim.add_device'.")
    return forms


@lru_cache(maxsize=4096)
def _forms(perm: str) -> tuple[str, str, str] | None:
    match = PERMISSION.match(perm)
    return None if match is None else (perm, f"{match[1]}.{match[2]}_*", f"{match[1]}.*")


def _names(found: Any, operator: str, name: str) -> bool:
    """Whether a field names somebody. Names are text: "10" is not "1e1", and "an" is not in "joanne"."""
    if operator == "contains":
        return isinstance(found, list) and any(display(member) == name for member in found)
    return operator in ("=", "in") and isinstance(found, str) and found == name


def _own_fields(obj: Any) -> Iterator[Subject]:
    """A change itself as constraints see it: who made it, of what, when; not the states of its object."""
    if not isinstance(obj, ChangeRecord | ObjectChange):
        yield from _subjects(obj)
        return
    names = ("user_name", "request_id", "action", "object_type", "object_pk", "object_repr", "change_context")
    yield str(obj.id), {name: str(getattr(obj, name)) for name in names}


def _subjects(obj: Any) -> Iterator[Subject]:
    """What constraints are asked of; of a change each state it holds."""
    if isinstance(obj, HeldObject):
        yield obj.pk, obj.document
    elif isinstance(obj, StoredObject):
        yield obj.pk, documents.decode(obj.document)
    elif isinstance(obj, ChangeRecord):
        for text in (obj.prechange, obj.postchange):
            if text is not None:
                yield obj.object_pk, documents.decode(text)
    elif isinstance(obj, ObjectChange):
        yield from ((obj.object_pk, state) for state in (obj.prechange, obj.postchange) if state is not None)
    elif isinstance(obj, msgspec.Struct):
        fields = msgspec.to_builtins(obj, str_keys=True)
        yield fields.get("id"), {name: value for name, value in fields.items() if name not in SECRET_FIELDS}
    elif isinstance(obj, Mapping):
        fields = {name: as_pk(value, "", "has_perm()") for name, value in obj.items()}
        yield fields.get("pk"), fields
    else:
        raise UsageError(f"has_perm() takes an object, a change, a record or a mapping of fields, not {obj!r}.")
