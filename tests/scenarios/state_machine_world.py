"""The world a machine plays in: a real app on a real file, receivers that wait for its orders, a clock, a store that
fails or is killed when it says so.

A receiver asks its lane's order in the database itself when it begins, through a connection of the machine's own.
"""

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any, ClassVar, TypeVar

import pytest

import buttonhook.app
import buttonhook.dispatcher.dispatcher
import buttonhook.dispatcher.lanes
import buttonhook.recorder.recorder
import buttonhook.runner
from buttonhook import App, JobButtonReceiver, JobHookReceiver, open_app
from buttonhook.errors import EnqueueRefused, GiveUp, RetryLater, StorageLost, StorageUnavailable
from buttonhook.ids import Microseconds, now
from buttonhook.receivers.base import Receiver
from buttonhook.settings import Settings
from buttonhook.stores.base import Decision, Recovered, Written
from buttonhook.stores.sqlite.store import SqliteStore
from tests.scenarios.story import keep_books

T = TypeVar("T")

TYPES = ("t.one", "t.two")
PKS = ("a", "b")
WINDOW, LOAD_SIZE, LANE_SIZE, MAX_RUNNING = 12, 3, 2, 5
PATIENCE_SECONDS = 20.0


@dataclass
class Run:
    """One attempt as its receiver lived it. `end` is None while it runs."""

    number: int
    attempt: int
    job: str
    lane: str | None
    life: int
    retries: int
    failures: int
    end: str | None = None
    gate: "asyncio.Future[str] | None" = None


