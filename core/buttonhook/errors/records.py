"""Errors about jobs, job hooks, job buttons and runs, and what a receiver raises to end or repeat its run."""

from collections.abc import Sequence

from buttonhook.errors.roots import ButtonhookError, UsageError, nearest

_YEAR_SECONDS = 366 * 86_400


class RecordError(ButtonhookError):
    """About the records of jobs, job hooks and job buttons."""


class RecordNotFound(RecordError):
    def __init__(self, kind: str, name: str, known: Sequence[str] = (), listing: str = "") -> None:
        self.kind, self.name, self.known = kind, name, tuple(known)
        near = nearest(name, known)
        hint = f" Did you mean {near!r}?" if near else (f" See them with: {listing}" if listing else "")
        super().__init__(f"No {kind} {name!r} exists.{hint}")


class RecordConflict(RecordError):
    """A record of the set-up cannot be so; `field` is the one at fault, where it is one."""

    def __init__(self, kind: str, name: str, problem: str, cure: str = "", *, field: str = "") -> None:
        self.kind, self.name, self.problem, self.cure, self.field = kind, name, problem, cure, field
        super().__init__(f"{kind.capitalize()} {name!r} {problem}.{' ' + cure if cure else ''}")


class PressRefused(RecordError):
    def __init__(self, button: str, reason: str, cure: str = "") -> None:
        self.button, self.reason, self.cure = button, reason, cure
        super().__init__(f"Job button {button!r} cannot be pressed: {reason}.{' ' + cure if cure else ''}")


class EnqueueRefused(RecordError):
    def __init__(self, receiver: str, reason: str) -> None:
        self.receiver, self.reason = receiver, reason
        super().__init__(f"{receiver} cannot be enqueued: {reason}.")


class RunNotFound(RecordError):
    def __init__(self, result: str, problem: str) -> None:
        self.result, self.problem = result, problem
        super().__init__(f"Job result {result!r} {problem}.")


class NoSuchRun(RunNotFound):
    """There is no such job result, or not for this user."""

    def __init__(self, result: str) -> None:
        super().__init__(result, "does not exist")


class BadCondition(RecordError):
    """A condition row cannot be used. `row` counts from 1; 0 means the list as a whole."""

    def __init__(self, subject: str, row: int, problem: str) -> None:
        self.subject, self.row, self.problem = subject, row, problem
        where = f", condition {row}" if row else ""
        end = "" if problem.endswith(("?", ".")) else "."
        super().__init__(f"{subject}{where}: {problem}{end}")


class RunEnded(ButtonhookError):
    """A write came from an attempt that is over; it was refused and nothing was written."""

    def __init__(self, result_id: str, attempt: int) -> None:
        self.result_id, self.attempt = result_id, attempt
        super().__init__(f"Job result {result_id!r} attempt {attempt} is over. Its writes are refused.")


class SoftTimeLimitExceeded(ButtonhookError):
    """Raised inside a receiver when its soft time limit is over; it may clean up and end, or be ended later."""

    def __init__(self, seconds: float = 0) -> None:
        self.seconds = seconds
        super().__init__(
            f"the soft time limit of {seconds:g} s was exceeded" if seconds else "the soft time limit was exceeded"
        )


class RetryLater(ButtonhookError):
    """Raise it in a receiver to have this result tried again after `delay` seconds (None: by the job's backoff).

    Raises:
        UsageError: the delay is no number of seconds, or more than a year.
    """

    def __init__(self, delay: float | None = None, reason: str = "") -> None:
        given: object = delay  # receivers are not all type-checked
        if given is not None and not (isinstance(given, int | float) and abs(given) <= _YEAR_SECONDS):
            raise UsageError(
                f"RetryLater takes seconds, a year of them at most, not {delay!r}. Write: RetryLater(30, 'why')."
            )
        self.delay, self.reason = delay, reason
        super().__init__(reason or "the receiver asked to be tried again later")


class GiveUp(ButtonhookError):
    """Raise it in a receiver to fail for good: what retries are left are not used."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


class AlreadyRecorded(ButtonhookError):
    def __init__(self, request_id: str) -> None:
        self.request_id = request_id
        super().__init__(f"Request {request_id!r} is recorded already. Nothing was written.")


class AlreadyAnswered(ButtonhookError):
    """What was asked with this idempotency key is done; `answer` is what was answered then."""

    def __init__(self, user_name: str, key: str, fingerprint: str, answer: str) -> None:
        self.user_name, self.key, self.fingerprint, self.answer = user_name, key, fingerprint, answer
        super().__init__(f"Idempotency key {key!r} of {user_name!r} was used before. Nothing was written.")
