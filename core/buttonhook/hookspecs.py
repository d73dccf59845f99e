"""The whole plugin surface on one page.

A plugin is a package that names a module under the entry-point group `buttonhook`. What that module defines with
`@hookimpl` is collected once, at start-up, one package at a time. Receivers need none of this:
`register_jobs(...)` at module level is enough for them.
"""

from collections.abc import Iterable
from typing import Any

import pluggy
from msgspec import Struct

from buttonhook.conditions import Preset
from buttonhook.webhooks import WebhookReader

PROJECT = "buttonhook"
ENTRY_POINT_GROUP = "buttonhook"

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def buttonhook_register_jobs() -> Iterable[type[Any]]:
    """Receiver classes this plugin brings, besides those given to `register_jobs`."""
    return ()


@hookspec
def buttonhook_object_types() -> Iterable[type[Any] | str]:
    """Object types this plugin brings: TrackedObject classes, or `app.model` names of free types."""
    return ()


@hookspec
def buttonhook_upgrade_object(object_type: str, data: dict[str, Any]) -> dict[str, Any] | None:
    """The document as its type wants it now, made from a stored one that its struct refuses; None for not mine."""
    return None


@hookspec
def buttonhook_settings() -> type[Struct]:
    """The struct of this plugin's settings, `self.settings` of its receivers; read from file and environment."""
    return Struct


@hookspec
def buttonhook_redaction_names() -> Iterable[str]:
    """Names of what is secret in this plugin's field, as `door_code`: what is so named is redacted in logs."""
    return ()


@hookspec
def buttonhook_condition_presets() -> Iterable[Preset]:
    """Condition presets this plugin brings: pure synchronous functions that job hooks and job buttons can ask."""
    return ()


@hookspec
def buttonhook_webhook_readers() -> Iterable[WebhookReader]:
    """Kinds of webhook source this plugin brings: plain functions that read a signed body into objects."""
    return ()
