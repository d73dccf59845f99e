"""Receivers to read, copy and change: what a button and a hook can do, in as few lines as it takes.

Importing this package registers them all; one condition preset and one webhook reader come with them. What is more
than an example belongs in a package of its own.
"""

from buttonhook_examples.buttons import Clone, Decommission, Hello
from buttonhook_examples.hooks import SerialGuard
from buttonhook_examples.plain import PlainClone, PlainHello, PlainSerialGuard
from buttonhook_examples.presets import buttonhook_condition_presets, list_gained
from buttonhook_examples.pushes import buttonhook_webhook_readers, read_push
from buttonhook_examples.seals import Seal, buttonhook_redaction_names, buttonhook_settings

__all__ = [
    "Clone",
    "Decommission",
    "Hello",
    "PlainClone",
    "PlainHello",
    "PlainSerialGuard",
    "Seal",
    "SerialGuard",
    "buttonhook_condition_presets",
    "buttonhook_redaction_names",
    "buttonhook_settings",
    "buttonhook_webhook_readers",
    "list_gained",
    "read_push",
]
