"""What is known in this process: receiver classes, object types, and the set-up's records as last committed."""

import asyncio
import logging
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TypeVar

import msgspec

from buttonhook.conditions import Preset, built_in_presets
from buttonhook.errors import (
    DuplicateJob,
    DuplicateObjectType,
    DuplicatePreset,
    DuplicateWebhookReader,
    UnknownObjectType,
)
from buttonhook.ids import JobId
from buttonhook.objects.references import kept_references
from buttonhook.objects.types import ObjectType, Upgrade
from buttonhook.people import GroupRecord, LoginRecord, PermissionRecord, SourceRecord, TokenRecord, UserRecord
from buttonhook.receivers.meta import JobMeta
from buttonhook.receivers.registration import ReceiverType
from buttonhook.records import ConfigRecord, DeclaredType, Job, JobButton, JobHook, UniqueIndex
from buttonhook.redaction import Redactor
from buttonhook.webhook_bodies import built_in_readers
from buttonhook.webhooks import WebhookReader

_log = logging.getLogger("buttonhook.registry")

R = TypeVar(
    "R",
    Job,
    JobHook,
    JobButton,
    DeclaredType,
    UserRecord,
    GroupRecord,
    PermissionRecord,
    TokenRecord,
    LoginRecord,
    SourceRecord,
    UniqueIndex,
)


