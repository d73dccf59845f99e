"""Jobs: the receivers that can run, and the options in force for each."""

from typing import Any

from buttonhook.http.shapes.base import Input, Shape
from buttonhook.ids import LogLevel, ResultKind
from buttonhook.receivers.meta import JobMeta
from buttonhook.receivers.registration import ReceiverType
from buttonhook.records import Job, JobHook


class JobShape(Shape):
    id: str
    """The path of its class."""
    name: str
    kind: ResultKind
    enabled: bool
    installed: bool
    was_enabled: bool
    """Whether it ever was: the job hook that its package asks for is made the first time only."""
    is_hidden: bool
    is_async: bool | None
    """Whether it runs on the loop, or in a thread; null where it is not installed."""
    package: str
    overrides: dict[str, Any]
    """The options that do not follow the class."""
    meta: dict[str, Any] | None
    """The options in force; null where it is not installed."""
    class_meta: dict[str, Any] | None
    """The options of its class."""

    @classmethod
    def of(cls, record: Job, receiver: ReceiverType | None, options: JobMeta | None) -> "JobShape":
        """`options`: those in force."""
        return cls(
            id=record.id,
            name=record.name,
            kind=record.kind,
            enabled=record.enabled,
            installed=receiver is not None,
            was_enabled=record.was_enabled,
            is_hidden=options is not None and options.hidden,
            is_async=None if receiver is None else receiver.is_async,
            package=record.package,
            overrides=dict(record.overrides),
            meta=None if options is None else _options(record.name, options),
            class_meta=None if receiver is None else _options(receiver.name, receiver.meta),
        )


def _options(name: str, options: JobMeta) -> dict[str, Any]:
    told = {name: getattr(options, name) for name in JobMeta.__struct_fields__}
    return {**told, "name": name, "log_level": LogLevel(options.log_level).word}


class EnabledJobShape(JobShape):
    added_hook: str | None
    """The job hook that its package asked for, made when it was enabled the first time."""

    @classmethod
    def with_hook(cls, job: JobShape, hook: JobHook | None) -> "EnabledJobShape":
        told = {name: getattr(job, name) for name in JobShape.__struct_fields__}
        return cls(**told, added_hook=None if hook is None else hook.name)


class JobChange(Input):
    """Options to override; null lets one follow the class again."""

    overrides: dict[str, Any]
