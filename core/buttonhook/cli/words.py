"""How records are named on the command line, the same wherever they are shown."""

import shlex
from collections.abc import Iterable
from typing import Final

import click
import msgspec

from buttonhook.cli.output import STATE_STYLES, Cell
from buttonhook.cli.text import cut, duration
from buttonhook.configuration import Configuration
from buttonhook.plugins import PluginReport
from buttonhook.records import ChangeRecord, Job, JobButton, JobHook, JobResult
from buttonhook.registry import Registry

PAST: Final = {"create": "Created", "update": "Updated", "delete": "Deleted"}


def object_name(object_type: str, pk: str, representation: str, *, with_pk: bool = False) -> str:
    """`dcim.device ams01-r1`; the pk too where the name is another and `with_pk` is set."""
    key = f"{object_type} {pk}"
    if representation in ("", pk, key):
        return key
    return f"{key} ({representation})" if with_pk else f"{object_type} {representation}"


def result_object(result: JobResult) -> str:
    """What a run was about."""
    return object_name(result.object_type, result.object_pk, result.object_repr)


def told(change: ChangeRecord, *, is_named: bool = True) -> str:
    """`Updated dcim.device ams01-r1 (Router 1), change 12`; the name is left out where it may not be seen."""
    representation = change.object_repr if is_named else ""
    name = object_name(change.object_type, change.object_pk, representation, with_pk=True)
    return f"{PAST[change.action.value]} {name}, change {change.id}"


def took(result: JobResult) -> str:
    """How long the last attempt ran."""
    if result.started_at is None or result.ended_at is None:
        return ""
    return duration(result.ended_at - result.started_at)


def reason(result: JobResult) -> str:
    """Why a run ended so, in one line."""
    return cut((result.error or "").partition("\n")[0])


def failure_line(result: JobResult) -> str:
    """A failed run, and where to read what it logged."""
    why = reason(result).rstrip(".") or "no reason was given"
    return f"{result.job_name} on {result_object(result)}: {why}. See: buttonhook results logs {result.number}"


def on_off(enabled: bool) -> Cell:
    word = "enabled" if enabled else "disabled"
    return Cell(word, STATE_STYLES[word])


def job_state(job: Job) -> Cell:
    return on_off(job.enabled) if job.installed else Cell("not installed", STATE_STYLES["not installed"])


def use_state(record: JobHook | JobButton, job: Job) -> Cell:
    """Whether a hook or button works, or what keeps it from working."""
    if not record.enabled:
        return on_off(False)
    if not job.installed:
        return Cell("job not installed", "yellow")
    return on_off(True) if job.enabled else Cell("job disabled", "yellow")


def job_of(registry: Registry, configuration: Configuration, record: JobHook | JobButton) -> Job:
    """The job of a hook or button, also where its record is gone; one that may not be seen goes by its path."""
    job = registry.find(Job, record.job)
    if job is None:
        return Job(id=record.job, name=record.job, kind="hook", installed=False)
    is_seen = any(each.id == job.id for each in configuration.jobs())
    return job if is_seen else msgspec.structs.replace(job, name=job.id)


def names_of_broken(plugins: Iterable[PluginReport]) -> list[str]:
    """The names of the plugins that have errors."""
    return [each.name for each in plugins if each.errors]


def not_let_in(name: str, *, is_disabled: bool) -> click.ClickException:
    """What to tell somebody who may do nothing here."""
    if is_disabled:
        cure = f"Enable them as somebody who may: buttonhook users enable {shlex.quote(name)}"
        return click.ClickException(f"User {name!r} is disabled. {cure}")
    cure = f"Add them as somebody who may: buttonhook users add {shlex.quote(name)}"
    return click.ClickException(f"User {name!r} is not known in this database. {cure}")