class Registry:
    """Receivers and types of the installed plugins, and the records of jobs, hooks, buttons, types and users.

    `revision` counts the changes of records, so that what is derived from them can be kept until it grows old.
    """

    def __init__(self) -> None:
        self.receivers: dict[JobId, ReceiverType] = {}
        self.presets: dict[str, Preset] = {preset.name: preset for preset in built_in_presets()}
        self.webhook_readers: dict[str, WebhookReader] = {each.name: each for each in built_in_readers()}
        self.redactor = Redactor()
        self.plugin_settings: dict[str, Any] = {}
        """The struct of each plugin that declares settings, by the plugin's name."""
        self._options: dict[JobId, JobMeta] = {}
        self._types: dict[str, ObjectType] = {}
        self._upgrades: list[Upgrade] = []
        self._targets: frozenset[str] | None = None
        self._records: dict[tuple[type[Any], str], ConfigRecord] = {}
        self._ids: dict[type[Any], dict[str, str]] = {}
        """By kind and name, made when first asked for: a token is looked up by its name for every request."""
        self.revision = 0
        self.editing = asyncio.Lock()
        """Held by who reads records, judges and commits an edit of them: else two edits could undo each other."""
        self.derived: dict[tuple[str, str], Any] = {}
        """What was worked out from records, by (what, of whom); forgotten when a record changes."""

    def add_receiver(self, receiver: ReceiverType) -> None:
        """Raises: DuplicateJob: another package brought a job of this path."""
        known = self.receivers.get(receiver.id)
        if known is not None:
            raise DuplicateJob(receiver.id, known.package, receiver.package)
        self.receivers[receiver.id] = receiver

    def add_type(self, type_: ObjectType) -> None:
        """Raises: DuplicateObjectType: another package declared it."""
        known = self._types.get(type_.name)
        if known is not None and known.plugin != "":
            raise DuplicateObjectType(type_.name, known.plugin, type_.plugin or "this database")
        type_.upgrades = self._upgrades
        self._targets = None
        self._types[type_.name] = type_

    def add_upgrade(self, upgrade: Upgrade) -> None:
        """Ask a plugin, after those added before, to mend stored documents that their types refuse."""
        self._upgrades.append(upgrade)

    def add_stored_types(self, names: Iterable[str]) -> None:
        """Know the types that have stored objects: those that nobody declares can still be read and deleted.

        They keep the unique fields and references that the indexes cover, so that a delete gives them free. What they
        refer to is protected.
        """
        self._targets = None
        for name in names:
            if name not in self._types:
                index = self.find(UniqueIndex, name)
                gone = ObjectType(
                    name,
                    unique=[tuple(each.split(",")) for each in index.fields] if index else (),
                    references=kept_references(index.references) if index else None,
                )
                gone.is_installed = False
                self._types[name] = gone

    def add_preset(self, preset: Preset) -> None:
        """Raises: DuplicatePreset: another package brought one of this name."""
        known = self.presets.get(preset.name)
        if known is not None:
            raise DuplicatePreset(preset.name, known.place, preset.place)
        self.presets[preset.name] = preset

    def add_webhook_reader(self, reader: WebhookReader) -> None:
        """Raises: DuplicateWebhookReader: another package brought one of this name."""
        known = self.webhook_readers.get(reader.name)
        if known is not None:
            raise DuplicateWebhookReader(reader.name, known.place, reader.place)
        self.webhook_readers[reader.name] = reader

    def options(self, job: JobId) -> JobMeta:
        """The options in force for an installed job: the class's, but for what its record overrides.

        An override that this version of the class does not take any more is left out and told.
        """
        options = self._options.get(job)
        if options is None:
            options = self.receivers[job].meta
            record = self.find(Job, job)
            for name, value in {} if record is None else record.overrides.items():
                try:
                    options = msgspec.convert({**msgspec.structs.asdict(options), name: value}, JobMeta)
                except msgspec.ValidationError as exc:
                    _log.warning(
                        "Job %s follows its class in %r: its override %r does not fit: %s", job, name, value, exc
                    )
            self._options[job] = options
        return options

    def find_type(self, name: str) -> ObjectType | None:
        """A type that is declared or has stored objects, or None."""
        return self._types.get(name)

    @property
    def reference_targets(self) -> frozenset[str]:
        """The types that some type refers to."""
        if self._targets is None:
            types = self._types.values()
            self._targets = frozenset(each.target for type_ in types for each in type_.references.values())
        return self._targets

    def is_installed(self, name: str) -> bool:
        """Whether a plugin, the host program or the database declares a type."""
        type_ = self._types.get(name)
        return type_ is not None and type_.is_installed

    def get_type(self, name: str) -> ObjectType:
        """A type that is declared or has stored objects. Raises: UnknownObjectType."""
        try:
            return self._types[name]
        except KeyError:
            raise UnknownObjectType(name, sorted(self._types)) from None

    def list_types(self) -> list[ObjectType]:
        """All types that are declared or have stored objects, by name."""
        return [self._types[name] for name in sorted(self._types)]

    def put(self, records: Sequence[ConfigRecord], removed: Iterable[tuple[type[Any], str]] = ()) -> None:
        """Follow a committed change of the set-up."""
        for key in removed:
            self._records.pop(key, None)
        for record in records:
            self._records[type(record), record.id] = record
            if isinstance(record, DeclaredType) and not self.is_installed(record.name):
                self._types[record.name] = ObjectType(record.name)
                self._targets = None
        self.revision += 1
        self._ids.clear()
        self.derived.clear()
        self._options.clear()
        if any(isinstance(record, Job | JobHook | JobButton) for record in records):
            for preset in self.presets.values():
                preset.slow = 0

    def all(self, kind: type[R]) -> list[R]:
        """The records of one kind, by name."""
        return sorted(self._iterate(kind), key=lambda record: record.name)

    def find(self, kind: type[R], id_: str) -> R | None:
        """The record of an id, or None."""
        record = self._records.get((kind, id_))
        return record if isinstance(record, kind) else None

    def find_named(self, kind: type[R], name: str) -> R | None:
        """The record of an id or a name, or None."""
        record = self.find(kind, name)
        if record is not None:
            return record
        ids = self._ids.get(kind)
        if ids is None:
            ids = self._ids[kind] = {each.name: each.id for each in self._iterate(kind)}
        return self.find(kind, ids.get(name, ""))

    def _iterate(self, kind: type[R]) -> Iterator[R]:
        return (record for (each, _), record in self._records.items() if each is kind and isinstance(record, kind))
