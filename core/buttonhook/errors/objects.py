"""Errors about one object, its key, its data, what refers to it; and about a line of an import."""

from collections.abc import Sequence
from typing import Any

from buttonhook.errors.roots import ButtonhookError, nearest

_Steps = Sequence[tuple[str, str, str]]


class ObjectError(ButtonhookError):
    """Something is wrong with one object or its key."""


class UnknownObjectType(ObjectError):
    def __init__(self, object_type: str, known: Sequence[str] = ()) -> None:
        self.object_type, self.known = object_type, tuple(known)
        near = nearest(object_type, known)
        declare = f"A free type is declared with: buttonhook objects types add {object_type}"
        listed = f"See the known ones with: buttonhook objects types. {declare}"
        super().__init__(f"Object type {object_type!r} is not known. {f'Did you mean {near!r}?' if near else listed}")


class InvalidKey(ObjectError):
    def __init__(self, what: str, value: str, problem: str) -> None:
        self.what, self.value, self.problem = what, value, problem
        super().__init__(f"{what} {value!r} {problem}.")


class Fault(Exception):
    """One fault in a document: a dotted `path` (empty for the whole) and what is wrong there."""

    def __init__(self, path: str, message: str) -> None:
        self.path, self.message = path, message
        super().__init__(f"{path}: {message}" if path else message)


class InvalidDocument(ObjectError):
    """The data of an object is refused; `faults` tells each path with its message."""

    def __init__(self, subject: str, faults: Sequence[Fault]) -> None:
        self.subject, self.faults = subject, tuple(faults)
        super().__init__(f"{subject} is not valid: {'; '.join(str(fault) for fault in faults)}")


class TypeNotInstalled(InvalidDocument):
    """A write of an object whose type has stored objects, but no plugin that declares it."""

    def __init__(self, object_type: str, subject: str) -> None:
        cure = "install the package that declares it, or keep free documents: buttonhook objects types add"
        self.object_type = object_type
        super().__init__(subject, [Fault("", f"object type {object_type} is not installed; {cure} {object_type}")])


class ObjectNotFound(ObjectError):
    def __init__(self, object_type: str, looked_for: str) -> None:
        self.object_type, self.looked_for = object_type, looked_for
        super().__init__(f"No {object_type} {looked_for} exists.")


class MultipleObjects(ObjectError):
    def __init__(self, object_type: str, looked_for: str) -> None:
        self.object_type, self.looked_for = object_type, looked_for
        super().__init__(f"More than one {object_type} {looked_for} exists. Narrow the filter or use .first().")


class ObjectExists(ObjectError):
    def __init__(self, object_type: str, pk: str) -> None:
        self.object_type, self.pk = object_type, pk
        super().__init__(f"{object_type} {pk!r} exists already. Load it with .get({pk!r}) and save that.")


class StaleObject(ObjectError):
    """Somebody else changed the same field since the object was loaded. Nothing was written."""

    def __init__(self, object_type: str, pk: str, detail: str, version: int | None = None) -> None:
        self.object_type, self.pk, self.detail, self.version = object_type, pk, detail, version
        super().__init__(
            f"{object_type} {pk!r} is stale: {detail}. Load it again with refresh() and repeat the change."
        )


class UniqueViolation(ObjectError):
    def __init__(self, object_type: str, pk: str, fields: Sequence[str], values: Sequence[Any], holder: str) -> None:
        self.object_type, self.pk, self.fields = object_type, pk, tuple(fields)
        self.values, self.holder = values, holder
        named = ", ".join(f"{field} = {value!r}" for field, value in zip(fields, values, strict=True))
        other = f"{object_type} {holder!r}" if holder else "another"
        super().__init__(
            f"{object_type} {pk!r} cannot have {named}: {other} has it already. "
            "Choose another value or change that object first."
        )


class BrokenReference(ObjectError):
    broken: frozenset[tuple[str, str]] = frozenset()
    """(object type, pk) of all in the transaction that refer to what does not exist."""

    def __init__(self, object_type: str, pk: str, field: str, target: str, target_pk: str) -> None:
        self.object_type, self.pk, self.field = object_type, pk, field
        self.target, self.target_pk = target, target_pk
        super().__init__(
            f"{object_type} {pk!r} refers by {field!r} to {target} {target_pk!r}, which does not exist. "
            "Create that object first or in the same transaction, or name another one."
        )


class StillReferenced(ObjectError):
    """A delete is refused. `referrers` are the first that refer, (object type, pk, field), `more` the number of others.

    `path` leads from what was to be deleted to what is referred to, over the fields whose deletes cascade.
    """

    def __init__(self, path: _Steps, referrers: _Steps, more: int = 0, *, is_capped: bool = False) -> None:
        self.path, self.referrers, self.more, self.is_capped = tuple(path), tuple(referrers), more, is_capped
        self.object_type, self.pk = path[0][:2]
        along = "".join(f" takes {type_} {pk!r} along (field {field!r}), which" for type_, pk, field in path[1:])
        named = ", ".join(f"{type_} {pk!r} (field {field!r})" for type_, pk, field in referrers) or "others"
        others = f" and {'more than ' if is_capped else ''}{more:,} more" if more else ""
        problem = f"cannot be deleted: it{along} is referred to by {named or 'some'}{others}"
        cure = "Delete or change those first, or in the same transaction."
        super().__init__(f"{self.object_type} {self.pk!r} {problem}. {cure}")


class CascadeTooLarge(ObjectError):
    def __init__(self, object_type: str, pk: str, limit: int) -> None:
        self.object_type, self.pk, self.limit = object_type, pk, limit
        super().__init__(
            f"{object_type} {pk!r} cannot be deleted in one go: more than {limit:,} objects would be deleted or "
            "cleared with it. Delete those that refer to it first, some thousands at a time."
        )


class OutdatedDocument(ObjectError):
    """A stored document is not what its type's plugin expects any more."""

    def __init__(self, object_type: str, pk: str, faults: Sequence[Fault]) -> None:
        self.object_type, self.pk, self.faults = object_type, pk, tuple(faults)
        reasons = "; ".join(str(fault) for fault in faults)
        super().__init__(
            f"{object_type} {pk!r} is stored with data its type no longer accepts: {reasons}. "
            f"Mend it with: buttonhook objects put {object_type} {pk} --set FIELD=VALUE"
        )


class ImportFault(ButtonhookError):
    """A line of an import cannot be used. `line` counts from 1; 0 means the file as a whole."""

    def __init__(self, source: str, line: int, problem: str) -> None:
        self.source, self.line, self.problem = source, line, problem
        place = f"{source}, line {line}" if line else source
        super().__init__(f"{place}: {problem}")
