"""The records that travel between the parts: frozen structs, plain values, no behaviour.

Times are whole microseconds UTC (`ids.Microseconds`); documents are JSON text, byte for byte as stored.
What a receiver is given is built from these on higher floors.
"""

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from buttonhook.ids import (
    ChangeContext,
    ChangeId,
    JobId,
    JobResultId,
    JobResultStatus,
    LogLevel,
    Microseconds,
    ObjectChangeAction,
    ObjectKey,
    ResultKind,
    RunAs,
)
from buttonhook.people import (
    GroupRecord,
    LoginRecord,
    PermissionRecord,
    PersonRecord,
    SourceRecord,
    TokenRecord,
    UserRecord,
)


class StoredObject(Struct, frozen=True):
    """One row of the tracked objects. `version` is the id of the object's last change."""

    object_type: str
    pk: str
    document: str
    version: int
    updated_by: str
    updated_at: Microseconds

    @property
    def key(self) -> ObjectKey:
        return self.object_type, self.pk


class Origin(Struct, frozen=True, kw_only=True):
    """Who makes a change, on what occasion, and which run caused it.

    `cause` is the job result whose code made the change, `root` the first result of that chain and
    `depth` how many runs stand between the chain's beginning and this change (0: made from outside).
    """

    user_name: str
    context: ChangeContext
    detail: str = ""
    request_id: str
    time: Microseconds | None = None
    cause: JobResultId | None = None
    root: JobResultId | None = None
    depth: int = 0
    is_hooks: bool = False
    """Whether a job hook stands anywhere in the chain of causes."""
    chain: tuple[str, ...] = ()
    """The runs that led here, each as `job object_type pk`."""


class Cut(Struct, frozen=True):
    """A job hook that covers a change and was not fired, with the reason, as judged at the commit."""

    hook_id: str
    hook: str
    reason: str


class ChangeRecord(Struct, frozen=True, kw_only=True):
    """The immutable record of one create, update or delete, with the state before and after."""

    id: ChangeId
    time: Microseconds
    recorded_at: Microseconds
    user_name: str
    request_id: str
    action: ObjectChangeAction
    object_type: str
    object_pk: str
    object_repr: str
    change_context: ChangeContext
    change_context_detail: str
    prechange: str | None
    postchange: str | None
    cause: JobResultId | None = None
    root: JobResultId | None = None
    depth: int = 0
    saves: int = 1
    """How many writes of the transaction were merged into this change."""
    cuts: tuple[Cut, ...] = ()


class JobResult(Struct, frozen=True, kw_only=True):
    """One run of a job. `number` counts results in commit order; `id` is stable over attempts and unique over restores.
    `result` is JSON text of what the receiver returned.
    """

    number: int
    id: JobResultId
    kind: ResultKind
    job: JobId
    job_name: str
    occasion: str
    """Name of the job hook that fired, of the job button that was pressed, or of the job that enqueued this one."""
    occasion_id: str = ""
    status: JobResultStatus
    attempt: int
    failures: int = 0
    """How many attempts failed and were to be tried again."""
    crashes: int = 0
    """How many attempts ended with their process."""
    user_name: str
    object_type: str
    object_pk: str
    object_repr: str
    change_ids: tuple[ChangeId, ...]
    lane: str | None
    created_at: Microseconds
    started_at: Microseconds | None = None
    ended_at: Microseconds | None = None
    due_at: Microseconds | None = None
    result: str | None = None
    error: str | None = None
    traceback: str | None = None
    cause: JobResultId | None = None
    root: JobResultId | None = None
    depth: int = 0
    is_hooks: bool = False
    chain: tuple[str, ...] = ()
    run_as: RunAs = "installer"
    """On whose authority it runs: the installer's, or its author's."""
    rerun_of: JobResultId | None = None
    rerun_by: str | None = None
    """Who ordered the rerun."""


class JobLogEntry(Struct, frozen=True, kw_only=True):
    """One captured line of one attempt. `seq` counts from 1 in order of capture within the attempt."""

    number: int
    """The job result's number."""
    attempt: int
    seq: int
    time: Microseconds
    level: LogLevel
    grouping: str
    message: str
    logger: str = ""
    """Name of the logger, empty for the receiver's own `self.logger`."""
    object_type: str = ""
    object_pk: str = ""
    object_repr: str = ""
    id: int = 0


class PendingResult(Struct, frozen=True):
    """What the dispatcher must know of a result that waits."""

    number: int
    job: JobId
    lane: str | None
    due_at: Microseconds | None = None
    """When a retry may begin."""


class ClaimedResult(Struct, frozen=True):
    """A result that now belongs to this process, with all that its run needs, read in the claiming transaction."""

    result: JobResult
    changes: tuple[ChangeRecord, ...]
    stored: StoredObject | None


class Outcome(Struct, frozen=True, kw_only=True):
    """How one attempt ended. It is applied only where that attempt is still the started one.

    A `retry` has no `ended_at` and says by `due_at` when the next attempt may begin.
    """

    number: int
    attempt: int
    status: JobResultStatus
    ended_at: Microseconds | None
    due_at: Microseconds | None = None
    result: str | None = None
    error: str | None = None
    traceback: str | None = None


class Job(Struct, frozen=True, kw_only=True):
    """The stored record of an installed receiver. Its options follow the class but for those in `overrides`."""

    id: JobId
    name: str
    kind: ResultKind
    enabled: bool = False
    installed: bool = True
    was_enabled: bool = False
    """Whether it was ever enabled: its default job hook is made the first time only."""
    package: str = ""
    overrides: dict[str, Any] = {}


class ConditionRow(Struct, frozen=True, forbid_unknown_fields=True):
    """One row of conditions, in the shape Nautobot is adopting; `conditions` says what rows mean."""

    type: str
    preset: str = ""
    values: dict[str, Any] = {}
    negate: bool = False
    source: str | None = None


