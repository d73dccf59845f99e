"""No secret reaches a log, a result or a host's handler, wherever a receiver lets it slip."""

import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from buttonhook import JobHookReceiver
from buttonhook.capture import MAX_MESSAGE
from buttonhook.receivers.logger import MIRROR_NAME
from tests.scenarios.story import Stage, hook_up, messages_of, only_result, put, whole_log_of

VALUE = "hunter2-hunter3"
OTHER = "S3CRET-x"


class Thing:
    """An object whose name tells too much."""

    object_type, pk = "demo.thing", "a"

    def __str__(self) -> str:
        return f"a thing with password={OTHER}"


class Careless(JobHookReceiver):
    async def receive_job_hook(self, change: Any, action: Any, changed_object: Any) -> Any:
        self.logger.info("token=%s and %s", OTHER, VALUE, extra={"object": Thing(), "grouping": f"with {VALUE}"})
        logging.getLogger("some.client").warning("> Authorization: Basic %s", OTHER)
        self.logger.info("%s%s%s", "x" * (MAX_MESSAGE - 5), VALUE, "y" * 1_000_000)
        try:
            raise ConnectionError(f"https://ann:{OTHER}@nautobot.example/ refused")
        except ConnectionError:
            self.logger.exception("no way")
        return {"client_secret": "abc", "note": f"password: {OTHER}", "user": "ann"}


class Failing(JobHookReceiver):
    async def receive_job_hook(self, change: Any, action: Any, changed_object: Any) -> None:
        raise ValueError(f"refused {VALUE} and api_key='{OTHER}'" + "z" * 100_000)


class Failed(JobHookReceiver):
    async def receive_job_hook(self, change: Any, action: Any, changed_object: Any) -> None:
        self.fail("refused %s", VALUE)


class Sensitive(JobHookReceiver):
    class Meta:
        has_sensitive_variables = True

    async def receive_job_hook(self, change: Any, action: Any, changed_object: Any) -> dict[str, str]:
        return {"harmless": "by its name"}


@pytest.fixture
def host() -> Iterator[list[str]]:
    """What the host's own logging gets of the jobs' lines."""
    told: list[str] = []

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            told.append(f"{record.funcName}: {record.getMessage()}")

    handler, logger = Keep(), logging.getLogger(MIRROR_NAME)
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    yield told
    logger.removeHandler(handler)
    logger.setLevel(logging.NOTSET)


async def test_no_secret_gets_into_a_log_or_a_result_or_to_the_host(stage: Stage, host: list[str]):
    async with stage.open(receivers=[Careless], object_types=["demo.thing"]) as app:
        app.registry.redactor.register(VALUE)
        await hook_up(app, f"{__name__}.Careless")
        await put(app, "a", password=OTHER)
        result = await only_result(app)
        log = await whole_log_of(app, result)
        change = (await app.objects("demo.thing").get("a"))["password"]
    assert not [entry for entry in log if OTHER in str(entry) or "hunter2" in str(entry)]
    assert not [line for line in host if OTHER in line or "hunter2" in line]
    first = log[1]
    assert (first.message, first.grouping) == ("token=[redacted] and [redacted]", "with [redacted]")
    assert first.object_repr == "a thing with password=[redacted]"
    assert log[2].message == "> Authorization: Basic [redacted]"
    assert "https://ann:[redacted]@nautobot.example/ refused" in log[4].message
    assert json.loads(result.result or "") == {
        "client_secret": "[redacted]",
        "note": "password: [redacted]",
        "user": "ann",
    }
    assert change == OTHER, "an object is data: it is kept as it is"


@pytest.mark.parametrize("name", ["Failing", "Failed"])
async def test_no_secret_gets_into_an_error_or_a_traceback(stage: Stage, name: str):
    async with stage.open(receivers=[Failing, Failed], object_types=["demo.thing"]) as app:
        app.registry.redactor.register(VALUE)
        await hook_up(app, f"{__name__}.{name}")
        await put(app, "a")
        result = await only_result(app)
        log = await whole_log_of(app, result)
    assert (result.error or "").removeprefix("ValueError: ").startswith("refused [redacted]")
    for text in (result.error, result.traceback or "", *(entry.message for entry in log)):
        assert OTHER not in str(text)
        assert "hunter2" not in str(text)


async def test_what_a_receiver_with_sensitive_variables_returns_is_not_kept_and_its_log_says_so(stage: Stage):
    async with stage.open(receivers=[Sensitive], object_types=["demo.thing"]) as app:
        await hook_up(app, f"{__name__}.Sensitive")
        await put(app, "a")
        result = await only_result(app)
        messages = await messages_of(app, result)
    assert (result.status, result.result) == ("success", None)
    assert messages == ["The returned dict was not kept: Meta.has_sensitive_variables is set"]


class Doors(JobHookReceiver):
    async def receive_job_hook(self, change: Any, action: Any, changed_object: Any) -> None:
        self.logger.info("door_code=4711-x badge=4712-x")


async def test_names_of_secrets_come_from_settings_and_from_plugins(stage: Stage):
    stage.install(
        "doors",
        """
        from buttonhook import hookimpl

        @hookimpl
        def buttonhook_redaction_names():
            return ["door_code"]
        """,
    )
    async with stage.open(receivers=[Doors], object_types=["demo.thing"], redact_names=("badge",)) as app:
        await hook_up(app, f"{__name__}.Doors")
        await put(app, "a")
        assert await messages_of(app, await only_result(app)) == ["door_code=[redacted] badge=[redacted]"]
