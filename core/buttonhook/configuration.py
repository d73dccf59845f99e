"""The set-up: jobs, job hooks, job buttons, declared types and users, checked, committed, followed.

Every edit goes through the recorder; it holds from the next transaction on.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Final, Protocol, TypeVar

import msgspec

from buttonhook.errors import RecordConflict, RecordNotFound
from buttonhook.ids import JobId, ObjectChangeAction, new_uuid7
from buttonhook.objects.keys import check_object_type
from buttonhook.receivers.registration import ReceiverType
from buttonhook.records import ConfigRecord, DeclaredType, Job, JobButton, JobHook, UserRecord
from buttonhook.registry import Registry

BUTTON_STYLES: Final = ("default", "primary", "success", "info", "warning", "danger", "link")
ALL_ACTIONS: Final = (ObjectChangeAction.CREATE, ObjectChangeAction.UPDATE, ObjectChangeAction.DELETE)
R = TypeVar("R", JobHook, JobButton)


class Editor(Protocol):
    """Commits records of the set-up."""

    async def edit(
        self, records: Sequence[ConfigRecord] = (), removed: Sequence[tuple[type[Any], str]] = ()
    ) -> None: ...


class Configuration:
    """Reads and edits the set-up. Names are taken as a job's path or its name."""

    def __init__(self, registry: Registry, editor: Editor) -> None:
        self._registry = registry
        self._editor = editor

    async def follow_installed(self) -> None:
        """Bring the job records in line with the receivers that are installed."""
        records: list[Job] = []
        names = {job.name for job in self._registry.all(Job)}
        for receiver in self._registry.receivers.values():
            job = self._registry.find(Job, receiver.id)
            if job is None:
                name = _distinct(receiver.name, names)
                names.add(name)
                records.append(Job(id=receiver.id, name=name, kind=receiver.kind, package=receiver.package))
            else:
                fresh = msgspec.structs.replace(job, installed=True, kind=receiver.kind, package=receiver.package)
                if fresh != job:
                    records.append(fresh)
        records.extend(
            msgspec.structs.replace(job, installed=False)
            for job in self._registry.all(Job)
            if job.installed and job.id not in self._registry.receivers
        )
        if records:
            await self._editor.edit(records)

    def jobs(self) -> list[Job]:
        """All jobs, by name."""
        return self._registry.all(Job)

    def get_job(self, name: str) -> Job:
        """Raises: RecordNotFound."""
        job = self._registry.find_named(Job, name)
        if job is None:
            short = [each for each in self.jobs() if each.id.rpartition(".")[2] == name]
            if len(short) == 1:
                return short[0]
            raise RecordNotFound(
                "job", name, [n for each in self.jobs() for n in (each.name, each.id)], "buttonhook jobs list"
            )
        return job

    def receiver_of(self, job: Job) -> ReceiverType | None:
        """The installed class behind a job."""
        return self._registry.receivers.get(job.id)

    async def enable_job(self, name: str) -> tuple[Job, JobHook | None]:
        """Enable a job. The first time, one whose Meta names object types gets a default job hook, unless it has one."""
        job = self.get_job(name)
        receiver = self._registry.receivers.get(job.id)
        if receiver is None:
            raise RecordConflict("job", job.name, "is not installed", f"Install the package {job.package!r} first.")
        enabled = msgspec.structs.replace(job, enabled=True, was_enabled=True)
        hook = None
        meta = receiver.meta
        has_hook = any(each.job == job.id for each in self.hooks())
        if not job.was_enabled and job.kind == "hook" and meta.object_types and not has_hook:
            name = _distinct(job.name, {each.name for each in self.hooks()})
            hook = self._new_hook(name, job, meta.object_types, meta.actions, enabled=True)
        await self._editor.edit([enabled, *([hook] if hook else [])])
        return enabled, hook

    async def disable_job(self, name: str) -> Job:
        """Disable a job: its hooks fire no more, what waits is revoked."""
        job = msgspec.structs.replace(self.get_job(name), enabled=False)
        await self._editor.edit([job])
        return job

    def hooks(self) -> list[JobHook]:
        """All job hooks, in the order in which they fire."""
        return self._registry.all(JobHook)

    def get_hook(self, name: str) -> JobHook:
        return self._registry.get_named(JobHook, name, "job hook", "buttonhook hooks list")

    async def add_hook(
        self,
        name: str,
        job: str,
        object_types: Iterable[str],
        actions: Iterable[str] = ALL_ACTIONS,
        *,
        enabled: bool = True,
    ) -> JobHook:
        """Raises: RecordNotFound, RecordConflict, UnknownObjectType."""
        hook = self._new_hook(name, self.get_job(job), object_types, actions, enabled=enabled)
        await self._editor.edit([hook])
        return hook

    async def edit_hook(self, name: str, /, **changes: Any) -> JobHook:
        """Change fields of a job hook: `name`, `job`, `object_types`, `actions`, `enabled`."""
        hook = self.get_hook(name)
        wanted = {key: value for key, value in changes.items() if value is not None}
        job = self.get_job(wanted.pop("job", hook.job))
        fields = {**msgspec.structs.asdict(hook), **wanted}
        edited = self._new_hook(
            fields["name"], job, fields["object_types"], fields["actions"], enabled=fields["enabled"], replaces=hook
        )
        await self._editor.edit([edited])
        return edited

    async def remove_hook(self, name: str) -> JobHook:
        hook = self.get_hook(name)
        await self._editor.edit(removed=[(JobHook, hook.id)])
        return hook

    def buttons(self) -> list[JobButton]:
        """All job buttons: by group, weight, name."""
        return sorted(self._registry.all(JobButton), key=lambda each: (each.group, each.weight, each.name))

    def get_button(self, name: str) -> JobButton:
        return self._registry.get_named(JobButton, name, "job button", "buttonhook buttons list")

    async def add_button(
        self, name: str, job: str, object_types: Iterable[str], text: str | None = None, **fields: Any
    ) -> JobButton:
        """Add a job button. `fields` are `group`, `weight`, `style`, `confirmation`, `enabled`."""
        button = self._new_button(name, self.get_job(job), object_types, text if text is not None else name, fields)
        await self._editor.edit([button])
        return button

    async def edit_button(self, name: str, /, **changes: Any) -> JobButton:
        button = self.get_button(name)
        wanted = {key: value for key, value in changes.items() if value is not None}
        job = self.get_job(wanted.pop("job", button.job))
        fields = {**msgspec.structs.asdict(button), **wanted}
        for key in ("id", "job"):
            fields.pop(key)
        edited = self._new_button(
            fields.pop("name"), job, fields.pop("object_types"), fields.pop("text"), fields, replaces=button
        )
        await self._editor.edit([edited])
        return edited

    async def remove_button(self, name: str) -> JobButton:
        button = self.get_button(name)
        await self._editor.edit(removed=[(JobButton, button.id)])
        return button

    async def declare_type(self, name: str) -> DeclaredType:
        """Declare a free object type in this database."""
        check_object_type(name)
        if self._registry.find_type(name) is not None:
            raise RecordConflict("object type", name, "is declared already")
        declared = DeclaredType(id=name, name=name)
        await self._editor.edit([declared])
        return declared

    def users(self) -> list[UserRecord]:
        return self._registry.all(UserRecord)

    async def put_user(self, name: str, *, permissions: Iterable[str] = (), is_owner: bool = False) -> UserRecord:
        """Make a user, or replace what they may do."""
        user = UserRecord(id=name, name=name, is_owner=is_owner, permissions=tuple(sorted(set(permissions))))
        await self._editor.edit([user])
        return user

    def _new_hook(
        self,
        name: str,
        job: Job,
        object_types: Iterable[str],
        actions: Iterable[str],
        *,
        enabled: bool,
        replaces: JobHook | None = None,
    ) -> JobHook:
        if job.kind != "hook":
            raise RecordConflict("job", job.name, "is a job button receiver", "A job hook needs a job hook receiver.")
        types = self._types("job hook", name, object_types)
        wanted = tuple(dict.fromkeys(_action(each) for each in actions))
        if not wanted:
            raise RecordConflict("job hook", name, "names no action", "Give create, update or delete.")
        self._check_free(JobHook, name, "job hook", replaces)
        for other in self.hooks():
            shared = set(other.object_types) & set(types), set(other.actions) & set(wanted)
            if other.job == job.id and all(shared) and (replaces is None or other.id != replaces.id):
                where = f"{', '.join(sorted(shared[0]))} {', '.join(sorted(shared[1]))}"
                raise RecordConflict(
                    "job hook",
                    name,
                    f"overlaps with {other.name!r}: both run {job.name!r} on {where}",
                    "Edit that one.",
                )
        return JobHook(
            id=replaces.id if replaces else new_uuid7(),
            name=name,
            job=JobId(job.id),
            object_types=types,
            actions=wanted,
            enabled=enabled,
        )

    def _new_button(
        self,
        name: str,
        job: Job,
        object_types: Iterable[str],
        text: str,
        fields: dict[str, Any],
        replaces: JobButton | None = None,
    ) -> JobButton:
        if job.kind != "button":
            raise RecordConflict("job", job.name, "is a job hook receiver", "A job button needs a job button receiver.")
        style = fields.get("style", "default")
        if style not in BUTTON_STYLES:
            raise RecordConflict(
                "job button", name, f"has an unknown style {style!r}", f"Known: {', '.join(BUTTON_STYLES)}."
            )
        self._check_free(JobButton, name, "job button", replaces)
        types = self._types("job button", name, object_types)
        id_ = replaces.id if replaces else new_uuid7()
        return JobButton(id=id_, name=name, job=JobId(job.id), object_types=types, text=text, **fields)

    def _types(self, noun: str, name: str, object_types: Iterable[str]) -> tuple[str, ...]:
        types = tuple(dict.fromkeys(self._registry.get_type(each).name for each in object_types))
        if not types:
            raise RecordConflict(noun, name, "names no object type", "Give at least one, as in dcim.device.")
        return types

    def _check_free(self, kind: type[R], name: str, noun: str, replaces: ConfigRecord | None) -> None:
        if not name or name != name.strip() or len(name) > 255:
            raise RecordConflict(noun, name, "has an unfit name", "Use 1 to 255 characters without outer blanks.")
        other = self._registry.find_named(kind, name)
        if other is not None and (replaces is None or other.id != replaces.id):
            raise RecordConflict(noun, name, "exists already", "Choose another name or edit that one.")


def _action(word: str) -> ObjectChangeAction:
    try:
        return ObjectChangeAction(word)
    except ValueError:
        raise RecordConflict("action", word, "is not known", "Known: create, update, delete.") from None


def _distinct(name: str, taken: set[str]) -> str:
    """The name, or `name (2)`, `name (3)` where another job has it."""
    if name not in taken:
        return name
    number = 2
    while f"{name} ({number})" in taken:
        number += 1
    return f"{name} ({number})"
