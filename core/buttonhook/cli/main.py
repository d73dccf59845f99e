"""The entry of the `buttonhook` command: what it takes, and what a user sees when something is wrong.

Exit codes: 0 done; 1 failed, with one line on standard error; 2 called wrongly; 130 stopped with Ctrl-C; 141 the reader
of a pipe went away. No user sees a traceback, unless BUTTONHOOK_DEBUG is set.
"""

import logging
import os
import sys
import traceback
from collections.abc import Sequence
from importlib.metadata import version
from typing import Any, Final, NoReturn

import click

from buttonhook.capture import current_capture
from buttonhook.cli.context import DEBUG_VARIABLE, ByName, Cli, RootGroup
from buttonhook.errors import ButtonhookError, ObjectExists, QueryError, SettingsError, StaleObject
from buttonhook.receivers.logger import MIRROR_NAME

FAILED: Final = 1
USAGE: Final = 2
INTERRUPTED: Final = 130
PIPE_CLOSED: Final = 141

COMPLETION_VARIABLE: Final = "_BUTTONHOOK_COMPLETE"

COMMANDS: Final = {
    "plugins": "plugins:plugins",
    "jobs": "jobs:jobs",
    "hooks": "hooks:hooks",
    "buttons": "buttons:buttons",
    "objects": "objects:objects",
    "changes": "changes:changes",
    "results": "results:results",
    "users": "users:users",
    "sources": "sources:sources",
    "run": "upkeep:run_pending",
    "check": "upkeep:check",
    "config": "upkeep:config",
    "demo": "demo:demo",
    "serve": "serve:serve",
}
"""Where each command is. It is loaded when it is called."""


@click.group(
    "buttonhook",
    cls=RootGroup,
    commands=ByName(COMMANDS),
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Settings: defaults < buttonhook.toml < BUTTONHOOK_* environment < options; see 'buttonhook config'. "
    "Piped output has one line a row, its fields divided by tabs; programs read --json.",
)
@click.version_option(version("buttonhook"), prog_name="buttonhook", message="%(prog)s %(version)s")
def root() -> None:
    """Run your Python code when data changes and when a button is pressed."""


def main() -> NoReturn:
    """Run the command of this process's arguments, then exit."""
    if COMPLETION_VARIABLE in os.environ:
        root.main(prog_name="buttonhook")
    _make_streams_safe()
    code = run_command(sys.argv[1:])
    sys.exit(_close_streams(code))


def run_command(arguments: Sequence[str]) -> int:
    """Run one command; returns the exit code, and never raises."""
    cli = Cli()
    try:
        # click's own main() would end the process itself when a pipe is closed.
        with _logging_to(cli), root.make_context("buttonhook", list(arguments), obj=cli) as context:
            code = root.invoke(context)
        cli.out.flush()
        return code if isinstance(code, int) else 0
    except BaseException as exc:  # noqa: BLE001 - the process's boundary
        return _explain(cli, exc)


def _explain(cli: Cli, exc: BaseException) -> int:
    """Tell what is wrong in one line; returns the exit code."""
    if os.environ.get(DEBUG_VARIABLE) and not isinstance(exc, click.exceptions.Exit | SystemExit):
        cli.out.stderr.write(cli.out.redactor.redact("".join(traceback.format_exception(exc))))
    try:
        return _judge(cli, exc)
    except BrokenPipeError:
        return PIPE_CLOSED


def _judge(cli: Cli, exc: BaseException) -> int:
    if isinstance(exc, click.exceptions.Exit):
        return exc.exit_code
    if _is_pipe(exc):
        return PIPE_CLOSED
    cli.out.flush()
    if isinstance(exc, click.exceptions.NoArgsIsHelpError):
        cli.out.stderr.write(exc.format_message() + "\n")
        return USAGE
    if isinstance(exc, KeyboardInterrupt | click.Abort):
        goes_on = "the daemon goes on with what waits" if cli.asks_daemon else "what waits goes on with: buttonhook run"
        cli.out.note(f"Stopped. What was committed stays; {goes_on}")
        return INTERRUPTED
    code, sentence, hint = _sentence(exc)
    cli.out.fail(sentence)
    if hint:
        cli.out.note(hint)
    return code