class JobHook(Struct, frozen=True, kw_only=True):
    """A stored rule: object types x actions x conditions -> job.

    `run_as` says whose permission counts: the installer's, who enabled the job, or the change's author's. Changes that
    a job hook's job made fire it only with `allow_job_hook_changes`.
    """

    id: str
    name: str
    job: JobId
    object_types: tuple[str, ...]
    actions: tuple[ObjectChangeAction, ...]
    enabled: bool = True
    conditions: tuple[ConditionRow, ...] = ()
    run_as: RunAs = "installer"
    allow_job_hook_changes: bool = False
    edited_at: Microseconds = Microseconds(0)


class JobButton(Struct, frozen=True, kw_only=True):
    """A stored button: object types, text, group, style, confirmation -> job."""

    id: str
    name: str
    job: JobId
    object_types: tuple[str, ...]
    text: str
    group: str = ""
    weight: int = 100
    style: str = "default"
    confirmation: bool = True
    enabled: bool = True
    conditions: tuple[ConditionRow, ...] = ()


class DeclaredType(Struct, frozen=True, kw_only=True):
    """A free object type that somebody declared in this database."""

    id: str
    name: str


class UniqueIndex(Struct, frozen=True, kw_only=True):
    """Which unique constraints and references of a type the indexes cover.

    A constraint is its fields, joined by commas; a reference is its field, `>` and the type it points at.
    """

    id: str
    name: str
    fields: tuple[str, ...]
    references: tuple[str, ...] = ()


ConfigRecord = Job | JobHook | JobButton | DeclaredType | UniqueIndex | SourceRecord | PersonRecord
"""The records of the set-up: few, kept in memory whole, written through the recorder."""

CONFIG_KINDS: Mapping[str, type[Any]] = {
    "job": Job,
    "job_hook": JobHook,
    "job_button": JobButton,
    "object_type": DeclaredType,
    "user": UserRecord,
    "group": GroupRecord,
    "permission": PermissionRecord,
    "token": TokenRecord,
    "login": LoginRecord,
    "source": SourceRecord,
    "unique_index": UniqueIndex,
}
_KIND_OF = {struct: kind for kind, struct in CONFIG_KINDS.items()}

RECORD_TYPES: Mapping[type[Any], str] = {
    Job: "jobs.job",
    JobHook: "jobs.jobhook",
    JobButton: "jobs.jobbutton",
    DeclaredType: "jobs.objecttype",
    SourceRecord: "jobs.source",
    UserRecord: "users.user",
    GroupRecord: "users.group",
    PermissionRecord: "users.permission",
    TokenRecord: "users.token",
}
"""The names by which permissions and changes know the records of the set-up."""


def config_kind(struct: type[Any]) -> str:
    """The stored word for one kind of set-up record."""
    return _KIND_OF[struct]


class Crossing(Struct, frozen=True):
    """The reference that a condition goes over: the field of the objects asked for, and the type it points at.

    `unique` is a unique key of that type which the condition implies, as in `ObjectQuery`.
    """

    field: str
    target: str
    unique: tuple[str, str] | None = None


class Condition(Struct, frozen=True):
    """One row of a filter: the field's path, an operator of `QUERY_OPERATORS`, the value compared with.

    With a `crossing` the path is one of the object referred to.
    """

    path: tuple[str, ...]
    operator: str
    value: Any
    crossing: Crossing | None = None


class ObjectQuery(Struct, frozen=True, kw_only=True):
    """A question for objects of one type. `order` names paths, descending ones with a leading `-`. `after` is the
    keyset of the last row already seen: the values of the order's paths, then the pk. `unique` is a unique key that
    the conditions imply (its fields joined by commas, its values as JSON): an index may be used.
    """

    object_type: str
    conditions: tuple[Condition, ...] = ()
    order: tuple[tuple[tuple[str, ...], bool], ...] = ()
    after: tuple[Any, ...] | None = None
    limit: int | None = None
    unique: tuple[str, str] | None = None


class ChangeQuery(Struct, frozen=True, kw_only=True):
    """A question for changes, newest first unless `ascending`; `after` is the id of the last one seen.

    `since` and `until` bound `recorded_at`, the first included, the second not. `cause` is the id of the job result
    whose code made them, or several. `least` is the lowest id that is looked at. `action` and `context` have no index.
    """

    object_type: str | None = None
    object_pk: str | None = None
    request_id: str | None = None
    user_name: str | None = None
    action: ObjectChangeAction | None = None
    context: ChangeContext | None = None
    ids: tuple[int, ...] | None = None
    cause: str | tuple[str, ...] | None = None
    least: int | None = None
    since: Microseconds | None = None
    until: Microseconds | None = None
    after: int | None = None
    ascending: bool = False
    limit: int = 50


class ResultQuery(Struct, frozen=True, kw_only=True):
    """A question for job results, newest first unless `ascending`; `after` is the number of the last one seen.

    `since` and `until` bound `created_at`, the first included, the second not. `occasion_id` is the id of a job hook or
    job button; `cause` that of the job result which caused them. All but `occasion_id` have an index, `lane` one of
    those that have not ended.
    """

    id: str | None = None
    numbers: tuple[int, ...] | None = None
    job: str | None = None
    status: JobResultStatus | None = None
    object_type: str | None = None
    object_pk: str | None = None
    user_name: str | None = None
    change_id: int | tuple[int, ...] | None = None
    occasion_id: str | None = None
    cause: str | tuple[str, ...] | None = None
    lane: str | None = None
    since: Microseconds | None = None
    until: Microseconds | None = None
    least: int | None = None
    after: int | None = None
    ascending: bool = False
    limit: int = 50
