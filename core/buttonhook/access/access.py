"""Everything one user may see and do, in one place."""

from functools import cached_property
from typing import Any, TypeVar, cast, overload

import anyio
import msgspec
from msgspec import Struct

from buttonhook.access.causes import Causes
from buttonhook.access.history import History
from buttonhook.access.objects import GuardedSession
from buttonhook.access.parts import Asker, Parts
from buttonhook.access.runs import Runs
from buttonhook.administration import Administration
from buttonhook.configuration import Configuration
from buttonhook.explain import Explanation, Trial
from buttonhook.objects.query import Objects
from buttonhook.objects.tracked import FreeObject
from buttonhook.permissions import may_see_hook, missing, require
from buttonhook.plugins import PluginReport
from buttonhook.receivers.base import TransactionBlock
from buttonhook.receivers.user import User
from buttonhook.records import ChangeQuery, ChangeRecord, JobHook, Origin, ResultQuery
from buttonhook.sources import Sources

T = TypeVar("T")


class TriedChange(Struct, frozen=True):
    """A past change, and what a job hook would say to it."""

    change: ChangeRecord
    trial: Trial


class Access:
    """One user's way in. Each call asks their permissions as they are when the `Access` is made."""

    def __init__(self, parts: Parts, user: User, origin: Origin) -> None:
        self.user = user
        self._parts = parts
        self._origin = origin
        self._asker = Asker(user, origin)

    # Each part is made when it is first asked for: a request needs one or two of them.

    @cached_property
    def configuration(self) -> Configuration:
        """Jobs, job hooks, job buttons, object types."""
        return Configuration(self._parts.registry, self._parts.writer, self._origin, self.user)

    @cached_property
    def administration(self) -> Administration:
        """Users, groups, permissions, tokens."""
        return Administration(self._parts.registry, self._parts.writer, self._origin, self.user)

    @cached_property
    def sources(self) -> Sources:
        """What sends webhooks."""
        return Sources(self._parts.registry, self._parts.writer, self._parts.secrets, self._origin, self.user)

    @cached_property
    def history(self) -> History:
        """Changes, job results, logs."""
        return History(self._parts, self._asker)

    @cached_property
    def causes(self) -> Causes:
        """What led to what."""
        return Causes(self.history)

    @cached_property
    def runs(self) -> Runs:
        """Pressing, cancelling, rerunning."""
        return Runs(self._parts, self._asker)

    @cached_property
    def session(self) -> GuardedSession:
        """Objects."""
        return GuardedSession(self._parts, self._asker)

    @overload
    def objects(self, what: type[T]) -> Objects[T]: ...

    @overload
    def objects(self, what: str) -> Objects[FreeObject]: ...

    def objects(self, what: Any) -> Any:
        """Queries over a struct type or an `app.model`, of what the user may see."""
        return self.session.objects(what)

    def transaction(self) -> TransactionBlock:
        """A block whose writes are committed together at its end, if the user may make them all, or not at all."""
        return cast(TransactionBlock, self.session.transaction())

    async def because_of(self, result_id: str) -> "Access":
        """The same user's way in for what comes back from outside because a run went there: it belongs to its chain.

        So job hooks and depth are judged as if the run itself had written, which keeps two systems that tell each
        other of changes from doing so for ever. It also keeps hooks from firing, so not everybody may claim it.

        Raises:
            RecordNotFound, PermissionDenied: there is no such result, or not for this user.
        """
        result = await self.history.get_result(result_id)
        require(self.user, "say which run caused a change", f"say that job result {result.number} caused it", result)
        origin = msgspec.structs.replace(
            self._origin,
            cause=result.id,
            root=result.root or result.id,
            depth=result.depth + 1,
            is_hooks=result.is_hooks,
            chain=result.chain,
        )
        return Access(self._parts, self.user, origin)

    def plugins(self) -> list[PluginReport]:
        """The installed plugins that the user may see: what each brings, what is wrong with it (redacted), and what
        changed on the disk since they were loaded."""
        redact = self._parts.registry.redactor.redact
        return [
            msgspec.structs.replace(
                each,
                errors=[redact(text) for text in each.errors],
                warnings=[redact(text) for text in each.warnings],
                traceback=None if each.traceback is None else redact(each.traceback),
            )
            for each in self._parts.plugins.reports()
            if missing(self.user, "see plugins", each) is None
        ]

    async def explain(self, change_id: int) -> Explanation:
        """Why each job hook that the user may see did or did not fire on a change that they may see.

        Of the runs it caused those that they may see are named.

        Raises:
            RecordNotFound, PermissionDenied: there is no such change, or not for this user.
        """
        change = await self.history.get_change(change_id)
        registry = self._parts.registry
        explanation = await self._parts.explainer.explain(
            change_id, lambda hook_id: may_see_hook(self.user, registry, hook_id)
        )
        query = ResultQuery(change_id=change_id, ascending=True, limit=1000)
        seen = {each.id for each in await self.history.results(query)}
        verdicts = tuple(
            msgspec.structs.replace(each, results=tuple(id_ for id_ in each.results if id_ in seen))
            for each in explanation.verdicts
        )
        return msgspec.structs.replace(explanation, change=change, verdicts=verdicts)

    async def try_out(self, hook: JobHook, change_id: int) -> Trial:
        """What a job hook, saved or not, would say to a past change that the user may see. Nothing runs."""
        return await self._parts.explainer.try_on(hook, await self.history.get_change(change_id))

    async def try_out_on(self, hook: JobHook, change_id: int | None, last: int) -> list[TriedChange]:
        """What a job hook, saved or not, would say to one past change, or to the last ones of its object types.

        Of those that the user may see, newest first. Nothing runs.

        Raises:
            RecordNotFound, PermissionDenied: there is no such change, or not for this user.
        """
        tried = []
        one = None if change_id is None else await self.history.get_change(change_id)
        for change in [one] if one is not None else await self._last_changes(hook, last):
            tried.append(TriedChange(change, await self._parts.explainer.try_on(hook, change)))
            await anyio.lowlevel.checkpoint()  # documents may be long: others have their turn between them
        return tried

    async def _last_changes(self, hook: JobHook, last: int) -> list[ChangeRecord]:
        found: list[ChangeRecord] = []
        for object_type in hook.object_types:
            found += await self.history.changes(ChangeQuery(object_type=object_type, limit=last))
        return sorted(found, key=lambda each: each.id, reverse=True)[:last]

    def notes_on(self, hook: JobHook) -> tuple[str, ...]:
        """Why a job hook fires on nothing at present, whatever its trials say."""
        return self._parts.explainer.notes_on(hook)
