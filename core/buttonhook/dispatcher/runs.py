"""What runs, and how it is made to stop: time limits, cancelling, and giving up on what does not stop."""

from functools import lru_cache
from typing import Final

from buttonhook.capture import JobCapture
from buttonhook.errors import SoftTimeLimitExceeded
from buttonhook.ids import JobResultStatus
from buttonhook.receivers.meta import JobMeta
from buttonhook.records import ClaimedResult
from buttonhook.steering import RunControl, RunStopped

GRACE_SECONDS: Final = 1.0
"""How long a run that was told to stop may take before it is ended without it."""


class Run(RunControl):
    """One attempt that runs. Moments are the loop's clock."""

    __slots__ = (
        *("began", "capture", "claimed", "is_over", "late_notes", "options", "soft_sent", "stopped_at"),
        "waits_again",
    )

    def __init__(self, claimed: ClaimedResult, options: JobMeta, capture: JobCapture) -> None:
        super().__init__()
        self.claimed = claimed
        self.options = options
        self.capture = capture
        self.began: float | None = None
        """When the receiver's turn came; None while it waits behind others."""
        self.soft_sent = False
        self.stopped_at: float | None = None
        self.is_over = False
        self.late_notes = 0
        self.waits_again = False
        """Whether its outcome, not committed yet, asks for another attempt: there is nothing left to stop here."""

    @property
    def name(self) -> str:
        """How its task is called while it runs."""
        return f"job {self.claimed.result.number} {self.claimed.result.job}"

    @property
    def is_there(self) -> bool:
        """Whether its task or its thread has not ended."""
        return self.task is not None or self.is_in_thread

    def stop_once(self, reason: RunStopped, moment: float) -> None:
        """Tell the run to stop, unless it was told before; the reason becomes its outcome."""
        if self.stopped_at is None:
            self.stopped_at = moment
            self.stop(reason)

    def check_limits(self, moment: float) -> RunStopped | None:
        """Hold the run to its limits; returns why it is to be given up, when it did not stop in time."""
        if self.began is None:
            return None
        spent, options = moment - self.began, self.options
        if self.stopped_at is not None:
            return self.stopped if moment - self.stopped_at > GRACE_SECONDS else None
        if options.time_limit and spent > options.time_limit:
            text = f"the time limit of {options.time_limit:g} s was exceeded"
            self.stop_once(RunStopped(JobResultStatus.FAILURE, text), moment)
        elif options.soft_time_limit and spent > options.soft_time_limit and not self.soft_sent:
            self.soft_sent = True
            self.interrupt(SoftTimeLimitExceeded(options.soft_time_limit))
        return None


def tick_seconds(options: JobMeta) -> float:
    """How often a job's limits must be looked at: a tenth of the shorter one, within reason."""
    return _tick_seconds(options.soft_time_limit, options.time_limit)


@lru_cache
def _tick_seconds(*limits: float) -> float:
    return min(0.5, max(0.02, min((limit for limit in limits if limit), default=5.0) / 10))
