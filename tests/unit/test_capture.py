"""Capture: whose line it is, what is kept of too many, and that the host gets everything back."""

import asyncio
import contextvars
import logging
import threading
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from buttonhook import FreeObject, LogLevel
from buttonhook.capture import MAX_LOGGER, MAX_MESSAGE, JobCapture, current_capture, installed
from buttonhook.documents import clean
from buttonhook.objects.keys import MAX_PK_LENGTH

LIBRARY = logging.getLogger("some.library")


def job(number: int = 1, level: int = LogLevel.INFO, **caps: int) -> JobCapture:
    return JobCapture(number, 1, level, **caps)


@contextmanager
def within(capture: JobCapture) -> Iterator[None]:
    token = current_capture.set(capture)
    try:
        yield
    finally:
        current_capture.reset(token)


@pytest.fixture
def listening() -> Iterator[None]:
    LIBRARY.setLevel(logging.DEBUG)
    with installed():
        yield
    LIBRARY.setLevel(logging.NOTSET)


def messages(capture: JobCapture) -> list[str]:
    return [line.message for line in capture.close()]


# --- caps -----------------------------------------------------------------------------------------


def fill(capture: JobCapture, texts: list[str]) -> None:
    for text in texts:
        capture.add(20, text, "g", None, "")


def test_of_too_many_lines_the_beginning_and_the_end_are_kept_with_a_note_between():
    capture = job(max_lines=6)
    fill(capture, [f"line {number}" for number in range(1, 21)])
    lines = capture.close()
    assert [line.message.partition(":")[0] for line in lines] == [
        "line 1",
        "line 2",
        "line 3",
        "14 lines (92 characters) were dropped here",
        "line 18",
        "line 19",
        "line 20",
    ]
    assert [line.seq for line in lines] == [1, 2, 3, 4, 18, 19, 20]
    assert lines[3].level is LogLevel.WARNING


@given(
    st.lists(st.integers(0, 30).map(lambda size: "x" * size), max_size=60),
    st.integers(2, 20),
    st.integers(2, 200),
    st.sets(st.integers(0, 60)),
)
def test_caps_hold_nothing_is_told_twice_and_what_is_dropped_is_counted(
    texts: list[str], max_lines: int, max_bytes: int, takes: set[int]
):
    capture = job(max_lines=max_lines, max_bytes=max_bytes)
    lines = []
    for place, text in enumerate(texts):
        if place in takes:
            lines.extend(capture.take())
        fill(capture, [text])
    lines.extend(capture.close())
    notes = [line for line in lines if line.logger]
    kept = [line for line in lines if not line.logger]
    assert [line.seq for line in lines] == sorted({line.seq for line in lines})
    assert [line.message for line in kept] == [texts[line.seq - 1] for line in kept]
    assert len(kept) <= max_lines
    assert sum(len(line.message) for line in kept) <= max_bytes + 30
    dropped = len(texts) - len(kept)
    assert [note.message.split(" lines")[0] for note in notes] == ([str(dropped)] if dropped else [])
    if texts:
        assert kept[-1].message == texts[-1]
    assert capture.take() == []


def test_one_message_is_cut_at_its_limit():
    capture = job()
    fill(capture, ["x" * (MAX_MESSAGE + 1234), "y" * MAX_MESSAGE])
    first, second = messages(capture)
    assert first == "x" * MAX_MESSAGE + "... (1,234 characters cut)"
    assert second == "y" * MAX_MESSAGE


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a\0b", "a\ufffdb"),
        ("é\0", "é\ufffd"),
        ("a\ud800b", "a\ufffdb"),
        ("\udc00\ud800", "\ufffd\ufffd"),
        ("😀é", "😀é"),
    ],
)
def test_what_a_store_cannot_hold_is_replaced(text: str, expected: str):
    assert clean(text) == expected
    capture = job()
    capture.add(20, text, text, FreeObject("t.x", {"name": text}, pk="a"), "lib")
    (line,) = capture.close()
    assert (line.message, line.grouping, line.object_repr) == (expected, expected, expected)


@given(st.text(st.characters(exclude_categories=[])))
def test_every_text_can_be_stored_once_it_is_cleaned(text: str):
    cleaned = clean(text)
    assert "\0" not in cleaned
    cleaned.encode()
    assert clean(cleaned) == cleaned


@pytest.mark.parametrize(("number", "level"), [(5, 10), (10, 10), (24, 20), (25, 25), (39, 35), (45, 40), (99, 50)])
def test_a_level_between_counts_as_the_one_below(number: int, level: int):
    capture = job(level=0)
    capture.add(number, "x", "g", None, "")
    assert capture.close()[0].level == level


