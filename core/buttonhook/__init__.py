"""Buttonhook runs your Python code when data changes and when a person presses a button.

This root holds what plugin authors and host programs need; nothing inside the package imports it.
"""

from buttonhook.app import App, open_app
from buttonhook.conditions import Answer, Payload, Preset
from buttonhook.errors import (
    BrokenReference,
    ButtonhookError,
    EnqueueRefused,
    GiveUp,
    InvalidDocument,
    ObjectNotFound,
    RetryLater,
    RunEnded,
    SoftTimeLimitExceeded,
    StaleObject,
    StillReferenced,
    UniqueViolation,
)
from buttonhook.hookspecs import hookimpl
from buttonhook.ids import JobResultStatus, LogLevel, ObjectChangeAction
from buttonhook.objects.change import ObjectChange
from buttonhook.objects.references import Ref, target
from buttonhook.objects.tracked import FreeObject, TrackedObject
from buttonhook.receivers.base import JobButtonReceiver, JobHookReceiver
from buttonhook.receivers.registration import register_jobs
from buttonhook.receivers.user import User
from buttonhook.redaction import Secret

ObjectChangeActionChoices = ObjectChangeAction

__all__ = [
    "Answer",
    "App",
    "BrokenReference",
    "ButtonhookError",
    "EnqueueRefused",
    "FreeObject",
    "GiveUp",
    "InvalidDocument",
    "JobButtonReceiver",
    "JobHookReceiver",
    "JobResultStatus",
    "LogLevel",
    "ObjectChange",
    "ObjectChangeAction",
    "ObjectChangeActionChoices",
    "ObjectNotFound",
    "Payload",
    "Preset",
    "Ref",
    "RetryLater",
    "RunEnded",
    "Secret",
    "SoftTimeLimitExceeded",
    "StaleObject",
    "StillReferenced",
    "TrackedObject",
    "UniqueViolation",
    "User",
    "hookimpl",
    "open_app",
    "register_jobs",
    "target",
]
