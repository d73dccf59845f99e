"""The set-up: jobs, job hooks, job buttons and declared types, checked, committed, followed.

Every edit goes through the recorder, as a change of its author; it holds from the next transaction on.
"""

from collections.abc import Iterable
from typing import Any, Final

import msgspec
from msgspec import Struct

from buttonhook.conditions import read_rows
from buttonhook.editing import Editing, check_name, distinct, is_form_of, one_at_a_time
from buttonhook.errors import RecordConflict
from buttonhook.ids import JobId, ObjectChangeAction, RunAs, new_uuid7, now
from buttonhook.objects.keys import check_object_type
from buttonhook.objects.types import to_fault
from buttonhook.receivers.meta import JobMeta
from buttonhook.receivers.registration import ReceiverType
from buttonhook.records import ConditionRow, DeclaredType, Job, JobButton, JobHook

BUTTON_STYLES: Final = ("default", "primary", "success", "info", "warning", "danger", "link")
EDIT_JOB: Final = "enable, disable or edit a job"
ALL_ACTIONS: Final = (ObjectChangeAction.CREATE, ObjectChangeAction.UPDATE, ObjectChangeAction.DELETE)
OVERRIDABLE: Final = (
    "name",
    "description",
    "grouping",
    "hidden",
    "soft_time_limit",
    "time_limit",
    "is_singleton",
    "retries",
    "retry_backoff",
    "max_concurrency",
    "ordering",
)
"""The options of a job that its record may override; all else follows the class."""


class HookDraft(Struct, frozen=True, kw_only=True):
    """A job hook as somebody wants it, before it is checked."""

    name: str
    job: str
    object_types: tuple[str, ...]
    actions: tuple[str, ...] = ALL_ACTIONS
    enabled: bool = True
    conditions: tuple[Any, ...] = ()
    run_as: RunAs = "installer"
    allow_job_hook_changes: bool = False