def test_a_line_names_what_it_is_about():
    class Bad:
        def __str__(self) -> str:
            raise RuntimeError

    capture = job()
    for about in (FreeObject("t.x", {"name": "n"}, pk="a"), "text", Bad(), FreeObject("t.x", {})):
        capture.add(20, "x", "g", about, "")
    assert [(line.object_type, line.object_pk, line.object_repr) for line in capture.close()] == [
        ("t.x", "a", "n"),
        ("", "", "text"),
        ("", "", "<Bad>"),
        ("", "", "t.x (new)"),
    ]


def test_names_around_a_line_are_what_every_store_can_hold_and_no_longer_than_they_may_be():
    capture = job()
    capture.redactor.register("hunter2-hunter3")
    for logger in ("lib.\ud800\0", "lib.hunter2-hunter3", "l" * 10_000):
        about = FreeObject("t.x", {}, pk="a")
        about._state.pk = "\ud800" + "p" * 10_000
        capture.add(20, "x", "g", about, logger)
    lines = capture.close()
    assert [line.logger for line in lines] == ["lib.\ufffd\ufffd", "lib.[redacted]", "l" * MAX_LOGGER]
    assert {line.object_pk for line in lines} == {"\ufffd" + "p" * (MAX_PK_LENGTH - 1)}


