"""One machine does everything a system of record sees, in any order: after each step the promises hold.

Writes and edits are the machine's, and so are the orders on which receivers end, fail, retry, write and enqueue, the
clock of due times, and the moments at which the app is closed, killed, or loses its storage. What must come of it is
told by `state_machine_model`; what receivers lived through is kept by `state_machine_world`.
"""

import asyncio
import json
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from buttonhook.documents import ABSENT
from buttonhook.errors import ObjectError, PressRefused, RecordConflict, RunNotFound, StorageLost, StorageUnavailable
from buttonhook.ids import new_uuid7
from buttonhook.objects.keys import object_permission
from buttonhook.objects.session import Write
from buttonhook.objects.transactions import TransactionRequest
from buttonhook.receivers.base import Receiver
from buttonhook.records import ChangeQuery, ChangeRecord, JobResult, Origin, ResultQuery
from buttonhook.stores.sqlite.store import INTERRUPTED
from tests.scenarios.state_machine_model import (
    CONDITIONS,
    Cause,
    Change,
    Hook,
    Jobs,
    Refused,
    Setup,
    Step,
    Verdicts,
    applied,
    cut_word,
    judge,
    lane_of,
    one_of,
    play,
)
from tests.scenarios.state_machine_world import (
    BUTTON_JOBS,
    HOOK_JOBS,
    OPTIONS,
    PKS,
    TYPES,
    Gated,
    Marker,
    Pushed,
    Quick,
    Run,
    Toucher,
    World,
    id_of,
)

MANY = 100_000
MAX_CRASHES = 3
ACTIONS = ("create", "update", "delete")
JOBS = {id_of(each): each for each in (*HOOK_JOBS, *BUTTON_JOBS)}
ORDERS = (
    *("finish", "finish", "raise", "later", "give up", "fail", "write", "write+raise", "write other", "enqueue"),
    *("enqueue+later", "write other+enqueue"),
)

places = st.integers(0, 50)
keys = st.tuples(st.sampled_from(TYPES), st.sampled_from(PKS))
numbers = st.integers(0, 2)
users = st.sampled_from(["ann", "bob"])
steps = st.lists(
    st.builds(Step, st.sampled_from(["create", "put", "put", "set", "drop", "delete"]), keys, numbers),
    min_size=2,
    max_size=5,
)
made_and_gone = st.builds(lambda key, n: [Step("put", key, n), Step("delete", key, 0)], keys, numbers)
hook_jobs = st.sampled_from([id_of(each) for each in HOOK_JOBS])
some_types = st.sampled_from([TYPES, TYPES, TYPES[:1], TYPES[1:]])
some_actions = st.sampled_from([ACTIONS, ACTIONS, ("create", "update"), ("update",), ("delete",)])
some_conditions = st.sampled_from(["", "", "", *CONDITIONS])
run_as = st.sampled_from(["installer", "installer", "installer", "author"])
options = st.sampled_from(
    [("ordering", "none"), ("ordering", None), ("is_singleton", True), ("is_singleton", None), ("retries", 1)]
)