@dataclass
class World:
    """Everything the receivers and the machine share."""

    path: Path
    random: Random
    app: App = field(init=False)
    clock: int = field(default_factory=now)
    life: int = 0
    """How often the app was opened: runs of an earlier life were cut off with it."""
    runs: dict[int, list[Run]] = field(default_factory=dict)
    marks: dict[tuple[str, str, str], bool] = field(default_factory=dict)
    """What jobs wrote: (result id, pk, mark), and whether they were told that it was written."""
    enqueued: dict[str, str] = field(default_factory=dict)
    """Results that jobs enqueued: id, the id of the cause."""
    may_enqueue: set[str] = field(default_factory=set)
    """Causes whose enqueueing was cut off: it may have been written."""
    complaints: list[str] = field(default_factory=list)
    forbidden: set[str] = field(default_factory=set)
    """Jobs that were disabled when all was last at rest: none of their runs may begin."""
    is_open_house: bool = False
    """Whether every gate stands open."""
    is_dead: bool = False
    has_failed: bool = False
    """Whether the store told the app that it is lost: the app is ending."""
    fail_share: float = 0.0
    lose_next: str | None = None
    recovered: Callable[[sqlite3.Connection], None] | None = None
    _host: "asyncio.Task[None] | None" = None
    _leave: asyncio.Event = field(default_factory=asyncio.Event)
    _eye: sqlite3.Connection | None = None

    now: ClassVar["World"]

    # --- opening and closing ---------------------------------------------------------------------

    async def open(self, receivers: list[type[Receiver]]) -> None:
        """Open the app as a process would; `recovered` is called before anything can be claimed."""
        self.life += 1
        self.is_dead = self.has_failed = False
        self._leave = asyncio.Event()
        opened: asyncio.Future[App] = asyncio.get_running_loop().create_future()

        async def host() -> None:
            chosen = Settings(
                db=f"sqlite:///{self.path}", lock_wait=0.0, user="ann", max_running=MAX_RUNNING, durability="normal"
            )
            try:
                async with open_app(
                    settings=chosen, receivers=receivers, object_types=TYPES, load_plugins=False
                ) as app:
                    keep_books(app)
                    opened.set_result(app)
                    await self._leave.wait()
            except BaseException as exc:
                if not opened.done():
                    opened.set_exception(exc)
                raise

        self._host = asyncio.create_task(host(), name="host")
        self.app = await opened

    async def close(self) -> None:
        """Close the app in an orderly way."""
        self._leave.set()
        if self._host is not None:
            await asyncio.wait_for(self._host, PATIENCE_SECONDS)
        self._host = None
        self._close_eye()

    async def kill(self) -> None:
        """End the app so that nothing it still wants to write is written, as kill -9 does."""
        self.is_dead = True
        self._leave.set()
        if self._host is not None:
            await asyncio.wait([self._host], timeout=PATIENCE_SECONDS)
            if not self._host.done():
                raise AssertionError("the app did not close when its store was dead")
            if not self._host.cancelled():
                self._host.exception()
        self._host = None
        self._close_eye()

    @property
    def is_lost(self) -> bool:
        """Whether the app has ended by itself, its store's state not known."""
        return self.has_failed or self._host is None or self._host.done()

    async def ask(self, call: Awaitable[T]) -> T:
        """Await something of the app, also when the app ends meanwhile.

        Raises:
            StorageLost: it did; what was asked for may have been done or not.
        """
        task = asyncio.ensure_future(call)
        watched: set[asyncio.Future[Any]] = {task} if self._host is None else {task, self._host}
        done, _ = await asyncio.wait(watched, timeout=PATIENCE_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        if not done:
            task.cancel()
            raise AssertionError("the app did not answer")
        if task not in done:
            await asyncio.wait([task], timeout=0.2)
            if not task.done():
                task.cancel()
                raise StorageLost(str(self.path), "the app ended")
        return task.result()

    # --- what the machine sees -------------------------------------------------------------------

    def look(self, sql: str, *values: Any) -> list[Any]:
        """Ask the database itself, as it is committed."""
        if self._eye is None:
            self._eye = sqlite3.connect(f"{self.path.as_uri()}?mode=ro", uri=True)
        return self._eye.execute(sql, values).fetchall()

    def _close_eye(self) -> None:
        if self._eye is not None:
            self._eye.close()
            self._eye = None

    @property
    def gates(self) -> list[Run]:
        """The runs that wait for an order, in order of number."""
        running = [run for runs in self.runs.values() for run in runs[-1:]]
        return sorted(
            (run for run in running if run.life == self.life and run.gate is not None and not run.gate.done()),
            key=lambda run: run.number,
        )

    def last_run(self, number: int) -> Run | None:
        return self.runs[number][-1] if self.runs.get(number) else None

    @property
    def is_quiet(self) -> bool:
        """Whether nothing can happen any more without an order, a write or the clock."""
        dispatcher, recorder = self.app._dispatcher, self.app._recorder
        assert dispatcher is not None
        lanes = dispatcher._lanes
        due = lanes.next_due()
        return (
            recorder.is_idle
            and not dispatcher._loading
            and not (self.is_behind and lanes.held < WINDOW // 2)
            and not (lanes.ready and dispatcher._busy < MAX_RUNNING)
            and (due is None or due > self.clock)
            and dispatcher._busy == len(self.gates)
            and not (self.is_open_house and self.gates)
        )

    @property
    def is_behind(self) -> bool:
        """Whether the dispatcher holds less in memory than what waits."""
        assert self.app._dispatcher is not None
        return self.app._dispatcher._is_behind

    @property
    def is_full(self) -> bool:
        assert self.app._dispatcher is not None
        return self.app._dispatcher._busy >= MAX_RUNNING

    async def settle(self) -> None:
        """Let everything happen that can happen by itself."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + PATIENCE_SECONDS
        in_a_row = 0
        while in_a_row < 3 and not self.is_lost:
            in_a_row = in_a_row + 1 if self.is_quiet else 0
            await asyncio.sleep(0 if in_a_row else 0.0005)
            if loop.time() > deadline:
                waiting = self.look("SELECT number, job, status, attempt FROM job_result WHERE ended_at IS NULL")
                raise AssertionError(f"it does not come to rest: {waiting}, gates {self.gates}")

    async def advance(self, seconds: float) -> None:
        """Let the clock of due times go on."""
        self.clock += int(seconds * 1e6)
        if not self.is_lost and self.app._dispatcher is not None:
            self.app._dispatcher._wake_due.set()
        await asyncio.sleep(0)

    # --- what receivers do ------------------------------------------------------------------------

    def enter(self, receiver: Receiver) -> Run:
        """A receiver begins: look whether it may."""
        result = receiver.job_result
        options = self.app.registry.options(result.job)
        run = Run(result.number, result.attempt, result.job, result.lane, self.life, options.retries, result.failures)
        earlier = self.runs.setdefault(result.number, [])
        if earlier and earlier[-1].attempt >= run.attempt:
            self.complaints.append(f"result {run.number} runs attempt {run.attempt} after {earlier[-1].attempt}")
        if earlier and earlier[-1].end is None and earlier[-1].life == self.life:
            self.complaints.append(f"result {run.number} runs twice at once")
        if any(each.end == "success" and each.life == self.life for each in earlier):
            self.complaints.append(f"result {run.number} runs again after its success")
        if run.job in self.forbidden:
            self.complaints.append(f"result {run.number} begins, but its job is disabled")
        if run.lane is not None:
            before = self.look(
                "SELECT number, job, status FROM job_result WHERE lane = ? AND number < ? AND ended_at IS NULL",
                run.lane,
                run.number,
            )
            before = [row for row in before if row[1] in self.app.registry.receivers]
            if before:
                self.complaints.append(f"result {run.number} begins before {before} of its lane {run.lane}")
        most = options.max_concurrency
        others = [each for runs in self.runs.values() for each in runs if each.end is None and each.life == self.life]
        if most and sum(each.job == run.job for each in others) >= most:
            self.complaints.append(f"more than {most} runs of {run.job} at once")
        earlier.append(run)
        return run

    async def order_of(self, run: Run, fixed: str) -> str:
        """The order a receiver follows: its own, or the machine's when it comes."""
        if fixed != "wait":
            return fixed
        if self.is_open_house:
            return "finish"
        run.gate = asyncio.get_running_loop().create_future()
        return await run.gate

    @contextmanager
    def installed(self) -> Iterator[None]:
        """Small windows, a clock that can be moved, a store that can fail."""
        with pytest.MonkeyPatch.context() as patch:
            World.now = self
            patch.setattr(buttonhook.app, "SqliteStore", BrittleStore)
            for module in (buttonhook.dispatcher.dispatcher, buttonhook.runner):
                patch.setattr(module, "now", lambda: Microseconds(self.clock))
            patch.setattr(buttonhook.dispatcher.dispatcher, "WINDOW", WINDOW)
            patch.setattr(buttonhook.dispatcher.dispatcher, "LOAD_SIZE", LOAD_SIZE)
            patch.setattr(buttonhook.dispatcher.dispatcher, "LANE_SIZE", LANE_SIZE)
            patch.setattr(buttonhook.dispatcher.lanes, "LANE_SIZE", LANE_SIZE)
            patch.setattr(buttonhook.recorder.recorder, "RETRY_SECONDS", 0.001)
            yield


class BrittleStore(SqliteStore):
    """The real store, whose writes fail when the world says so: before they are made, or after."""

    async def write(self, decision: Decision, *, is_behind: bool = False) -> Written:
        world = World.now
        if world.is_dead:
            return await self._fail(StorageUnavailable(str(world.path), "killed"), is_behind)
        lose, world.lose_next = world.lose_next, None
        if lose == "before":
            world.has_failed = True
            return await self._fail(StorageLost(str(world.path), "the flush failed"), is_behind)
        if world.random.random() < world.fail_share:
            return await self._fail(StorageUnavailable(str(world.path), "full for a moment"), is_behind)
        written = await super().write(decision, is_behind=is_behind)
        if lose == "after":
            world.has_failed = True
            raise StorageLost(str(world.path), "the flush failed")
        return written

    async def _fail(self, exc: Exception, is_behind: bool) -> Written:
        """Fail as the real store does: a write behind this one is not made either."""

        def failing() -> Decision:
            raise exc
            yield  # a generator all the same

        return await super().write(failing(), is_behind=is_behind)

    async def recover(self, max_crashes: int, no_rerun: frozenset[str]) -> Recovered:
        recovered = await super().recover(max_crashes, no_rerun)
        world = World.now
        if world.recovered is not None:
            with sqlite3.connect(f"{world.path.as_uri()}?mode=ro", uri=True) as eye:
                world.recovered(eye)
            eye.close()
        return recovered


# --- receivers ------------------------------------------------------------------------------------


async def play(receiver: Any, obj: Any, fixed: str) -> str:
    """What every receiver does: begin, follow its order, end; what became of it is kept in the world."""
    world = World.now
    run = world.enter(receiver)
    receiver.logger.info("attempt %d begins", receiver.attempt)
    try:
        for word in (await world.order_of(run, fixed)).split("+"):
            await _follow(world, receiver, obj, word)
    except RetryLater:
        run.end = "later"
        raise
    except GiveUp:
        run.end = "given up"
        raise
    except Exception:
        run.end = "raised"
        raise
    except BaseException:
        run.end = "cut off"
        raise
    run.end = "failed" if receiver._run.failed is not None else "success"
    return f"attempt {receiver.attempt}"


async def _follow(world: World, receiver: Any, obj: Any, word: str) -> None:
    if word == "raise":
        raise RuntimeError("as ordered")
    if word == "later":
        raise RetryLater(30, "as ordered")
    if word == "give up":
        raise GiveUp("as ordered")
    if word == "fail":
        receiver.fail("as ordered")
    elif word == "write" and obj is not None:
        await _mark(world, receiver, obj)
    elif word == "write other":
        key = (receiver.job_result.object_type, PKS[1 - PKS.index(receiver.job_result.object_pk)])
        other = await receiver.objects(key[0]).find(key[1])
        if other is not None:
            await _mark(world, receiver, other)
    elif word == "enqueue" and obj is not None:
        cause = receiver.job_result.id
        world.may_enqueue.add(cause)
        try:
            fresh = await receiver.enqueue(Pushed, obj)
        except EnqueueRefused:
            world.may_enqueue.discard(cause)
            return
        world.enqueued[fresh.id] = cause
        world.may_enqueue.discard(cause)


async def _mark(world: World, receiver: Any, obj: Any) -> None:
    obj.mark = f"{receiver.job_result.number}.{receiver.attempt}"
    key = (receiver.job_result.id, obj.pk, obj.mark)
    world.marks[key] = False
    await obj.save()
    world.marks[key] = True


class Quick(JobHookReceiver):
    async def receive_job_hook(self, change: Any, action: Any, changed_object: Any) -> Any:
        return await play(self, changed_object, "finish")


class Broken(JobHookReceiver):
    class Meta:
        retries = 1
        retry_backoff = 10

    async def receive_job_hook(self, change: Any, action: Any, changed_object: Any) -> Any:
        return await play(self, changed_object, "raise")


class Gated(JobHookReceiver):
    class Meta:
        retries = 2
        retry_backoff = 20

    async def receive_job_hook(self, change: Any, action: Any, changed_object: Any) -> Any:
        return await play(self, changed_object, "wait")


class Single(JobHookReceiver):
    class Meta:
        is_singleton = True
        rerun_on_crash = False

    async def receive_job_hook(self, change: Any, action: Any, changed_object: Any) -> Any:
        return await play(self, changed_object, "wait")


class Crowd(JobHookReceiver):
    class Meta:
        ordering = "none"
        max_concurrency = 2

    async def receive_job_hook(self, change: Any, action: Any, changed_object: Any) -> Any:
        return await play(self, changed_object, "wait")


class Marker(JobHookReceiver):
    async def receive_job_hook(self, change: Any, action: Any, changed_object: Any) -> Any:
        return await play(self, changed_object, "write+write other")


class Chainer(JobHookReceiver):
    async def receive_job_hook(self, change: Any, action: Any, changed_object: Any) -> Any:
        return await play(self, changed_object, "enqueue")


class Pushed(JobButtonReceiver):
    class Meta:
        max_concurrency = 2

    async def receive_job_button(self, obj: Any) -> Any:
        return await play(self, obj, "wait")


class Toucher(JobButtonReceiver):
    async def receive_job_button(self, obj: Any) -> Any:
        return await play(self, obj, "write")


HOOK_JOBS: tuple[type[Receiver], ...] = (Quick, Broken, Gated, Single, Crowd, Marker, Chainer)
BUTTON_JOBS: tuple[type[Receiver], ...] = (Pushed, Toucher)


def id_of(receiver: type[Receiver]) -> str:
    return f"{receiver.__module__}.{receiver.__qualname__}"


OPTIONS: dict[str, dict[str, Any]] = {
    id_of(Single): {"is_singleton": True, "rerun_on_crash": False},
    id_of(Crowd): {"ordering": "none", "max_concurrency": 2},
    id_of(Pushed): {"max_concurrency": 2},
}
