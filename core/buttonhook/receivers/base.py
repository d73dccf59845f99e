"""The receiver base classes: what a plugin author subclasses, and what `self` offers inside a run."""

from collections.abc import Awaitable
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from typing import Any, ClassVar, Protocol, TypeVar, overload

from buttonhook.errors import UndeclaredSettings
from buttonhook.ids import LogLevel, ObjectChangeAction
from buttonhook.objects.change import ObjectChange
from buttonhook.objects.query import BlockingObjects, Objects
from buttonhook.objects.session import Session, as_awaitable
from buttonhook.objects.tracked import FreeObject
from buttonhook.receivers.logger import JobLogger, format_message
from buttonhook.receivers.user import User
from buttonhook.records import JobResult

T = TypeVar("T")


class TransactionBlock(AbstractAsyncContextManager[None], AbstractContextManager[None], Protocol):
    """What `self.transaction()` returns: for `async with` on the loop, for `with` in a plain function."""


class RunSession(Session, Protocol):
    """A session that can open transaction blocks."""

    def transaction(self) -> TransactionBlock: ...


class Blocking:
    """Queries typed as blocking; at run time they are the same as `self.objects(...)`."""

    def __init__(self, session: RunSession) -> None:
        self._session = session

    @overload
    def objects(self, what: type[T]) -> BlockingObjects[T]: ...

    @overload
    def objects(self, what: str) -> BlockingObjects[FreeObject]: ...

    def objects(self, what: Any) -> Any:
        """Queries over a struct type or an `app.model`, for a plain `def`."""
        return self._session.objects(what)


class Enqueuer(Protocol):
    """Makes pending runs of job button receivers; each belongs to the chain of the run that asked for it."""

    async def enqueue(self, cause: JobResult, receiver: "type[Receiver] | str", obj: Any) -> JobResult: ...


class RunContext:
    """What the runner gives one attempt. Values and protocols only: nothing here leads to the app."""

    __slots__ = ("attempt", "enqueuer", "failed", "job_result", "logger", "session", "settings", "user")

    def __init__(
        self,
        logger: JobLogger,
        user: User,
        job_result: JobResult,
        session: RunSession,
        enqueuer: Enqueuer,
        settings: Any,
    ) -> None:
        self.logger = logger
        self.user = user
        self.job_result = job_result
        self.session = session
        self.enqueuer = enqueuer
        self.settings = settings
        self.attempt = job_result.attempt
        self.failed: str | None = None


class Receiver:
    """What job hook receivers and job button receivers share. One instance is made for each run."""

    METHOD: ClassVar[str] = ""
    ARGUMENTS: ClassVar[tuple[str, ...]] = ()

    _run: RunContext

    class Meta:
        """Options of the receiver; see `receivers.meta.JobMeta`."""

    @property
    def logger(self) -> JobLogger:
        """The log of this run."""
        return self._run.logger

    @property
    def user(self) -> User:
        """Who made the change or pressed the button."""
        return self._run.user

    @property
    def job_result(self) -> JobResult:
        """The record of this run, as of its start. Its `id` stays the same over attempts."""
        return self._run.job_result

    @property
    def attempt(self) -> int:
        """Which attempt at this job result this is, from 1."""
        return self._run.attempt

    @property
    def settings(self) -> Any:
        """What is set for this receiver's plugin: the struct that the plugin declares. It is shared: change nothing.

        Raises:
            UndeclaredSettings: the plugin declares none; the message shows how to.
        """
        if self._run.settings is None:
            raise UndeclaredSettings(f"{type(self).__module__}.{type(self).__qualname__}")
        return self._run.settings

    @overload
    def objects(self, what: type[T]) -> Objects[T]: ...

    @overload
    def objects(self, what: str) -> Objects[FreeObject]: ...

    def objects(self, what: Any) -> Any:
        """Queries over a struct type or an `app.model`; what they return saves from any thread of this run."""
        return self._run.session.objects(what)

    @property
    def blocking(self) -> "Blocking":
        """The same queries, typed as a plain `def` sees them: for code that a type checker reads."""
        return Blocking(self._run.session)

    def transaction(self) -> TransactionBlock:
        """A block whose writes are committed together at its end, or not at all.

        `async with self.transaction():` in an `async def`, `with self.transaction():` in a plain `def`.
        """
        return self._run.session.transaction()

    def enqueue(self, receiver: "type[Receiver] | str", obj: Any) -> Awaitable[JobResult]:
        """Have a job button receiver run on `obj`, as if this run's user had pressed a button there.

        Durable on return; it does not wait for the run. A run that a job hook caused counts as the hook's.

        Raises:
            EnqueueRefused: the job is not enabled, or this chain of causes may not go on so.
        """
        run = self._run
        what = "enqueue()"
        return as_awaitable(
            run.session.perform(
                lambda: run.enqueuer.enqueue(run.job_result, receiver, obj), what, "await self.enqueue(Receiver, obj)"
            )
        )

    def fail(self, msg: object, *args: object, **kwargs: Any) -> None:
        """Log at FAILURE and let this run end as a failure; the code goes on."""
        kwargs["stacklevel"] = kwargs.get("stacklevel", 1) + 1
        self._run.logger.log(LogLevel.FAILURE, msg, *args, **kwargs)
        if self._run.failed is None:
            self._run.failed = format_message(msg, args)


class JobHookReceiver(Receiver):
    """A receiver that runs when tracked objects change."""

    METHOD = "receive_job_hook"
    ARGUMENTS = ("change", "action", "changed_object")

    def receive_job_hook(
        self, change: ObjectChange, action: ObjectChangeAction, changed_object: Any
    ) -> Awaitable[Any] | Any:
        """Override this, as `async def` or as plain `def`.

        `action` is `create`, `update` or `delete`; `changed_object` is loaded when the attempt starts and may
        already be newer than the change, None when it no longer exists. What is returned is kept as the result.
        """
        raise NotImplementedError(f"{type(self).__name__} must define receive_job_hook()")


class JobButtonReceiver(Receiver):
    """A receiver that runs when somebody presses a job button on an object."""

    METHOD = "receive_job_button"
    ARGUMENTS = ("obj",)

    def receive_job_button(self, obj: Any) -> Awaitable[Any] | Any:
        """Override this, as `async def` or as plain `def`. `obj` is the object where the button was pressed."""
        raise NotImplementedError(f"{type(self).__name__} must define receive_job_button()")


BASES: tuple[type[Receiver], ...] = (JobHookReceiver, JobButtonReceiver)


def base_of(cls: type[Receiver]) -> type[Receiver]:
    """Which of the two bases a receiver class has."""
    return next(base for base in BASES if issubclass(cls, base))