def test_many_threads_lose_no_line_and_number_them_without_gaps():
    capture = job()
    threads = [threading.Thread(target=fill, args=(capture, ["x"] * 200)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [line.seq for line in capture.close()] == list(range(1, 1601))


def test_a_line_after_the_end_goes_to_the_daemon_s_log(caplog: pytest.LogCaptureFixture):
    capture = job(7)
    capture.close()
    fill(capture, ["too late"])
    assert capture.close() == []
    assert "Job result number 7 logged after its end: too late" in caplog.text


# --- whose line it is -----------------------------------------------------------------------------


@pytest.mark.usefixtures("listening")
def test_a_library_s_line_lands_in_the_job_s_log_with_its_logger():
    def in_library() -> None:
        LIBRARY.warning("%s", "hello", extra={"object": FreeObject("t.x", {}, pk="a")})

    capture = job()
    with within(capture):
        in_library()
        LIBRARY.info("x", extra={"grouping": "theirs"})
        LIBRARY.debug("below the job's level")
        LIBRARY.error("kept out", extra={"skip_db_logging": True})
    LIBRARY.error("outside")
    first, second = capture.close()
    assert (first.message, first.logger, first.grouping, first.object_pk) == (
        "hello",
        "some.library",
        "in_library",
        "a",
    )
    assert second.grouping == "theirs"


@pytest.mark.usefixtures("listening")
def test_a_logger_that_does_not_propagate_is_heard_and_a_disabled_one_is_not():
    shy, off = logging.getLogger("some.shy"), logging.getLogger("some.off")
    shy.propagate, off.disabled = False, True
    capture = job()
    try:
        with within(capture):
            shy.warning("shy")
            off.warning("off")
    finally:
        shy.propagate, off.disabled = True, False
    assert messages(capture) == ["shy"]


@pytest.mark.usefixtures("listening")
def test_a_library_s_line_with_one_mapping_is_formatted_as_logging_does_it():
    capture = job()
    with within(capture):
        LIBRARY.warning("got %s", {"a": 1})
        LIBRARY.warning("a is %(a)d", {"a": 1})
        LIBRARY.warning("got %s", {})
    assert messages(capture) == ["got {'a': 1}", "a is 1", "got {}"]


@pytest.mark.usefixtures("listening")
def test_a_line_that_cannot_be_formatted_is_kept_as_one_that_says_so():
    capture = job()
    with within(capture), pytest.MonkeyPatch.context() as patch:
        patch.setattr(logging, "raiseExceptions", False)
        LIBRARY.warning("%d", "x", extra={"a": 1})
    assert "does not fit its arguments" in messages(capture)[0]


def log_in_thread(text: str) -> None:
    thread = threading.Thread(target=LIBRARY.warning, args=(text,))
    thread.start()
    thread.join()


class OwnThread(threading.Thread):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = text

    def run(self) -> None:
        LIBRARY.warning(self.text)


def log_in_subclass(text: str) -> None:
    thread = OwnThread(text)
    thread.start()
    thread.join()


def log_in_timer(text: str) -> None:
    timer = threading.Timer(0, LIBRARY.warning, [text])
    timer.start()
    timer.join()


def log_in_pool(text: str) -> None:
    with ThreadPoolExecutor(1) as pool:
        list(pool.map(LIBRARY.warning, [text]))


def log_in_nested_thread(text: str) -> None:
    thread = threading.Thread(target=log_in_pool, args=(text,))
    thread.start()
    thread.join()


WAYS = [log_in_thread, log_in_subclass, log_in_timer, log_in_pool, log_in_nested_thread]


@pytest.mark.usefixtures("listening")
@pytest.mark.parametrize("way", WAYS)
def test_a_thread_that_a_job_starts_belongs_to_it(way: Callable[[str], None]):
    capture = job()
    with within(capture):
        way("mine")
    way("nobody's")
    assert messages(capture) == ["mine"]


@pytest.mark.usefixtures("listening")
def test_a_pool_that_outlives_the_job_that_filled_it_serves_each_job_its_own_lines():
    with ThreadPoolExecutor(1) as pool:
        captures = [job(number) for number in range(3)]
        for number, capture in enumerate(captures):
            with within(capture):
                pool.submit(LIBRARY.warning, f"job {number}").result()
        pool.submit(LIBRARY.warning, "nobody's").result()
    assert [messages(capture) for capture in captures] == [["job 0"], ["job 1"], ["job 2"]]


@pytest.mark.usefixtures("listening")
async def test_child_tasks_and_threads_of_the_loop_belong_to_their_job():
    async def child(text: str) -> None:
        LIBRARY.warning(text)
        await asyncio.to_thread(LIBRARY.warning, f"{text} in a thread")
        await asyncio.get_running_loop().run_in_executor(None, LIBRARY.warning, f"{text} in the executor")

    async def run(capture: JobCapture, text: str) -> None:
        current_capture.set(capture)
        await asyncio.create_task(child(text))

    captures = [job(number) for number in range(4)]
    await asyncio.gather(*(run(capture, f"job {number}") for number, capture in enumerate(captures)))
    await child("nobody's")
    for number, capture in enumerate(captures):
        assert messages(capture) == [f"job {number}{rest}" for rest in ("", " in a thread", " in the executor")]


def test_warnings_become_lines_of_the_job_and_of_nobody_else():
    capture = job()
    shown: list[str] = []
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.showwarning = lambda message, *_args, **_more: shown.append(str(message))
        with installed():
            with within(capture):
                warnings.warn_explicit("old", DeprecationWarning, "/a/b/lib.py", 7)
            warnings.warn_explicit("outside", UserWarning, "lib.py", 8)
        warnings.warn_explicit("after", UserWarning, "lib.py", 9)
    assert shown == ["outside", "after"]
    (line,) = capture.close()
    assert (line.message, line.grouping, line.level) == ("DeprecationWarning: old (lib.py:7)", "warnings", 30)


# --- the host -------------------------------------------------------------------------------------


def places() -> tuple[Any, ...]:
    return logging.Logger.callHandlers, threading.Thread.start, ThreadPoolExecutor.submit, warnings.showwarning


def test_everything_is_put_back_after_the_last_of_overlapping_apps():
    before, handlers, level = places(), list(logging.getLogger().handlers), logging.getLogger().level
    first, second = installed(), installed()
    first.__enter__()
    listening = places()
    assert all(ours is not theirs for ours, theirs in zip(listening, before, strict=True))
    second.__enter__()
    first.__exit__(None, None, None)
    assert places() == listening
    second.__exit__(None, None, None)
    assert places() == before
    assert (list(logging.getLogger().handlers), logging.getLogger().level) == (handlers, level)


def test_what_somebody_else_put_in_our_place_stays_and_no_line_goes_round_in_circles(monkeypatch: pytest.MonkeyPatch):
    original = logging.Logger.callHandlers
    monkeypatch.setattr(logging.Logger, "callHandlers", original)
    calls: list[str] = []
    with installed():
        ours = logging.Logger.callHandlers

        def theirs(logger: logging.Logger, record: logging.LogRecord) -> None:
            calls.append(record.getMessage())
            ours(logger, record)

        logging.Logger.callHandlers = theirs  # type: ignore[method-assign]
    assert logging.Logger.callHandlers is theirs
    for text in ("one", "two"):
        capture = job()
        with installed(), within(capture):
            LIBRARY.warning(text)
        assert messages(capture) == [text]
    LIBRARY.warning("three")
    assert calls == ["one", "two", "three"]
    monkeypatch.undo()
    capture = job()
    with installed(), within(capture):
        LIBRARY.warning("four")
    assert messages(capture) == ["four"]
    assert logging.Logger.callHandlers is original


def test_handlers_of_the_host_hear_what_they_heard_before(caplog: pytest.LogCaptureFixture):
    capture = job()
    with installed(), within(capture):
        LIBRARY.warning("to both")
    assert caplog.messages == messages(capture) == ["to both"]


def test_a_context_that_is_copied_out_of_a_job_carries_it():
    capture = job()
    with installed():
        with within(capture):
            context = contextvars.copy_context()
        context.run(LIBRARY.warning, "carried")
    assert messages(capture) == ["carried"]
