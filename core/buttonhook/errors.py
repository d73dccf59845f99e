"""Every error that Buttonhook raises on purpose.

    ButtonhookError
    ├── SettingsError                 a setting, flag or variable that cannot be
    ├── DaemonError                   a daemon that a command cannot ask
    ├── PluginError                   a package that cannot be used as it is
    │   ├── DuplicateJob
    │   ├── DuplicateObjectType
    │   ├── DuplicatePreset
    │   ├── DuplicateWebhookReader
    │   ├── BadReceiver               signature, Meta or base class
    │   └── BadObjectType
    ├── ObjectError                   about one object
    │   ├── UnknownObjectType
    │   ├── InvalidKey                a name or pk that cannot be
    │   ├── InvalidDocument           the data, with the path of each fault
    │   │   └── TypeNotInstalled      nobody can tell whether the data is valid
    │   ├── ObjectNotFound
    │   ├── MultipleObjects
    │   ├── ObjectExists
    │   ├── StaleObject
    │   ├── UniqueViolation
    │   ├── BrokenReference           a field names an object that does not exist
    │   ├── StillReferenced           others refer to what is to be deleted
    │   ├── CascadeTooLarge
    │   └── OutdatedDocument          stored data its type no longer accepts
    ├── QueryError                    a filter, path, order or cursor that cannot be
    ├── PermissionDenied              somebody may not do that
    │   └── BeyondToken
    ├── UsageError                    a call from the wrong place
    │   ├── NeverAwaited
    │   ├── NoSession
    │   ├── UndeclaredSettings
    │   └── NotLoaded
    ├── RecordError                   jobs, job hooks, job buttons
    │   ├── RecordNotFound
    │   ├── RecordConflict
    │   ├── PressRefused
    │   ├── EnqueueRefused
    │   ├── RunNotFound               no such job result, or not in a state for that
    │   │   └── NoSuchRun
    │   └── BadCondition              a row of conditions that cannot be
    ├── RunEnded                      a write by an attempt that is over
    ├── SoftTimeLimitExceeded         raised inside a receiver that runs too long
    ├── RetryLater                    raised by a receiver: try this result again
    ├── GiveUp                        raised by a receiver: fail, and do not try again
    ├── AlreadyRecorded               a request id seen before
    ├── AlreadyAnswered               an idempotency key seen before
    ├── ImportFault                   a line of an import
    └── StoreError
        ├── DatabaseInUse
        ├── DatabaseRefused           foreign, missing, empty, older, newer, damaged
        ├── StorageUnavailable        full disk, I/O error: nothing was written
        ├── StorageLost               a flush failed: what is on disk is not known; the process must end
        ├── BatchBeforeLost           a batch was not written, for the one before it was not
        └── QueryTooSlow

Each class keeps what it is about as attributes and makes its sentence from them:
who, what is wrong, what to do. `str(error)` is fit to be shown to a user as it is.
"""

import difflib
from collections.abc import Sequence
from typing import Any

_Steps = Sequence[tuple[str, str, str]]
_YEAR_SECONDS = 366 * 86_400


class ButtonhookError(Exception):
    """The base of all errors in this module."""


class SettingsError(ButtonhookError):
    """A setting cannot be used. `origin` tells where it was set."""

    def __init__(self, setting: str, problem: str, origin: str = "", cure: str = "") -> None:
        self.setting, self.problem, self.origin, self.cure = setting, problem, origin, cure
        place = f" (from {origin})" if origin else ""
        super().__init__(f"Setting {setting!r}{place} {problem}.{' ' + cure if cure else ''}")


class DaemonError(ButtonhookError):
    """A command cannot ask a daemon, or does not understand its answer. `daemon` is its address, or a file about it."""

    def __init__(self, daemon: str, problem: str, cure: str) -> None:
        self.daemon, self.problem, self.cure = daemon, problem, cure
        super().__init__(f"Daemon {daemon!r} {problem}.{' ' + cure if cure else ''}")


class PluginError(ButtonhookError):
    """A plugin package cannot be used."""


class DuplicateJob(PluginError):
    def __init__(self, job: str, first: str, second: str) -> None:
        self.job, self.first, self.second = job, first, second
        super().__init__(
            f"Job {job!r} is registered by both {first!r} and {second!r}. Rename one or block one of the plugins."
        )


class DuplicateObjectType(PluginError):
    def __init__(self, object_type: str, first: str, second: str) -> None:
        self.object_type, self.first, self.second = object_type, first, second
        super().__init__(
            f"Object type {object_type!r} is declared by both {first!r} and {second!r}. "
            "Rename one or block one of the plugins."
        )


class DuplicatePreset(PluginError):
    def __init__(self, preset: str, first: str, second: str) -> None:
        self.preset, self.first, self.second = preset, first, second
        super().__init__(
            f"Condition preset {preset!r} is brought by both {first!r} and {second!r}. "
            "Rename one or block one of the plugins."
        )


