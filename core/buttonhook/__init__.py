"""Buttonhook runs your Python code when data changes and when a person presses a button.

This root holds what plugin authors and host programs need; nothing inside the package imports it.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

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

if TYPE_CHECKING:  # our own code, for once: see `__getattr__`
    from buttonhook.app import App, open_app

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


def __getattr__(name: str) -> Any:
    """Load the app when it is asked for: a command that asks a daemon starts in half the time without it."""
    if name in ("App", "open_app"):
        return getattr(import_module("buttonhook.app"), name)
    raise AttributeError(f"module 'buttonhook' has no attribute {name!r}")
