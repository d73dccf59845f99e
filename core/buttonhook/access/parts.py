"""What the parts of `access` share: who asks, on what occasion, and the parts of the app they go to."""

import asyncio
from typing import Protocol

from msgspec import Struct

from buttonhook.buttons import Presser
from buttonhook.control import Control
from buttonhook.editing import Editor
from buttonhook.explain import Explainer
from buttonhook.plugin_news import PluginNews
from buttonhook.receivers.user import User
from buttonhook.records import Origin
from buttonhook.registry import Registry
from buttonhook.sessions import PreviewGateway
from buttonhook.source_secrets import SourceSecrets
from buttonhook.stores.base import Reader


class Writer(PreviewGateway, Editor, Protocol):
    """Commits object writes and edits of the set-up."""


class Parts(Struct, frozen=True):
    """The parts of an open app."""

    registry: Registry
    reader: Reader
    writer: Writer
    presser: Presser
    control: Control
    explainer: Explainer
    secrets: SourceSecrets
    loop: asyncio.AbstractEventLoop
    plugins: PluginNews


class Asker(Struct, frozen=True):
    """Who asks, and on what occasion."""

    user: User
    origin: Origin