def _is_pipe(exc: BaseException | None) -> bool:
    """Whether it comes of a reader that went away, as in `buttonhook changes list | head`."""
    seen = 0
    while exc is not None and seen < 10:
        if isinstance(exc, BrokenPipeError):
            return True
        exc, seen = exc.__cause__ or exc.__context__, seen + 1
    return False


def _sentence(exc: BaseException) -> tuple[int, str, str]:
    """The exit code for an error, the line that tells it, and where to look further."""
    if isinstance(exc, click.UsageError):
        hint = f"Try '{exc.ctx.command_path} --help'." if exc.ctx is not None else ""
        return USAGE, exc.format_message(), hint
    if isinstance(exc, click.ClickException):
        return exc.exit_code, exc.format_message(), ""
    if isinstance(exc, StaleObject | ObjectExists):
        return FAILED, _with_our_cure(exc), ""
    if isinstance(exc, ButtonhookError):
        return USAGE if isinstance(exc, SettingsError | QueryError) else FAILED, str(exc), ""
    if isinstance(exc, OSError):
        return FAILED, f"{exc.filename}: {exc.strerror}" if exc.filename else str(exc), ""
    hint = f"This is a bug of Buttonhook, please report it. {DEBUG_VARIABLE}=1 shows where it happened."
    return FAILED, f"{type(exc).__name__}: {exc}", hint


def _with_our_cure(exc: StaleObject | ObjectExists) -> str:
    """The cures in these errors are for code; here are those for people at a command line."""
    look = f"Look at it with: buttonhook objects get {exc.object_type} {exc.pk}"
    if isinstance(exc, StaleObject):
        return f"{exc.object_type} {exc.pk!r} is stale: {exc.detail}. {look}"
    return f"{exc.object_type} {exc.pk!r} exists already. {look}"


class _StandardError(logging.Handler):
    """Shows what the program's parts log as one line each. What a job logs is in its own log."""

    def __init__(self, cli: Cli) -> None:
        super().__init__(logging.WARNING)
        self._out = cli.out

    def emit(self, record: logging.LogRecord) -> None:
        if current_capture.get() is not None:
            return
        try:
            tell = self._out.fail if record.levelno >= logging.ERROR else self._out.warn
            tell(record.getMessage())
        except Exception:  # noqa: BLE001 - as logging does: a line that cannot be written ends nothing
            self.handleError(record)


class _logging_to:  # noqa: N801 - used like a function
    """Send log records to standard error for as long as the block lasts."""

    def __init__(self, cli: Cli) -> None:
        self._handler = _StandardError(cli)
        self._level = logging.WARNING

    def __enter__(self) -> None:
        root = logging.getLogger()
        self._level = root.level
        root.addHandler(self._handler)
        root.setLevel(logging.INFO)  # so that what libraries say inside a job gets as far as the job's own log
        logging.getLogger(MIRROR_NAME).setLevel(logging.CRITICAL + 1)  # jobs have their own log

    def __exit__(self, *_: Any) -> None:
        root = logging.getLogger()
        root.removeHandler(self._handler)
        root.setLevel(self._level)
        logging.getLogger(MIRROR_NAME).setLevel(logging.NOTSET)


def _make_streams_safe() -> None:
    """Closed streams swallow what is written; characters that a stream cannot hold are shown by their codes."""
    if sys.stdout is None:
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115, PTH123 - for the rest of the process
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115, PTH123 - for the rest of the process
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]


def _close_streams(code: int) -> int:
    """Write out what is buffered; a reader that has gone must not show up as a traceback at exit."""
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except BrokenPipeError:
        code = code or PIPE_CLOSED
    except OSError:
        code = code or FAILED
    else:
        return code
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return code
