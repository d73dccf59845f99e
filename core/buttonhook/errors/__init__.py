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

All are imported from here; the modules hold them by what they are about.
"""

from buttonhook.errors.objects import (
    BrokenReference,
    CascadeTooLarge,
    Fault,
    ImportFault,
    InvalidDocument,
    InvalidKey,
    MultipleObjects,
    ObjectError,
    ObjectExists,
    ObjectNotFound,
    OutdatedDocument,
    StaleObject,
    StillReferenced,
    TypeNotInstalled,
    UniqueViolation,
    UnknownObjectType,
)
from buttonhook.errors.plugins import (
    BadObjectType,
    BadReceiver,
    DuplicateJob,
    DuplicateObjectType,
    DuplicatePreset,
    DuplicateWebhookReader,
    PluginError,
)
from buttonhook.errors.records import (
    AlreadyAnswered,
    AlreadyRecorded,
    BadCondition,
    EnqueueRefused,
    GiveUp,
    NoSuchRun,
    PressRefused,
    RecordConflict,
    RecordError,
    RecordNotFound,
    RetryLater,
    RunEnded,
    RunNotFound,
    SoftTimeLimitExceeded,
)
from buttonhook.errors.roots import (
    BeyondToken,
    ButtonhookError,
    DaemonError,
    NeverAwaited,
    NoSession,
    NotLoaded,
    PermissionDenied,
    QueryError,
    SettingsError,
    UndeclaredSettings,
    UsageError,
)
from buttonhook.errors.stores import (
    BatchBeforeLost,
    DatabaseInUse,
    DatabaseRefused,
    QueryTooSlow,
    StorageLost,
    StorageUnavailable,
    StoreError,
)

__all__ = [
    "AlreadyAnswered",
    "AlreadyRecorded",
    "BadCondition",
    "BadObjectType",
    "BadReceiver",
    "BatchBeforeLost",
    "BeyondToken",
    "BrokenReference",
    "ButtonhookError",
    "CascadeTooLarge",
    "DaemonError",
    "DatabaseInUse",
    "DatabaseRefused",
    "DuplicateJob",
    "DuplicateObjectType",
    "DuplicatePreset",
    "DuplicateWebhookReader",
    "EnqueueRefused",
    "Fault",
    "GiveUp",
    "ImportFault",
    "InvalidDocument",
    "InvalidKey",
    "MultipleObjects",
    "NeverAwaited",
    "NoSession",
    "NoSuchRun",
    "NotLoaded",
    "ObjectError",
    "ObjectExists",
    "ObjectNotFound",
    "OutdatedDocument",
    "PermissionDenied",
    "PluginError",
    "PressRefused",
    "QueryError",
    "QueryTooSlow",
    "RecordConflict",
    "RecordError",
    "RecordNotFound",
    "RetryLater",
    "RunEnded",
    "RunNotFound",
    "SettingsError",
    "SoftTimeLimitExceeded",
    "StaleObject",
    "StillReferenced",
    "StorageLost",
    "StorageUnavailable",
    "StoreError",
    "TypeNotInstalled",
    "UndeclaredSettings",
    "UniqueViolation",
    "UnknownObjectType",
    "UsageError",
]
