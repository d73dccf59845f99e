"""The set-up through the API: jobs, job hooks, job buttons, declared types. The daemon judges, never this."""

from collections.abc import Iterable, Sequence
from typing import Any, Final, TypeVar

import msgspec
from msgspec import Struct

from buttonhook.cli.acting import JobOptions
from buttonhook.cli.remote.connection import Connection, segment
from buttonhook.cli.remote.mirror import MirroredType, TypeShape, given
from buttonhook.cli.remote.reading import record_of, wire
from buttonhook.configuration import ALL_ACTIONS, Configuration
from buttonhook.editing import Removed
from buttonhook.errors import UsageError
from buttonhook.records import ConfigRecord, DeclaredType, Job, JobButton, JobHook, Origin
from buttonhook.registry import Registry

R = TypeVar("R", Job, JobHook, JobButton)
JOBS: Final = "/api/jobs"
HOOKS: Final = "/api/job-hooks"
BUTTONS: Final = "/api/job-buttons"


class NoEditor:
    """Stands where an editor is asked for: all edits are the daemon's."""

    async def edit(
        self, records: Sequence[ConfigRecord] = (), removed: Sequence[Removed] = (), origin: Origin | None = None
    ) -> None:
        raise UsageError("An edit went past the daemon. Ask the API for it.")


class _JobExtras(Struct, frozen=True):
    """What the API tells of a job beside its record."""

    class_meta: dict[str, Any] | None
    is_hidden: bool
    is_async: bool | None
    added_hook: str | None = None


class RemoteConfiguration(Configuration):
    """Reads and edits the set-up of a daemon (contract: `Configuration`). `load` comes before reading."""

    def __init__(self, registry: Registry, connection: Connection) -> None:
        super().__init__(registry, NoEditor())
        self._connection = connection
        self._extras: dict[str, _JobExtras] = {}

    async def load(self, sees: frozenset[str]) -> None:
        """Take over what the user may see of jobs, job hooks and job buttons, of those that the command looks at."""
        if "jobs" in sees:
            for text in await self._connection.seen("jobs.view_job", JOBS, msgspec.Raw, {"hidden": "true"}):
                self._take_job(bytes(text))
        if "hooks" in sees:
            for text in await self._connection.seen("jobs.view_jobhook", HOOKS, msgspec.Raw):
                self._take(JobHook, bytes(text))
        if "buttons" in sees:
            for text in await self._connection.seen("jobs.view_jobbutton", BUTTONS, msgspec.Raw):
                self._take(JobButton, bytes(text))

    def options(self, job: Job) -> JobOptions | None:
        """How a job runs."""
        extras = self._extras.get(job.id)
        if extras is None or extras.class_meta is None:
            return None
        return JobOptions(_with_tuples(extras.class_meta), extras.is_hidden, bool(extras.is_async))

    def _take_job(self, text: bytes) -> tuple[Job, _JobExtras]:
        extras = msgspec.json.decode(text, type=_JobExtras)
        job = self._take(Job, text)
        self._extras[job.id] = extras
        return job, extras

    def _take(self, kind: type[R], text: bytes) -> R:
        record = record_of(kind, msgspec.json.decode(text, type=wire(kind)))
        self._registry.put([record])
        return record

    # --- jobs -------------------------------------------------------------------------------------

    async def _job_act(self, name: str, act: str) -> tuple[Job, _JobExtras]:
        path = f"{JOBS}/{segment(self.get_job(name).id)}/{act}"
        return self._take_job(bytes(await self._connection.send("POST", path, msgspec.Raw)))

    async def enable_job(self, name: str) -> tuple[Job, JobHook | None]:
        job, extras = await self._job_act(name, "enable")
        if extras.added_hook is None:
            return job, None
        found = await self._connection.find(f"{HOOKS}/{segment(extras.added_hook)}", msgspec.Raw)
        return job, None if found is None else self._take(JobHook, bytes(found))

    async def disable_job(self, name: str) -> Job:
        return (await self._job_act(name, "disable"))[0]

    async def edit_job(self, name: str, /, **overrides: Any) -> Job:
        path = f"{JOBS}/{segment(self.get_job(name).id)}"
        return self._take_job(bytes(await self._connection.send("PATCH", path, msgspec.Raw, {"overrides": overrides})))[
            0
        ]

    # --- job hooks and job buttons ----------------------------------------------------------------

    async def add_hook(
        self, /, name: str, job: str, object_types: Iterable[str], actions: Iterable[str] = ALL_ACTIONS, **fields: Any
    ) -> JobHook:
        self._connection.require("add a job hook", f"add job hook {name!r}")
        body = {"name": name, "job": job, "object_types": list(object_types), "actions": list(actions), **fields}
        return await self._put(JobHook, "POST", HOOKS, body)

    async def edit_hook(self, name: str, /, **changes: Any) -> JobHook:
        return await self._put(JobHook, "PATCH", f"{HOOKS}/{segment(self.get_hook(name).id)}", given(**changes))

    async def remove_hook(self, name: str) -> JobHook:
        hook = self.get_hook(name)
        await self._connection.ask("DELETE", f"{HOOKS}/{segment(hook.id)}")
        self._registry.put([], [(JobHook, hook.id)])
        return hook

    async def add_button(
        self, /, name: str, job: str, object_types: Iterable[str], text: str | None = None, **fields: Any
    ) -> JobButton:
        self._connection.require("add a job button", f"add job button {name!r}")
        body = {"name": name, "job": job, "object_types": list(object_types), **given(text=text), **fields}
        return await self._put(JobButton, "POST", BUTTONS, body)

    async def edit_button(self, name: str, /, **changes: Any) -> JobButton:
        return await self._put(JobButton, "PATCH", f"{BUTTONS}/{segment(self.get_button(name).id)}", given(**changes))

    async def remove_button(self, name: str) -> JobButton:
        button = self.get_button(name)
        await self._connection.ask("DELETE", f"{BUTTONS}/{segment(button.id)}")
        self._registry.put([], [(JobButton, button.id)])
        return button

    async def _put(self, kind: type[R], method: str, path: str, body: Any) -> R:
        return self._take(kind, bytes(await self._connection.send(method, path, msgspec.Raw, body)))

    # --- object types -----------------------------------------------------------------------------

    async def declare_type(self, name: str) -> DeclaredType:
        self._connection.require("declare an object type", f"declare the object type {name}")
        shape = await self._connection.send("POST", "/api/object-types", TypeShape, {"object_type": name})
        self._registry.add_type(MirroredType(shape))
        return DeclaredType(id=name, name=name)


def _with_tuples(meta: dict[str, Any]) -> dict[str, Any]:
    """Options as the class holds them."""
    return {name: tuple(value) if isinstance(value, list) else value for name, value in meta.items()}