class Configuration(Editing):
    """Reads and edits the set-up. Names are taken as a job's path or its name."""

    async def follow_installed(self) -> None:
        """Bring the job records in line with the receivers that are installed."""
        records: list[Job] = []
        names = {job.name for job in self._registry.all(Job)}
        for receiver in self._registry.receivers.values():
            job = self._registry.find(Job, receiver.id)
            if job is None:
                name = distinct(receiver.name, names)
                names.add(name)
                records.append(Job(id=receiver.id, name=name, kind=receiver.kind, package=receiver.package))
            else:
                name = job.name if "name" in job.overrides or is_form_of(job.name, receiver.name) else receiver.name
                if name != job.name:
                    name = distinct(name, names - {job.name})
                    names.add(name)
                fresh = msgspec.structs.replace(
                    job, name=name, installed=True, kind=receiver.kind, package=receiver.package
                )
                if fresh != job:
                    records.append(fresh)
        records.extend(
            msgspec.structs.replace(job, installed=False)
            for job in self._registry.all(Job)
            if job.installed and job.id not in self._registry.receivers
        )
        if records:
            await self._editor.edit(records)  # nobody's edit: no change is recorded

    def jobs(self) -> list[Job]:
        """All jobs, by name."""
        return self._visible("see a job", self._registry.all(Job))

    def get_job(self, name: str) -> Job:
        """Raises: RecordNotFound."""
        short = [each for each in self.jobs() if each.id.rpartition(".")[2] == name]
        if len(short) == 1 and self._registry.find_named(Job, name) is None:
            return short[0]
        return self._get("see a job", Job, name, "job", "buttonhook jobs list")

    def receiver_of(self, job: Job) -> ReceiverType | None:
        """The installed class behind a job."""
        return self._registry.receivers.get(job.id)

    @one_at_a_time
    async def enable_job(self, name: str) -> tuple[Job, JobHook | None]:
        """Enable a job. The first time, one whose Meta names object types gets a default job hook if it has none."""
        job, _ = self._installed(name, "enable")
        enabled = msgspec.structs.replace(job, enabled=True, was_enabled=True)
        self._require(EDIT_JOB, f"enable job {job.name!r}", enabled)
        draft = self.default_hook(job)
        hook = None if draft is None else self.new_hook(draft)
        await self._edit([enabled, *([hook] if hook else [])])
        return enabled, hook

    def default_hook(self, job: Job) -> HookDraft | None:
        """The job hook that enabling a job makes: the first time only, and only where it has none."""
        receiver = self._registry.receivers.get(job.id)
        if receiver is None or job.was_enabled or job.kind != "hook" or not receiver.meta.object_types:
            return None
        hooks = self._registry.all(JobHook)
        if any(each.job == job.id for each in hooks):
            return None
        name, meta = distinct(job.name, {each.name for each in hooks}), receiver.meta
        return HookDraft(
            name=name, job=job.id, object_types=meta.object_types, actions=meta.actions, conditions=meta.conditions
        )

    @one_at_a_time
    async def edit_job(self, name: str, /, **overrides: Any) -> Job:
        """Override options of a job; None lets an option follow the class again.

        Raises:
            RecordConflict: an option cannot be overridden, or its value is of a wrong kind.
        """
        job, receiver = self._installed(name, "edit")
        kept = dict(job.overrides)
        for option, value in overrides.items():
            if option not in OVERRIDABLE:
                raise RecordConflict(
                    "job", job.name, f"cannot override {option!r}", f"Known: {', '.join(OVERRIDABLE)}."
                )
            kept.pop(option, None)
            if value is not None:
                kept[option] = value
        try:
            msgspec.convert({**msgspec.structs.asdict(receiver.meta), **kept}, JobMeta)
        except msgspec.ValidationError as exc:
            fault = to_fault(exc)
            problem = f"cannot have {fault.path}: {fault.message}"
            raise RecordConflict("job", job.name, problem, field=fault.path.partition(".")[0]) from exc
        names = {each.name for each in self._registry.all(Job) if each.id != job.id}
        wanted = str(kept.get("name", receiver.name))
        if "name" in kept:
            check_name("job", wanted)
        if "name" in kept and wanted in names:
            raise RecordConflict("job", wanted, "exists already", "Choose another name.", field="name")
        edited = msgspec.structs.replace(job, name=distinct(wanted, names), overrides=kept)
        self._require(EDIT_JOB, f"edit job {job.name!r}", edited)
        await self._edit([edited])
        return edited

    @one_at_a_time
    async def disable_job(self, name: str) -> Job:
        """Disable a job: its hooks fire no more, what waits is revoked."""
        job = self.get_job(name)
        disabled = msgspec.structs.replace(job, enabled=False)
        self._require(EDIT_JOB, f"disable job {job.name!r}", (job, disabled))
        await self._edit([disabled])
        return disabled

    def _installed(self, name: str, verb: str) -> tuple[Job, ReceiverType]:
        """A job that the user may edit, with its class.

        Raises:
            RecordNotFound, PermissionDenied, RecordConflict: there is none, or not for this user, or no class.
        """
        job = self.get_job(name)
        self._require(EDIT_JOB, f"{verb} job {job.name!r}", job)
        receiver = self._registry.receivers.get(job.id)
        if receiver is None:
            raise RecordConflict("job", job.name, "is not installed", f"Install the package {job.package!r} first.")
        return job, receiver

    def hooks(self) -> list[JobHook]:
        """All job hooks, in the order in which they fire."""
        return self._visible("see a job hook", self._registry.all(JobHook))

    def get_hook(self, name: str) -> JobHook:
        """Raises: RecordNotFound."""
        return self._get("see a job hook", JobHook, name, "job hook", "buttonhook hooks list")

    @one_at_a_time
    async def add_hook(
        self, /, name: str, job: str, object_types: Iterable[str], actions: Iterable[str] = ALL_ACTIONS, **fields: Any
    ) -> JobHook:
        """Add a job hook. `fields` are `enabled`, `conditions`, `run_as`, `allow_job_hook_changes`.

        Raises:
            RecordNotFound, RecordConflict, UnknownObjectType, BadCondition: nothing was added.
        """
        what = f"add job hook {name!r}"
        self._require("add a job hook", what)  # before anything is told of what there is
        draft = HookDraft(name=name, job=job, object_types=tuple(object_types), actions=tuple(actions), **fields)
        hook = self.new_hook(draft)
        self._require("add a job hook", what, hook)
        await self._edit([hook])
        return hook

    @one_at_a_time
    async def edit_hook(self, name: str, /, **changes: Any) -> JobHook:
        """Change fields of a job hook; those that are None stay."""
        hook = self.get_hook(name)
        what = f"edit job hook {name!r}"
        self._require("edit a job hook", what, hook)
        fields = {each: getattr(hook, each) for each in HookDraft.__struct_fields__}
        fields.update((key, value) for key, value in changes.items() if value is not None)
        edited = self.new_hook(HookDraft(**fields), replaces=hook)
        self._require("edit a job hook", what, edited)
        await self._edit([edited])
        return edited

    @one_at_a_time
    async def remove_hook(self, name: str) -> JobHook:
        hook = self.get_hook(name)
        self._require("remove a job hook", f"remove job hook {name!r}", hook)
        await self._edit(removed=[(JobHook, hook.id)])
        return hook

    def buttons(self) -> list[JobButton]:
        """All job buttons: by group, weight, name."""
        buttons = sorted(self._registry.all(JobButton), key=lambda each: (each.group, each.weight, each.name))
        return self._visible("see a job button", buttons)

    def get_button(self, name: str) -> JobButton:
        """Raises: RecordNotFound."""
        return self._get("see a job button", JobButton, name, "job button", "buttonhook buttons list")

    @one_at_a_time
    async def add_button(
        self, /, name: str, job: str, object_types: Iterable[str], text: str | None = None, **fields: Any
    ) -> JobButton:
        """Add a job button. `fields` are `group`, `weight`, `style`, `confirmation`, `enabled`."""
        what = f"add job button {name!r}"
        self._require("add a job button", what)
        button = self._new_button(name, self.get_job(job), object_types, text if text is not None else name, fields)
        self._require("add a job button", what, button)
        await self._edit([button])
        return button

    @one_at_a_time
    async def edit_button(self, name: str, /, **changes: Any) -> JobButton:
        button = self.get_button(name)
        what = f"edit job button {name!r}"
        self._require("edit a job button", what, button)
        wanted = {key: value for key, value in changes.items() if value is not None}
        job = self._job(wanted.pop("job", button.job), button)
        fields = {**msgspec.structs.asdict(button), **wanted}
        for key in ("id", "job"):
            fields.pop(key)
        edited = self._new_button(
            fields.pop("name"), job, fields.pop("object_types"), fields.pop("text"), fields, replaces=button
        )
        self._require("edit a job button", what, edited)
        await self._edit([edited])
        return edited

    @one_at_a_time
    async def remove_button(self, name: str) -> JobButton:
        button = self.get_button(name)
        self._require("remove a job button", f"remove job button {name!r}", button)
        await self._edit(removed=[(JobButton, button.id)])
        return button

    @one_at_a_time
    async def declare_type(self, name: str) -> DeclaredType:
        """Declare a free object type in this database."""
        self._require("declare an object type", f"declare the object type {name}")
        check_object_type(name)
        if self._registry.is_installed(name):
            raise RecordConflict("object type", name, "is declared already")
        declared = DeclaredType(id=name, name=name)
        self._require("declare an object type", f"declare the object type {name}", declared)
        await self._edit([declared])
        return declared

    def new_hook(self, draft: "HookDraft", replaces: JobHook | None = None, *, checks_overlap: bool = True) -> JobHook:
        """A checked job hook that is not saved yet.

        Raises:
            RecordNotFound, RecordConflict, UnknownObjectType, BadCondition: it cannot be.
        """
        name, job = draft.name, self._job(draft.job, replaces)
        if job.kind != "hook":
            problem, cure = "is a job button receiver", "A job hook needs a job hook receiver."
            raise RecordConflict("job", job.name, problem, cure, field="job")
        types = self._types("job hook", name, draft.object_types, replaces)
        actions = tuple(dict.fromkeys(_action(each) for each in draft.actions))
        if not actions:
            raise RecordConflict("job hook", name, "names no action", "Give create, update or delete.", field="actions")
        if draft.run_as not in ("installer", "author"):
            problem = f"cannot run as {draft.run_as!r}"
            raise RecordConflict("job hook", name, problem, "Known: installer, author.", field="run_as")
        self._check_free(JobHook, name, "job hook", replaces)
        hook = JobHook(
            id=replaces.id if replaces else new_uuid7(),
            name=name,
            job=JobId(job.id),
            object_types=types,
            actions=actions,
            enabled=draft.enabled,
            conditions=self._rows(f"Job hook {name!r}", draft.conditions, replaces),
            run_as=draft.run_as,
            allow_job_hook_changes=draft.allow_job_hook_changes,
            edited_at=now(),
        )
        if checks_overlap:
            self._check_overlap(hook, job)
        return hook

    def _check_overlap(self, hook: JobHook, job: Job) -> None:
        """The original's rule: no two hooks run the same job on the same type and action, enabled or not."""
        for other in self._registry.all(JobHook):
            shared = set(other.object_types) & set(hook.object_types), set(other.actions) & set(hook.actions)
            if other.job == hook.job and all(shared) and other.id != hook.id:
                where = f"{', '.join(sorted(shared[0]))} {', '.join(sorted(shared[1]))}"
                named = repr(other.name) if self._visible("see a job hook", [other]) else "one that you may not see"
                problem = f"overlaps with {named}: both run {job.name!r} on {where}"
                raise RecordConflict("job hook", hook.name, problem, "Edit that one.")

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
            problem, cure = "is a job hook receiver", "A job button needs a job button receiver."
            raise RecordConflict("job", job.name, problem, cure, field="job")
        style = fields.get("style", "default")
        if style not in BUTTON_STYLES:
            problem, cure = f"has an unknown style {style!r}", f"Known: {', '.join(BUTTON_STYLES)}."
            raise RecordConflict("job button", name, problem, cure, field="style")
        self._check_free(JobButton, name, "job button", replaces)
        types = self._types("job button", name, object_types, replaces)
        id_ = replaces.id if replaces else new_uuid7()
        rows = self._rows(f"Job button {name!r}", fields.pop("conditions", ()), replaces)
        return JobButton(id=id_, name=name, job=JobId(job.id), object_types=types, text=text, conditions=rows, **fields)

    def _job(self, name: str, replaces: JobHook | JobButton | None) -> Job:
        """The job that stays need not be one that who edits may see."""
        kept = self._registry.find(Job, name) if replaces is not None and name == replaces.job else None
        return kept or self.get_job(name)

    def _rows(self, subject: str, given: Any, replaces: JobHook | JobButton | None) -> tuple[ConditionRow, ...]:
        """Conditions that stay as they are, are not checked anew: their preset may be gone for a while."""
        if replaces is not None and given == replaces.conditions:
            return replaces.conditions
        return read_rows(given, self._registry.presets, subject)

    def _types(
        self, noun: str, name: str, object_types: Iterable[str], replaces: JobHook | JobButton | None
    ) -> tuple[str, ...]:
        """Types that stay as they are, are not checked anew: their plugin may be gone for a while."""
        wanted = tuple(dict.fromkeys(object_types))
        if replaces is not None and wanted == replaces.object_types:
            return wanted
        types = tuple(self._registry.get_type(each).name for each in wanted)
        if not types:
            cure = "Give at least one, as in dcim.device."
            raise RecordConflict(noun, name, "names no object type", cure, field="object_types")
        return types


def _action(word: str) -> ObjectChangeAction:
    try:
        return ObjectChangeAction(word)
    except ValueError:
        raise RecordConflict(
            "action", word, "is not known", "Known: create, update, delete.", field="actions"
        ) from None