class Machine(RuleBasedStateMachine):
    """Rules are what people and programs do; each ends in `observe`, and some wait until all is quiet."""

    fails_writes = False

    def __init__(self) -> None:
        super().__init__()
        self.stack = ExitStack()
        folder = Path(self.stack.enter_context(TemporaryDirectory()))
        self.runner = self.stack.enter_context(asyncio.Runner())
        self.folder = folder
        self.setup = Setup(Jobs(frozenset(JOBS), options=dict(OPTIONS)))
        self.candidates = [self.setup]
        self.objects: dict[Any, Any] = {}
        self.last_change = 0
        self.rows: dict[int, JobResult] = {}
        self.changes: dict[int, ChangeRecord] = {}
        self.expected: dict[str, str] = {}
        """Results that were promised to somebody: id, by what."""
        self.cancelled: set[int] = set()
        self.must_end: set[int] = set()
        """Results of which somebody was told that they are cancelled."""
        self.may_be_revoked: set[int] = set()
        self.put_back: Counter[int] = Counter()
        self.hook_names = 0
        self.is_unsure = False
        """Whether this step ended with a loss of the storage: what was asked for may have been done."""
        self.request: tuple[str, list[Step]] | None = None

    # --- the frame of every step ------------------------------------------------------------------

    def run(self, call: Coroutine[Any, Any, None]) -> None:
        self.runner.run(call)

    def step(self, act: Callable[[], Awaitable[None]]) -> None:
        """Do one thing, come back to life if the storage was lost, and look whether all is right."""

        async def whole() -> None:
            self.candidates, self.is_unsure, self.request = [self.setup], False, None
            try:
                await act()
            except StorageUnavailable:
                assert self.fails_writes
                self.request = None
            except StorageLost:
                self.is_unsure = True
            if self.world.is_lost:
                self.is_unsure = True
                await self.world.kill()
                await self.reopen(self.setup.jobs.installed)
            await self.observe()

        self.run(whole())

    @initialize(seed=st.integers(0, 2**32))
    def begin(self, seed: int) -> None:
        self.world = World(self.folder / "machine.db", Random(seed))
        self.stack.enter_context(self.world.installed())

        async def first() -> None:
            await self.world.open(list(JOBS.values()))
            configuration = self.world.app.configuration
            people = self.world.app.administration
            views = [object_permission(each, "view") for each in TYPES]
            await people.put_user("bob", permissions=["jobs.run_job", *views])
            await configuration.add_button("push", id_of(Pushed), TYPES)
            await configuration.add_button("touch", id_of(Toucher), TYPES)
            for job in JOBS:
                await self.enable(job, is_on=True)
            for job in (id_of(Gated), id_of(Quick)):
                await self.put_hook(None, self.draft(job, TYPES, ACTIONS, "", allows=False, run_as="installer"))
            echo = self.draft(id_of(Marker), TYPES[1:], ("update",), "", allows=True, run_as="installer")
            await self.put_hook(None, echo)
            if self.fails_writes:
                self.world.fail_share = 0.08

        self.run(first())

    # --- rules: objects ---------------------------------------------------------------------------

    @rule(kind=st.sampled_from(["create", "put", "put", "set", "drop", "delete"]), key=keys, n=numbers, user=users)
    def write_one(self, kind: str, key: Any, n: int, user: str) -> None:
        self.step(lambda: self.commit([Step(kind, key, n)], user))

    @rule(bulk=steps | made_and_gone, user=users)
    def write_many(self, bulk: list[Step], user: str) -> None:
        self.step(lambda: self.commit(bulk, user))

    @rule(several=st.lists(st.tuples(keys, numbers), min_size=3, max_size=6))
    def write_in_a_row(self, several: list[Any]) -> None:
        for key, n in several:
            self.step(lambda key=key, n=n: self.commit([Step("put", key, n)], "ann"))  # type: ignore[misc]

    async def commit(self, plan: list[Step], user: str) -> None:
        origin = Origin(user_name=user, context="api", request_id=new_uuid7())
        self.request = (origin.request_id, plan)
        n_of = {key: document.get("n") for key, document in self.objects.items()}
        writes = tuple(_write(each, n_of) for each in plan)
        try:
            await self.world.ask(self.world.app.commit(TransactionRequest(origin=origin, writes=writes)))
        except ObjectError:
            self.is_refused = True
        else:
            self.is_refused = False

    is_refused = False

    # --- rules: the set-up ------------------------------------------------------------------------

    @rule(job=st.sampled_from(sorted(JOBS)), is_on=st.sampled_from([True, True, False]))
    def enable_or_disable(self, job: str, is_on: bool) -> None:
        self.step(lambda: self.enable(job, is_on=is_on))

    async def enable(self, job: str, *, is_on: bool) -> None:
        configuration, jobs = self.world.app.configuration, self.setup.jobs
        enabled = jobs.enabled | {job} if is_on else jobs.enabled - {job}
        new = replace(self.setup, jobs=replace(jobs, enabled=enabled))
        self.world.forbidden.discard(job)
        try:
            await self.edit(configuration.enable_job(job) if is_on else configuration.disable_job(job), new)
        except RecordConflict:
            assert is_on
            assert job not in jobs.installed

    @rule(place=places)
    def disable_what_something_waits_for(self, place: int) -> None:
        waiting = [row.job for row in self.rows.values() if row.status == "pending"]
        if waiting:
            self.step(lambda: self.enable(waiting[place % len(waiting)], is_on=False))
            self.come_to_rest()
            self.order_all("finish")
            self.come_to_rest()

    @rule(job=hook_jobs, option=options)
    def override(self, job: str, option: tuple[str, Any]) -> None:
        name, value = option
        own = {**OPTIONS.get(job, {}), **self.setup.jobs.options.get(job, {})}
        own[name] = OPTIONS.get(job, {}).get(name) if value is None else value
        jobs = replace(self.setup.jobs, options={**self.setup.jobs.options, job: own})

        async def act() -> None:
            try:
                edit = self.world.app.configuration.edit_job(job, **{name: value})
                await self.edit(edit, replace(self.setup, jobs=jobs))
            except RecordConflict:
                assert job not in self.setup.jobs.installed

        self.step(act)

    async def edit(self, call: Awaitable[Any], new: Setup) -> Any:
        """Edit the set-up: while it is being committed either may hold."""
        self.candidates = [self.setup, new]
        answer = await self.world.ask(call)
        self.setup = new
        return answer

    def draft(
        self, job: str, types: tuple[str, ...], actions: tuple[str, ...], condition: str, *, allows: bool, run_as: str
    ) -> Hook:
        self.hook_names += 1
        name = f"hook {(self.hook_names * 7) % 10}{self.hook_names}"
        return Hook("", name, job, types, actions, True, condition, allows, run_as)

    @rule(
        job=hook_jobs,
        types=some_types,
        actions=some_actions,
        condition=some_conditions,
        allows=st.booleans(),
        run_as=run_as,
    )
    def add_hook(self, **wanted: Any) -> None:
        self.step(lambda: self.put_hook(None, self.draft(**wanted)))

    @precondition(lambda self: self.setup.hooks)
    @rule(
        place=places,
        types=some_types,
        actions=some_actions,
        condition=some_conditions,
        allows=st.booleans(),
        enabled=st.sampled_from([True, True, False]),
    )
    def edit_hook(self, place: int, **wanted: Any) -> None:
        old = list(self.setup.hooks.values())[place % len(self.setup.hooks)]
        self.step(lambda: self.put_hook(old, replace(old, **wanted)))

    async def put_hook(self, old: Hook | None, wanted: Hook) -> None:
        fields = {
            "object_types": wanted.types,
            "actions": wanted.actions,
            "conditions": tuple(CONDITIONS[wanted.condition]),
            "allow_job_hook_changes": wanted.allows,
            "run_as": wanted.run_as,
            "enabled": wanted.enabled,
        }
        configuration = self.world.app.configuration
        self.candidates = [self.setup]
        try:
            if old is None:
                record = await self.world.ask(configuration.add_hook(wanted.name, wanted.job, **fields))
            else:
                self.candidates.append(self.setup.with_hook(wanted))
                record = await self.world.ask(configuration.edit_hook(old.name, **fields))
        except RecordConflict:
            assert not self.setup.is_free(wanted), f"{wanted} was refused"
            return
        assert self.setup.is_free(wanted), f"{wanted} was taken"
        self.setup = self.setup.with_hook(replace(wanted, id=record.id))
        self.candidates.append(self.setup)

    @precondition(lambda self: len(self.setup.hooks) > 1)
    @rule(place=places)
    def remove_hook(self, place: int) -> None:
        hook = list(self.setup.hooks.values())[place % len(self.setup.hooks)]
        new = self.setup.without(hook.id)
        self.step(lambda: self.edit(self.world.app.configuration.remove_hook(hook.name), new))

    # --- rules: results ---------------------------------------------------------------------------

    @rule(button=st.sampled_from(["push", "touch"]), type_=st.sampled_from(TYPES), pks=st.lists(st.sampled_from(PKS)))
    def press(self, button: str, type_: str, pks: list[str]) -> None:
        async def act() -> None:
            there = {pk for pk in pks if (type_, pk) in self.objects}
            job = id_of(Pushed if button == "push" else Toucher)
            try:
                results = await self.world.ask(self.world.app.press(button, type_, pks, "bob"))
            except PressRefused:
                assert self.setup.jobs.refusal(job) is not None
            except ObjectError:
                assert there != set(pks)
            else:
                assert self.setup.jobs.refusal(job) is None
                assert [each.object_pk for each in results] == list(dict.fromkeys(pks))
                self.expected.update((each.id, "press") for each in results)

        self.step(act)

    @rule(place=places, is_calm=st.booleans())
    def cancel(self, place: int, is_calm: bool) -> None:
        async def act() -> None:
            if is_calm:
                await self.world.settle()
                await self.observe()
            waiting = [row for row in self.rows.values() if not row.status.is_final]
            if not waiting:
                return
            row = waiting[place % len(waiting)]
            self.cancelled.add(row.number)
            try:
                await self.world.ask(self.world.app.access("ann").runs.cancel(row.id))
                self.must_end.add(row.number)
            except RunNotFound:
                status = self.world.look("SELECT ended_at FROM job_result WHERE number = ?", row.number)
                assert status[0][0] is not None

        self.step(act)

    @rule(place=places)
    def rerun(self, place: int) -> None:
        async def act() -> None:
            ended = [row for row in self.rows.values() if row.status.is_final]
            if not ended:
                return
            old = ended[place % len(ended)]
            fresh = await self.world.ask(self.world.app.access("ann").runs.rerun(old.id))
            assert (fresh.rerun_of, fresh.change_ids, fresh.attempt) == (old.id, old.change_ids, 0)
            if old.kind == "hook" and old.job in self.setup.jobs.installed:
                key = (old.object_type, old.object_pk)
                assert fresh.lane == lane_of(self.setup.jobs, old.job, old.occasion_id, key)
            self.expected[fresh.id] = "rerun"

        self.step(act)

    @rule(place=places, order=st.sampled_from(ORDERS))
    def order_one(self, place: int, order: str) -> None:
        async def act() -> None:
            if not self.world.gates:
                await self.world.settle()
            if self.world.gates:
                self.order(self.world.gates[place % len(self.world.gates)], order)

        self.step(act)

    @rule(order=st.sampled_from(ORDERS))
    def order_all(self, order: str) -> None:
        async def act() -> None:
            await self.world.settle()
            for run in self.world.gates:
                self.order(run, order)

        self.step(act)

    @rule(place=places, order=st.sampled_from(["finish", "later", "raise"]))
    def order_and_cancel(self, place: int, order: str) -> None:
        """Both at once: whoever comes first, it ends."""

        async def act() -> None:
            await self.world.settle()
            if self.world.gates:
                run = self.world.gates[place % len(self.world.gates)]
                self.cancelled.add(run.number)
                self.order(run, order)
                try:
                    await self.world.ask(self.world.app.access("ann").runs.cancel(self.rows[run.number].id))
                    self.must_end.add(run.number)
                except (KeyError, RunNotFound):
                    return

        self.step(act)

    def order(self, run: Run, order: str) -> None:
        if run.gate is not None and not run.gate.done():
            run.gate.set_result(order)

    # --- rules: time, rest, ends ------------------------------------------------------------------

    @rule(seconds=st.sampled_from([1, 15, 40]))
    def advance_the_clock(self, seconds: float) -> None:
        self.step(lambda: self.world.advance(seconds))

    @rule()
    def come_to_rest(self) -> None:
        self.step(self.world.settle)
        self.run(self.check_at_rest())

    @rule()
    def drain(self) -> None:
        self.step(self.open_all)
        self.run(self.check_at_rest())
        left = [row for row in self.rows.values() if not row.status.is_final]
        assert all(row.job not in self.setup.jobs.installed for row in left), f"these never ended: {left}"

    async def open_all(self) -> None:
        """Let everything end that can end."""
        share, self.world.fail_share = self.world.fail_share, 0.0
        self.world.is_open_house = True
        try:
            for _ in range(20):
                for run in self.world.gates:
                    self.order(run, "finish")
                await self.world.settle()
                await self.world.advance(200)
                await self.world.settle()
                if self.world.is_lost or await self.world.app.drain(0.05):
                    break
            else:
                raise AssertionError("drain() does not come to an end")
        finally:
            self.world.is_open_house = False
            self.world.fail_share = share

    @rule(missing=st.sampled_from([None, None, *HOOK_JOBS]), is_calm=st.booleans())
    def kill_and_reopen(self, missing: type[Receiver] | None, is_calm: bool) -> None:
        async def act() -> None:
            if is_calm:
                await self.world.settle()
            await self.world.kill()
            await self.reopen(frozenset(JOBS) - ({id_of(missing)} if missing else set()))

        self.step(act)

    @rule(missing=st.sampled_from([None, None, *HOOK_JOBS]), is_calm=st.booleans())
    def close_and_reopen(self, missing: type[Receiver] | None, is_calm: bool) -> None:
        self.step(lambda: self.close(frozenset(JOBS) - ({id_of(missing)} if missing else set()), is_calm=is_calm))

    async def close(self, installed: frozenset[str], *, is_calm: bool) -> None:
        share, self.world.fail_share = self.world.fail_share, 0.0
        if is_calm:
            await self.world.settle()
        if self.world.is_lost:
            return
        await self.world.close()
        for row in self.world.look(_ROWS):
            number, _, status, attempt, failures, crashes, _ = row
            assert status != "started", f"result {number} is left started by an orderly close"
            if status == "pending" and attempt - failures - crashes - self.put_back[number] == 1:
                run = self.world.last_run(number)
                assert run is None or run.attempt != attempt or run.end == "cut off" or run.life == self.world.life
                self.put_back[number] += 1
        await self.reopen(installed)
        self.world.fail_share = share

    @precondition(lambda self: self.fails_writes)
    @rule(moment=st.sampled_from(["before", "after"]), key=keys, n=numbers)
    def lose_the_storage(self, moment: str, key: Any, n: int) -> None:
        """A write is made, or not, and the daemon cannot know: it ends, and the next start tells."""

        async def act() -> None:
            self.world.lose_next = moment
            await self.commit([Step("put", key, n)], "ann")

        self.step(act)
        self.world.lose_next = None

    async def reopen(self, installed: frozenset[str]) -> None:
        before = {row[0]: row for row in self.world.look(_ROWS)}
        self.world._close_eye()
        jobs = replace(self.setup.jobs, installed=installed)
        no_rerun = {job for job, own in OPTIONS.items() if own.get("rerun_on_crash") is False and job in installed}

        def check(eye: sqlite3.Connection) -> None:
            after = {row[0]: row for row in eye.execute(_ROWS)}
            assert after.keys() == before.keys()
            for number, old in before.items():
                _, job, status, attempt, failures, crashes, error = old
                if status == "started":
                    is_over = crashes + 1 >= MAX_CRASHES or job in no_rerun
                    status, crashes = "failure" if is_over else "pending", crashes + 1
                    error = after[number][-1] if is_over else error
                    assert not is_over or "interrupted" in error
                wanted = (number, job, status, attempt, failures, crashes, error)
                assert after[number] == wanted, f"recovery made {after[number]} of {old}, not {wanted}"

        self.world.recovered = check
        share, self.world.fail_share = self.world.fail_share, 0.0
        await self.world.open([JOBS[job] for job in sorted(installed)])
        self.world.fail_share = share
        self._follow_setup(jobs)

    def _follow_setup(self, jobs: Jobs) -> None:
        """After a loss an edit may hold or not; the records tell. In all other cases they are as they were."""
        registry = self.world.app.configuration
        self.setup = replace(self.setup, jobs=jobs)
        known = [replace(each, jobs=replace(each.jobs, installed=jobs.installed)) for each in self.candidates]
        ids = {each.id for each in registry.hooks()}
        enabled = {each.id for each in registry.jobs() if each.enabled}
        found = [each for each in known if set(each.hooks) == ids and each.jobs.enabled == enabled]
        assert found, "the set-up is neither what it was nor what it was to be"
        self.setup = found[-1] if self.is_unsure else self.setup
        self.candidates = [*self.candidates, *known, self.setup]

    # --- what holds after every step --------------------------------------------------------------

    async def observe(self) -> None:
        app, enqueued = self.world.app, set(self.world.enqueued)
        fresh = await app.changes(ChangeQuery(after=self.last_change, ascending=True, limit=MANY))
        rows = {row.number: row for row in await app.results(ResultQuery(ascending=True, limit=MANY))}
        assert not self.world.complaints, self.world.complaints
        self._check_rows(rows)
        by_change: dict[int, list[JobResult]] = defaultdict(list)
        for row in rows.values():
            if row.kind == "hook" and row.rerun_of is None:
                by_change[row.change_ids[0]].append(row)
        by_id = {row.id: row for row in rows.values()}
        self._check_transaction(fresh)
        for change in fresh:
            self._check_change(change, by_id)
            self._check_verdicts(change, by_change[change.id], by_id)
            self.last_change = change.id
        assert all(id_ in self.changes or id_ > self.last_change for id_ in by_change), "a result without a change"
        self._check_sources(rows, enqueued)
        self.rows = rows

    def _check_rows(self, rows: dict[int, JobResult]) -> None:
        """Results stay, final ones as they are, and of one lane at most one is started."""
        started = Counter(row.lane for row in rows.values() if row.status == "started" and row.lane is not None)
        assert not [lane for lane, count in started.items() if count > 1], "two of one lane are started"
        for number, old in self.rows.items():
            new = rows.get(number)
            assert new is not None, f"result {number} is gone"
            assert not old.status.is_final or new == old, f"result {number} had ended and was changed: {old} {new}"
            assert new.attempt >= old.attempt
        for row in rows.values():
            is_known = row.number in self.rows and self.rows[row.number].status.is_final
            if not is_known and any(row.job not in each.jobs.enabled for each in self.candidates):
                self.may_be_revoked.add(row.number)
            if row.status == "revoked":
                is_author = row.run_as == "author" and row.user_name == "ann"
                assert row.number in self.may_be_revoked | self.cancelled or is_author, f"why was {row} revoked?"

    def _check_transaction(self, fresh: list[ChangeRecord]) -> None:
        """The machine's own transaction left what it had to leave, judged by some state on its way."""
        if self.request is None:
            return
        request_id, plan = self.request
        own = [each for each in fresh if each.request_id == request_id]
        states = [self.objects]
        for change in fresh:
            if change.request_id == request_id:
                break
            states.append(applied(states[-1], _seen(change)))
        found = [_seen(each) for each in own]
        possible: list[list[Change] | None] = []
        for state in states[-1:] if own else states:
            try:
                possible.append(play(state, plan))
            except Refused:
                possible.append(None)
        if self.is_unsure:
            assert not found or found in possible
        elif self.is_refused:
            assert not found
            assert None in possible, f"{plan} was refused in {states}"
        else:
            assert found in possible, f"{plan} left {found}, possible was {possible}"

    def _check_change(self, change: ChangeRecord, by_id: dict[str, JobResult]) -> None:
        seen = _seen(change)
        assert seen.before == self.objects.get(seen.key), f"change {change.id} does not begin where the last ended"
        assert seen.before != seen.after
        if change.cause is None:
            assert change.request_id == (self.request or ("",))[0], f"who made {change}?"
        else:
            cause = by_id[change.cause]
            mark = (seen.after or {}).get("mark")
            assert (change.cause, change.object_pk, mark) in self.world.marks
            assert seen.after == {**(seen.before or {}), "mark": mark}
            assert (change.user_name, change.depth) == (cause.user_name, cause.depth + 1)
        self.changes[change.id] = change
        self.objects = applied(self.objects, seen)

    def _check_verdicts(self, change: ChangeRecord, results: list[JobResult], by_id: dict[str, JobResult]) -> None:
        behind = Cause()
        if change.cause is not None:
            run = by_id[change.cause]
            behind = Cause(run.depth + 1, run.is_hooks, run.chain)
        seen = Verdicts(
            tuple((each.occasion_id, each.lane) for each in results),
            tuple((cut.hook_id, cut_word(cut.reason)) for cut in change.cuts),
        )
        candidates = [*self.candidates, self.setup]
        if not one_of(candidates, _seen(change), change.user_name, behind, seen):
            wanted = [judge(each, _seen(change), change.user_name, behind) for each in candidates]
            raise AssertionError(f"change {change.id} led to {seen}, expected one of {wanted}")
        for each in results:
            self.expected[each.id] = "hook"
            own = (each.cause, each.depth, each.is_hooks, each.user_name)
            assert own == (change.cause, change.depth, True, change.user_name)

    def _check_sources(self, rows: dict[int, JobResult], enqueued: set[str]) -> None:
        """Every result has somebody who wanted it, and everybody who was promised one has it."""
        ids = {row.id for row in rows.values()}
        assert self.expected.keys() <= ids, "a promised result is missing"
        assert enqueued <= ids, "an enqueued result is missing"
        by_id = {row.id: row for row in rows.values()}
        for row in rows.values():
            if row.id in self.expected or (row.kind == "hook" and row.change_ids[0] > self.last_change):
                continue
            is_enqueued = row.kind == "enqueue" and (
                self.world.enqueued.get(row.id) == row.cause or row.cause in self.world.may_enqueue
            )
            assert is_enqueued or self.is_unsure, f"nobody wanted {row}"
            if is_enqueued and row.cause is not None:
                assert row.depth == by_id[row.cause].depth + 1
            self.expected[row.id] = "enqueue"

    # --- what holds when all is quiet -------------------------------------------------------------

    async def check_at_rest(self) -> None:
        if not self.world.is_quiet:
            return
        await self.observe()
        world, rows = self.world, self.rows
        gates = {run.number: run.attempt for run in world.gates}
        started = {row.number: row.attempt for row in rows.values() if row.status == "started"}
        assert started == gates, f"started are {started}, running are {gates}"
        for key, is_written in world.marks.items():
            told = [c for c in self.changes.values() if c.cause == key[0] and _mark_of(c) == key[1:]]
            assert len(told) in ((1,) if is_written else (0, 1)), f"write {key} left {told}"
        logs = self._logs()
        for row in rows.values():
            self._check_outcome(row, world.last_run(row.number))
            self._check_attempts(row, logs[row.number])
            assert row.number not in self.must_end or row.status.is_final, f"{row} was cancelled and goes on"
        self._check_waiting([row for row in rows.values() if not row.status.is_final])
        assert {job for job, count in world.app.waiting_jobs.items() if count}.isdisjoint(self.setup.jobs.installed)
        world.forbidden = set(JOBS) - self.setup.jobs.enabled
        assert (await world.app.check()).problems == []
        found = {(each.object_type, each.pk): each.document for name in TYPES for each in await world.app.objects(name)}
        assert found == self.objects

    def _check_outcome(self, row: JobResult, run: Run | None) -> None:
        """The record says of a run what its receiver lived through."""
        if row.status == "success":
            assert (run and (run.attempt, run.end)) == (row.attempt, "success"), f"{row} {run}"
            assert json.loads(row.result or "null") == f"attempt {row.attempt}"
        elif row.kind != "hook" and "does not exist any more" in (row.error or ""):
            assert row.status == "failure", f"{row} {run}"
        elif row.status == "failure" and "interrupted" not in (row.error or ""):
            assert (run and run.attempt) == row.attempt, f"{row} {run}"
            assert (run and run.end) in ("raised", "failed", "given up", "later"), f"{row} {run}"
        if run is None or run.life != self.world.life or run.number in self.cancelled or run.end is None:
            return
        most = run.retries if run.end == "raised" else run.retries or 10
        ends = {"success": "success", "failed": "failure", "given up": "failure", "cut off": "revoked"}
        again = "retry" if run.failures < most else "failure"
        if row.number in self.may_be_revoked and row.status == "revoked" and again == "retry":
            return
        assert row.status == ends.get(run.end, again), f"{row} after {run}"
        assert row.failures == run.failures + (row.status == "retry")

    def _check_attempts(self, row: JobResult, log: dict[int, list[str]]) -> None:
        """Each attempt is told in the log, and every way in which one ended is counted right."""
        ends = [line for attempt in range(1, row.attempt + 1) for line in log.get(attempt, ["nothing"])]
        assert all(log.get(attempt) for attempt in range(1, row.attempt + (row.status != "started"))), f"{row}: {log}"
        told = Counter(
            word
            for line in ends
            for word in ("was interrupted", "Stopped with the process", "Trying again", "Job completed")
            if word in line
        )
        counted = (row.crashes, self.put_back[row.number], row.failures, int(row.status == "success"))
        found = tuple(told[each] for each in ("was interrupted", "Stopped with the process", "Trying again"))
        assert (*found, told["Job completed"]) == counted, f"{row}: {counted} but the log says {log}"
        over = row.attempt - row.crashes - row.failures - self.put_back[row.number]
        assert over == self._is_last_counted(row, log), f"{row} counts its attempts wrongly: {log}"
        for run in self.world.runs.get(row.number, ()):
            was_cut = any("interrupted" in line for line in log.get(run.attempt, ()))
            if run.end is not None and not was_cut and run.attempt <= row.attempt:
                lines = log[run.attempt]
                assert lines[:2] == ["Running job", f"attempt {run.attempt} begins"], f"{row}: {lines}"

    def _is_last_counted(self, row: JobResult, log: dict[int, list[str]]) -> int:
        """1 where the last attempt is not among those that crashed, were put back or are to be tried again."""
        if row.status == "failure":
            return int(row.error != INTERRUPTED)
        if row.status == "revoked":
            last = log.get(row.attempt, ()) if row.attempt else ()
            words = ("was interrupted", "Stopped with the process", "Trying again")
            return int(bool(last) and not any(word in line for word in words for line in last))
        return int(row.status in ("started", "success"))

    def _logs(self) -> dict[int, dict[int, list[str]]]:
        logs: dict[int, dict[int, list[str]]] = defaultdict(lambda: defaultdict(list))
        for number, attempt, message in self.world.look(
            "SELECT number, attempt, message FROM job_log_entry ORDER BY number, attempt, seq"
        ):
            logs[number][attempt].append(message)
        return logs

    def _check_waiting(self, rows: list[JobResult]) -> None:
        """Nothing waits that could run."""
        if self.world.is_behind or self.world.is_full:
            return
        running = Counter(row.job for row in rows if row.status == "started")
        heads: dict[str, int] = {}
        for row in rows:
            if row.job not in self.setup.jobs.installed:
                continue
            is_head = row.lane is None or heads.setdefault(row.lane, row.number) == row.number
            most = self.setup.jobs.option(row.job, "max_concurrency")
            may_run = is_head and not (most and running[row.job] >= most) and (row.due_at or 0) <= self.world.clock
            assert row.status == "started" or not may_run, f"{row} waits and nobody knows for what"

    def teardown(self) -> None:
        try:
            if hasattr(self, "world") and not self.world.complaints:
                self.world.fail_share = 0.0
                self.step(lambda: self.close(frozenset(JOBS), is_calm=False))
                self.drain()
                assert all(row.status.is_final for row in self.rows.values())
        finally:
            if hasattr(self, "world"):
                self.run(self.world.kill())
            self.stack.close()


