"""The life cycle of one attempt: `before_start`, the receive method, `on_success` or `on_failure`, `after_return`.

Each is called at most once. The short forms take what they need by position; Nautobot's longer signatures are served by
the names of their parameters.
"""

import inspect
from collections.abc import Awaitable, Callable, Hashable, Mapping
from functools import lru_cache
from typing import Any, Final, cast

from buttonhook.ids import JobResultStatus
from buttonhook.receivers.base import Receiver

HOOKS: Final[Mapping[str, tuple[str, ...]]] = {
    "before_start": (),
    "on_success": ("result",),
    "on_failure": ("exc", "result"),
    "after_return": ("status", "result"),
}
"""Each method with what its short form takes, in order."""

_NAMES: Final = frozenset({"result", "retval", "exc", "exc_or_none", "result_or_exc", "status"}) | {
    "task_id",
    "args",
    "kwargs",
    "einfo",
}

_LONG: Final = frozenset({"task_id", "args", "kwargs", "einfo"})
"""Parameters of Nautobot's longer signatures; there `exc` is what the receiver returned where it called `fail()`."""

Call = Callable[[Callable[..., Any], Mapping[str, Any]], Awaitable[Any]]
"""Calls one method with keyword arguments, on the loop or in the run's thread."""


def arguments_of(method: Callable[..., Any], name: str, known: Mapping[str, Any]) -> dict[str, Any]:
    """What a life-cycle method is called with: by the names of its parameters, other names by their place."""
    short = list(HOOKS[name])
    given = {}
    place = 0
    parameters = inspect.signature(method).parameters
    if _LONG.isdisjoint(parameters):
        known = {**known, "exc": known["exc_or_none"]}
    for parameter in parameters.values():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            continue
        if parameter.name in _NAMES:
            given[parameter.name] = known[parameter.name]
        elif place < len(short):
            given[parameter.name] = known[short[place]]
        elif parameter.default is parameter.empty:
            given[parameter.name] = None
        place += 1
    return given


def is_bare(instance: Receiver) -> bool:
    """Whether a receiver has only its receive method: then the stages around it have nothing to do."""
    return _is_bare(cast(Hashable, type(instance))) and HOOKS.keys().isdisjoint(instance.__dict__)


@lru_cache(maxsize=1024)
def _is_bare(receiver: Hashable) -> bool:
    return not any(hasattr(receiver, name) for name in (*HOOKS, "__getattr__"))


class LifeCycle:
    """Runs the stages of one attempt and says how it ended.

    An exception in `before_start` keeps the receiver from running; one in `on_success` or `after_return` makes the run
    a failure; one in `on_failure` is told in the log and changes nothing.
    """

    def __init__(self, instance: Receiver, call: Call, task_id: str) -> None:
        self._instance = instance
        self._call = call
        self._task_id = task_id
        self._context = instance._run

    async def run(self, method: Callable[..., Any], arguments: Mapping[str, Any]) -> Any:
        """`before_start` and the receiver; returns what it returned, raises what it raised."""
        await self._stage("before_start")
        if self._context.failed is not None:
            return None
        return await self._call(method, arguments)

    async def succeed(self, returned: Any) -> None:
        """`on_success`, or `on_failure` where the receiver called `fail()`."""
        if self._context.failed is None:
            await self._stage("on_success", result=returned)
        else:
            await self._stage("on_failure", result=returned)

    async def fail(self, exc: BaseException) -> None:
        """`on_failure`; what it raises itself is told in the log."""
        try:
            await self._stage("on_failure", exc=exc, result=exc)
        except (Exception, SystemExit, KeyboardInterrupt) as also:
            self._context.logger.exception("on_failure() itself failed: %s", type(also).__name__)

    async def end(self, status: JobResultStatus, result: Any) -> None:
        """`after_return`; `result` is what was returned, or the exception that ended the run."""
        exc = result if isinstance(result, BaseException) else None
        await self._stage("after_return", status=status, result=result, exc=exc)

    async def _stage(
        self, name: str, *, status: JobResultStatus | None = None, result: Any = None, exc: BaseException | None = None
    ) -> None:
        method = getattr(self._instance, name, None)
        if method is None:
            return
        known = {
            "status": status,
            "result": result,
            "retval": result,
            "result_or_exc": result,
            "exc": exc if exc is not None or self._context.failed is None else result,
            "exc_or_none": exc,
            "task_id": self._task_id,
            "args": (),
            "kwargs": {},
            "einfo": exc.__traceback__ if exc is not None else None,
        }
        await self._call(method, arguments_of(method, name, known))