class DuplicateWebhookReader(PluginError):
    def __init__(self, reader: str, first: str, second: str) -> None:
        self.reader, self.first, self.second = reader, first, second
        super().__init__(
            f"Webhook reader {reader!r} is brought by both {first!r} and {second!r}. "
            "Rename one or block one of the plugins."
        )


class BadReceiver(PluginError):
    """A receiver class is refused at load. `cure` shows the right form."""

    def __init__(self, receiver: str, problem: str, cure: str) -> None:
        self.receiver, self.problem, self.cure = receiver, problem, cure
        super().__init__(f"Receiver {receiver!r} {problem}. {cure}")


class BadObjectType(PluginError):
    def __init__(self, name: str, problem: str, cure: str) -> None:
        self.name, self.problem, self.cure = name, problem, cure
        super().__init__(f"Object type {name!r} {problem}. {cure}")


class ObjectError(ButtonhookError):
    """Something is wrong with one object or its key."""


class UnknownObjectType(ObjectError):
    def __init__(self, object_type: str, known: Sequence[str] = ()) -> None:
        self.object_type, self.known = object_type, tuple(known)
        near = _nearest(object_type, known)
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


class QueryError(ButtonhookError):
    def __init__(self, what: str, problem: str, cure: str = "") -> None:
        self.what, self.problem, self.cure = what, problem, cure
        super().__init__(f"Query {what!r} {problem}.{' ' + cure if cure else ''}")


class PermissionDenied(ButtonhookError):
    """A user lacks a permission. `is_narrowed`: they hold it, but not for this object.

    Without a `permission` it is something that only owners may do. `key`: the object that may not be written.
    """

    def __init__(
        self, user_name: str, what: str, permission: str, *, is_narrowed: bool = False, key: tuple[str, str] = ("", "")
    ) -> None:
        self.user_name, self.what, self.permission = user_name, what, permission
        self.is_narrowed, self.key = is_narrowed, key
        lack = f"{permission} is held, but not for this one" if is_narrowed else f"that needs {permission}"
        cure = f" Give it with: buttonhook users grant {user_name} {permission}" if permission else ""
        super().__init__(f"User {user_name!r} may not {what}: {lack if permission else 'only an owner may'}.{cure}")


class BeyondToken(PermissionDenied):
    """Who acts through a token asks for what that token may not, whatever its user may."""

    def __init__(self, user_name: str, what: str) -> None:
        super().__init__(user_name, what, "")
        self.args = (f"User {user_name!r} may not {what}, acting through a token. Log in to do that.",)


class UsageError(ButtonhookError):
    """Our interface was used from a place where it cannot work."""


class NeverAwaited(UsageError):
    def __init__(self, what: str, place: str, right_form: str) -> None:
        self.what, self.place, self.right_form = what, place, right_form
        super().__init__(f"{what} at {place} was never awaited. Write: {right_form}")


class NoSession(UsageError):
    def __init__(self, what: str) -> None:
        self.what = what
        super().__init__(
            f"{what} needs an open app. Inside a receiver there is always one; elsewhere use "
            "'async with open_app(...) as app:' and 'async with app.transaction():' or app.objects(...)."
        )


class UndeclaredSettings(UsageError):
    def __init__(self, receiver: str) -> None:
        self.receiver = receiver
        super().__init__(
            f"Receiver {receiver!r} asks for self.settings, but its plugin declares none. Declare them in the module "
            "of its entry point: @hookimpl def buttonhook_settings(): return MySettings (a msgspec.Struct)."
        )


class NotLoaded(UsageError):
    def __init__(self, what: str, problem: str) -> None:
        self.what, self.problem = what, problem
        super().__init__(f"{what} {problem}.")


class RecordError(ButtonhookError):
    """About the records of jobs, job hooks and job buttons."""


class RecordNotFound(RecordError):
    def __init__(self, kind: str, name: str, known: Sequence[str] = (), listing: str = "") -> None:
        self.kind, self.name, self.known = kind, name, tuple(known)
        near = _nearest(name, known)
        hint = f" Did you mean {near!r}?" if near else (f" See them with: {listing}" if listing else "")
        super().__init__(f"No {kind} {name!r} exists.{hint}")


class RecordConflict(RecordError):
    """A record of the set-up cannot be so; `field` is the one at fault, where it is one."""

    def __init__(self, kind: str, name: str, problem: str, cure: str = "", *, field: str = "") -> None:
        self.kind, self.name, self.problem, self.cure, self.field = kind, name, problem, cure, field
        super().__init__(f"{kind.capitalize()} {name!r} {problem}.{' ' + cure if cure else ''}")


class PressRefused(RecordError):
    def __init__(self, button: str, reason: str, cure: str = "") -> None:
        self.button, self.reason, self.cure = button, reason, cure
        super().__init__(f"Job button {button!r} cannot be pressed: {reason}.{' ' + cure if cure else ''}")


class EnqueueRefused(RecordError):
    def __init__(self, receiver: str, reason: str) -> None:
        self.receiver, self.reason = receiver, reason
        super().__init__(f"{receiver} cannot be enqueued: {reason}.")


class RunNotFound(RecordError):
    def __init__(self, result: str, problem: str) -> None:
        self.result, self.problem = result, problem
        super().__init__(f"Job result {result!r} {problem}.")


