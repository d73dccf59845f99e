"""The logger of a run: levels, texts, groups, and what never raises."""

import logging
from collections.abc import Callable
from typing import Any

import pytest

from buttonhook import FreeObject, LogLevel
from buttonhook.receivers.logger import JobLogger


class Lines:
    """A sink that keeps (level, message, grouping, about)."""

    def __init__(self) -> None:
        self.kept: list[tuple[int, str, str, object]] = []

    def add(self, level: int, message: str, grouping: str, about: object, logger: str) -> None:
        assert logger == ""
        self.kept.append((level, message, grouping, about))

    def redact(self, text: str) -> str:
        return text.replace("hunter2", "*")

    @property
    def only(self) -> tuple[int, str, str, object]:
        (line,) = self.kept
        return line


@pytest.fixture
def lines() -> Lines:
    return Lines()


@pytest.fixture
def logger(lines: Lines) -> JobLogger:
    return JobLogger("acme.Guard", lines)


LEVELS = ["debug", "info", "success", "warning", "failure", "error", "critical"]


@pytest.mark.parametrize(
    ("name", "level"), [*((word, LogLevel[word.upper()]) for word in LEVELS), ("warn", 30), ("fatal", 50)]
)
def test_every_level_has_a_method_and_its_caller_is_the_group(lines: Lines, logger: JobLogger, name: str, level: int):
    def somewhere() -> None:
        getattr(logger, name)("%s and %d", "text", 5)

    somewhere()
    assert lines.only == (level, "text and 5", "somewhere", None)


@pytest.mark.parametrize("number", [LogLevel.SUCCESS, 25, 7, 33])
def test_log_takes_any_number(lines: Lines, logger: JobLogger, number: int):
    logger.log(number, "x")
    assert lines.only[:2] == (number, "x")


def test_a_level_that_is_set_keeps_lower_lines_out(lines: Lines, logger: JobLogger):
    logger.setLevel(LogLevel.FAILURE)
    for name in LEVELS:
        getattr(logger, name)(name)
    assert [line[1] for line in lines.kept] == ["failure", "error", "critical"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("100%",), "100%"),
        (("%(a)s-%(b)s", {"a": 1, "b": 2}), "1-2"),
        (("%s", {"a": 1}), "{'a': 1}"),
        (("%s", {}), "{}"),
        (("%s", (1, 2)), "(1, 2)"),
        ((5,), "5"),
        ((None,), "None"),
        ((ValueError("x"),), "x"),
    ],
)
def test_a_line_is_formatted_as_logging_does(lines: Lines, logger: JobLogger, arguments: Any, message: str):
    logger.info(*arguments)
    assert lines.only[1] == message


class Unshowable:
    def __str__(self) -> str:
        raise RuntimeError("no")


@pytest.mark.parametrize(
    "arguments", [("%d", "x"), ("%s %s", 1), ("%s", 1, 2), ("%(a)s", {"b": 1}), (Unshowable(),), ("%s", Unshowable())]
)
def test_a_call_that_cannot_be_formatted_is_one_line_that_says_so(lines: Lines, logger: JobLogger, arguments: Any):
    logger.warning(*arguments)
    level, message, _, _ = lines.only
    assert level == 30
    assert "the log call does not fit its arguments" in message


def test_an_exception_brings_its_traceback(lines: Lines, logger: JobLogger):
    try:
        raise KeyError("mine")
    except KeyError as exc:
        logger.exception("failed")
        logger.info("told", exc_info=True)
        logger.info("given", exc_info=exc)
    logger.exception("outside")  # noqa: LOG004 - is what is tested
    for place, word in enumerate(["failed", "told", "given"]):
        text = lines.kept[place][1]
        assert text.startswith(f"{word}\nTraceback (most recent call last):")
        assert text.endswith("KeyError: 'mine'")
    assert [line[0] for line in lines.kept] == [40, 20, 20, 40]
    assert lines.kept[3][1] == "outside\n(no exception)"


def test_stack_info_adds_the_way_here(lines: Lines, logger: JobLogger):
    logger.info("here", stack_info=True)
    assert "test_stack_info_adds_the_way_here" in lines.only[1]


def direct(logger: JobLogger) -> None:
    logger.info("x")


def by_stacklevel(logger: JobLogger) -> None:
    def helper() -> None:
        logger.info("x", stacklevel=2)

    helper()


def by_adapter(logger: JobLogger) -> None:
    logging.LoggerAdapter(logger, {}).warning("x")


def by_fatal(logger: JobLogger) -> None:
    logger.fatal("x")


def by_log(logger: JobLogger) -> None:
    logger.log(20, "x")


@pytest.mark.parametrize("call", [direct, by_stacklevel, by_adapter, by_fatal, by_log])
def test_the_group_is_the_function_that_logs(lines: Lines, logger: JobLogger, call: Callable[[JobLogger], None]):
    call(logger)
    assert lines.only[2] == call.__name__


def test_a_stacklevel_beyond_the_stack_is_no_error(lines: Lines, logger: JobLogger):
    logger.info("x", stacklevel=10_000)
    assert lines.only[1] == "x"


def test_extra_names_the_group_and_the_object_and_keeps_a_line_out(lines: Lines, logger: JobLogger):
    obj = FreeObject("t.x", {}, pk="a")
    logger.info("x", extra={"grouping": "mine", "object": obj, "anything": 1})
    logger.info("not kept", extra={"skip_db_logging": True})
    assert lines.only == (20, "x", "mine", obj)


def test_a_child_logs_into_the_same_run(lines: Lines, logger: JobLogger):
    logger.setLevel(LogLevel.INFO)
    child = logger.getChild("part")
    child.debug("no")
    child.success("yes")
    assert lines.only[:2] == (25, "yes")
    assert child.name == "buttonhook.jobs.acme.Guard.part"


def test_a_record_that_somebody_made_is_taken(lines: Lines, logger: JobLogger):
    logger.handle(logging.makeLogRecord({"levelno": 40, "msg": "%s!", "args": ("hi",), "funcName": "theirs"}))
    assert lines.only[:3] == (40, "hi!", "theirs")


def test_the_host_hears_a_line_where_it_set_up_logging(logger: JobLogger, caplog: pytest.LogCaptureFixture):
    with caplog.at_level(logging.INFO, "buttonhook.jobs"):
        logger.debug("quiet")
        logger.success("100%")
    assert [(record.name, record.levelno, record.getMessage()) for record in caplog.records] == [
        ("buttonhook.jobs.acme.Guard", 25, "100%")
    ]
    assert caplog.records[0].levelname == "SUCCESS"
