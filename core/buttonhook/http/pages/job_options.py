"""The options of a job as people read and override them: what each is called, what it means, how it is typed."""

from typing import Any, Final, Literal

from msgspec import Struct

from buttonhook.configuration import OVERRIDABLE
from buttonhook.errors import RecordConflict
from buttonhook.http.pages.forms import BadField, FormField, number, plainly
from buttonhook.http.reading import Form
from buttonhook.ids import LogLevel
from buttonhook.receivers.meta import JobMeta
from buttonhook.records import Job

PREFIX: Final = "o."
Kind = Literal["line", "text", "yesno", "seconds", "count", "ordering", "level"]


class Option(Struct, frozen=True):
    """One option. `none` is what 0 means, where it means more than 0."""

    name: str
    label: str
    kind: Kind
    help: str
    none: str = ""


class OptionRow(Struct, frozen=True):
    """An option in force; `of_class` is what the class says, where that is something else."""

    option: Option
    text: str
    of_class: str = ""


OPTIONS: Final = (
    Option("name", "Name", "line", "As lists, results and logs show it."),
    Option("description", "Description", "text", "What it does, in a sentence or two."),
    Option("grouping", "Grouping", "line", "Jobs of one grouping stand together."),
    Option("hidden", "Hidden", "yesno", "Left out of lists until somebody asks for all."),
    Option("soft_time_limit", "Soft time limit", "seconds", "Then the receiver is told to come to an end.", "no limit"),
    Option("time_limit", "Time limit", "seconds", "Then the run is ended as a failure.", "no limit"),
    Option("retries", "Retries", "count", "How many further attempts a failed run gets.", "none"),
    Option("retry_backoff", "Wait before a retry", "seconds", "Doubled for each further one, an hour at most.", "none"),
    Option("max_concurrency", "Runs at once", "count", "The others wait.", "no limit of its own"),
    Option("is_singleton", "One at a time", "yesno", "One run at a time, whatever caused it, in the order of commits."),
    Option("ordering", "Order", "ordering", "Whether one job hook sees the changes of one object one after the other."),
    Option("rerun_on_crash", "Run again after a crash", "yesno", "When the process of a run ended under it."),
    Option("log_level", "Log level", "level", "Lines of other loggers below it are not kept."),
    Option("has_sensitive_variables", "Sensitive", "yesno", "Nothing that a run returns is kept."),
    Option("free_documents", "Takes any document", "yesno", "Also objects that their type does not accept."),
)
ORDERINGS: Final = (("object", "one object after the other"), ("none", "all at once"))


def rows_of(meta: JobMeta, of_class: JobMeta) -> list[OptionRow]:
    """What is in force, but for what the page tells elsewhere."""
    rows = []
    for option in OPTIONS[2:]:
        text, own = _told(option, getattr(meta, option.name)), _told(option, getattr(of_class, option.name))
        rows.append(OptionRow(option, text, own if own != text else ""))
    return rows


def _told(option: Option, value: Any) -> str:
    if option.kind == "yesno":
        return "yes" if value else "no"
    if option.kind == "level":
        return LogLevel(value).word
    if option.kind == "ordering":
        return dict(ORDERINGS)[value]
    if value == 0 and option.none:
        return option.none
    return f"{value:g} s" if option.kind == "seconds" else str(value)


# --- overriding -----------------------------------------------------------------------------------


def fields_for(job: Job, of_class: JobMeta, given: Form | None, errors: dict[str, str]) -> list[FormField]:
    """A field for each option that may be overridden; an empty one follows the class."""
    return [_field(each, job, of_class, given, errors) for each in OPTIONS if each.name in OVERRIDABLE]


def _field(option: Option, job: Job, of_class: JobMeta, given: Form | None, errors: dict[str, str]) -> FormField:
    own = _told(option, getattr(of_class, option.name)) or ("its class's name" if option.name == "name" else "empty")
    name = PREFIX + option.name
    options: tuple[tuple[str, str], ...] = ()
    if option.kind == "yesno":
        options = (("", f"as the class: {own}"), ("yes", "yes"), ("no", "no"))
    if option.kind == "ordering":
        options = (("", f"as the class: {own}"), *ORDERINGS)
    return FormField(
        name=name,
        label=option.label + (" (seconds)" if option.kind == "seconds" else ""),
        kind="select" if options else {"text": "text", "line": "line"}.get(option.kind, "number"),
        value=_initial(job, option) if given is None else given.get(name),
        options=options,
        error=errors.get(option.name, ""),
        help=option.help,
        rows=2,
        placeholder=own,
    )


def _initial(job: Job, option: Option) -> str:
    value = job.overrides.get(option.name)
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else str(value)


def read(job: Job, given: Form) -> tuple[dict[str, Any], dict[str, str]]:
    """What is to be overridden anew, None where the class is to be followed again; and what is wrong, by option."""
    overrides: dict[str, Any] = {}
    errors: dict[str, str] = {}
    for option in OPTIONS:
        text = given.get(PREFIX + option.name).strip()
        if option.name not in OVERRIDABLE or PREFIX + option.name not in given or text == _initial(job, option):
            continue
        try:
            overrides[option.name] = None if text == "" else _value(option, text)
        except BadField as exc:
            errors[option.name] = str(exc)
    return overrides, errors


def _value(option: Option, text: str) -> Any:
    """Raises: BadField: the text is no value of this option."""
    if option.kind == "yesno":
        return text == "yes"
    if option.kind in ("seconds", "count"):
        value = number(text)
        if value < 0:
            raise BadField("Must be 0 or more.")
        if option.kind == "count" and not isinstance(value, int):
            raise BadField("Must be a whole number.")
        return value
    return text


def plain_problem(exc: RecordConflict) -> str:
    """What is wrong with an option, for its field."""
    problem = exc.problem.removeprefix(f"cannot have {exc.field}: ")
    return plainly(f"{problem}. {exc.cure}" if exc.cure else problem)