_ROWS = "SELECT number, job, status, attempt, failures, crashes, error FROM job_result ORDER BY number"


def _write(step: Step, n_of: dict[Any, Any]) -> Write:
    object_type, pk = step.key
    if step.kind in ("create", "put"):
        return Write(kind=step.kind, object_type=object_type, pk=pk, document={"n": step.n})  # type: ignore[arg-type]
    if step.kind == "delete":
        return Write(kind="delete", object_type=object_type, pk=pk)
    loaded = n_of.get(step.key)
    pair = (ABSENT if loaded is None else loaded, ABSENT if step.kind == "drop" else step.n)
    return Write(kind="update", object_type=object_type, pk=pk, changes={"n": pair})


def _seen(change: ChangeRecord) -> Change:
    return Change(
        change.action.value,
        (change.object_type, change.object_pk),
        None if change.prechange is None else json.loads(change.prechange),
        None if change.postchange is None else json.loads(change.postchange),
    )


def _mark_of(change: ChangeRecord) -> tuple[str, str]:
    return change.object_pk, json.loads(change.postchange or "{}").get("mark", "")


class BrittleMachine(Machine):
    """The same while a share of all writes fails, and some end the app when they may have been made."""

    fails_writes = True


def _play(machine: type[Machine], examples: int) -> None:
    chosen = settings(
        max_examples=examples,
        stateful_step_count=30,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.explicit, Phase.reuse, Phase.generate],  # threads answer when they like: no shrinking
        report_multiple_bugs=False,
    )
    run_state_machine_as_test(machine, settings=chosen)


def test_whatever_is_done_in_whatever_order_the_promises_hold(rounds: int):
    _play(Machine, 18 * rounds)


def test_the_promises_hold_while_writes_fail_before_or_after_they_are_made(rounds: int):
    _play(BrittleMachine, 7 * rounds)