class NoSuchRun(RunNotFound):
    """There is no such job result, or not for this user."""

    def __init__(self, result: str) -> None:
        super().__init__(result, "does not exist")


class BadCondition(RecordError):
    """A condition row cannot be used. `row` counts from 1; 0 means the list as a whole."""

    def __init__(self, subject: str, row: int, problem: str) -> None:
        self.subject, self.row, self.problem = subject, row, problem
        where = f", condition {row}" if row else ""
        end = "" if problem.endswith(("?", ".")) else "."
        super().__init__(f"{subject}{where}: {problem}{end}")


class RunEnded(ButtonhookError):
    """A write came from an attempt that is over; it was refused and nothing was written."""

    def __init__(self, result_id: str, attempt: int) -> None:
        self.result_id, self.attempt = result_id, attempt
        super().__init__(f"Job result {result_id!r} attempt {attempt} is over. Its writes are refused.")


class SoftTimeLimitExceeded(ButtonhookError):
    """Raised inside a receiver when its soft time limit is over; it may clean up and end, or be ended later."""

    def __init__(self, seconds: float = 0) -> None:
        self.seconds = seconds
        super().__init__(
            f"the soft time limit of {seconds:g} s was exceeded" if seconds else "the soft time limit was exceeded"
        )


class RetryLater(ButtonhookError):
    """Raise it in a receiver to have this result tried again after `delay` seconds (None: by the job's backoff).

    Raises:
        UsageError: the delay is no number of seconds, or more than a year.
    """

    def __init__(self, delay: float | None = None, reason: str = "") -> None:
        given: object = delay  # receivers are not all type-checked
        if given is not None and not (isinstance(given, int | float) and abs(given) <= _YEAR_SECONDS):
            raise UsageError(
                f"RetryLater takes seconds, a year of them at most, not {delay!r}. Write: RetryLater(30, 'why')."
            )
        self.delay, self.reason = delay, reason
        super().__init__(reason or "the receiver asked to be tried again later")


class GiveUp(ButtonhookError):
    """Raise it in a receiver to fail for good: what retries are left are not used."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


class AlreadyRecorded(ButtonhookError):
    def __init__(self, request_id: str) -> None:
        self.request_id = request_id
        super().__init__(f"Request {request_id!r} is recorded already. Nothing was written.")


class AlreadyAnswered(ButtonhookError):
    """What was asked with this idempotency key is done; `answer` is what was answered then."""

    def __init__(self, user_name: str, key: str, fingerprint: str, answer: str) -> None:
        self.user_name, self.key, self.fingerprint, self.answer = user_name, key, fingerprint, answer
        super().__init__(f"Idempotency key {key!r} of {user_name!r} was used before. Nothing was written.")


class ImportFault(ButtonhookError):
    """A line of an import cannot be used. `line` counts from 1; 0 means the file as a whole."""

    def __init__(self, source: str, line: int, problem: str) -> None:
        self.source, self.line, self.problem = source, line, problem
        place = f"{source}, line {line}" if line else source
        super().__init__(f"{place}: {problem}")


class StoreError(ButtonhookError):
    """The store cannot do what was asked."""


class DatabaseInUse(StoreError):
    def __init__(self, database: str, holder: str) -> None:
        self.database, self.holder = database, holder
        super().__init__(
            f"Database {database!r} is in use by {holder}. Stop that process, or wait for it with --lock-wait SECONDS."
        )


class DatabaseRefused(StoreError):
    def __init__(self, database: str, problem: str, cure: str) -> None:
        self.database, self.problem, self.cure = database, problem, cure
        super().__init__(f"Database {database!r} {problem}. {cure}")


class StorageUnavailable(StoreError):
    """The disk is full or failing. Nothing of the refused write was stored; reads go on."""

    def __init__(self, database: str, reason: str) -> None:
        self.database, self.reason = database, reason
        super().__init__(
            f"Database {database!r} cannot be written: {reason}. Nothing was stored; "
            "free space or mend the disk, then try again."
        )


class StorageLost(StoreError):
    """The disk refused to flush. Whether the last batch is stored cannot be known before the file is read anew."""

    def __init__(self, database: str, reason: str) -> None:
        self.database, self.reason = database, reason
        super().__init__(
            f"Database {database!r} could not be flushed to disk: {reason}. "
            "Buttonhook stops; check the disk and start it again: it goes on from what is stored."
        )


class BatchBeforeLost(StoreError):
    """A batch was decided behind another one that was not written. Only the recorder sees this."""

    def __init__(self) -> None:
        super().__init__("A batch was not written, for the one before it was not. It is decided anew.")


class QueryTooSlow(StoreError):
    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        super().__init__(f"The query took longer than {seconds:g} s and was stopped. Filter by an indexed field.")


def _nearest(word: str, known: Sequence[str]) -> str | None:
    """The known word that looks most like `word`, if one is near enough to be meant."""
    return next(iter(difflib.get_close_matches(word, known, n=1, cutoff=0.75)), None)
