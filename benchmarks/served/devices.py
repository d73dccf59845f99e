"""What the daemon of bench_http loads with --plugins-dir: the type that is written, and the job hook's receiver."""

from typing import Any

from buttonhook import JobHookReceiver, ObjectChange, ObjectChangeAction, TrackedObject, hookimpl, register_jobs


class BenchDevice(TrackedObject, object_type="bench.device"):
    """What is put, again and again."""

    name: str
    serial: str = "FOC2149X0AB"
    status: str = "active"


class Noop(JobHookReceiver):
    """The async receiver that does nothing but log two lines."""

    class Meta:
        object_types = ("bench.device",)

    async def receive_job_hook(self, change: ObjectChange, action: ObjectChangeAction, changed_object: Any) -> None:
        self.logger.info("line 1 of %s", change.object_pk)
        self.logger.info("line 2 of %s", changed_object)


@hookimpl
def buttonhook_object_types() -> list[type[TrackedObject]]:
    return [BenchDevice]


register_jobs(Noop)
