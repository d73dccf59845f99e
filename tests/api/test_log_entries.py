"""Logs over the API: of one run as JSON, text and CSV, and across runs; nobody reads more than they may."""

import csv
import io
import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from buttonhook import JobButtonReceiver
from buttonhook.people import Constraint
from buttonhook.records import JobResult, ResultQuery
from tests.api.served import Served, problem, served_app

FORMULAS = ("=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\rx")


class Talker(JobButtonReceiver):
    async def receive_job_button(self, obj: Any) -> None:
        self.logger.info('Two\nlines, "quoted"', extra={"object": obj})
        for text in FORMULAS:
            self.logger.warning(text, extra={"grouping": text})
        self.fail("Ünfit")
        self.logger.error("the end")


class Babbler(JobButtonReceiver):
    async def receive_job_button(self, obj: Any) -> None:
        for number in range(2500):
            self.logger.info("line %d", number)


@pytest.fixture
async def talking(tmp_path: Path) -> AsyncIterator[Served]:
    """A served app with two locations, on which both buttons were pressed by ann."""
    async with served_app(tmp_path, receivers=[Talker, Babbler]) as served:
        for pk in ("ams", "lon"):
            await served.app.objects("dcim.location").create(pk=pk, name=pk.upper())
        for job in ("Talker", "Babbler"):
            await served.app.configuration.enable_job(job)
            await served.app.configuration.add_button(job, job, ["dcim.location"])
        yield served


async def press(served: Served, button: str, pk: str = "ams", user: str = "ann") -> JobResult:
    (result,) = await served.app.press(button, "dcim.location", [pk], user)
    assert await served.app.drain(20)
    return result


async def messages(client: Any, path: str, **query: Any) -> list[str]:
    """The messages of all pages."""
    found: list[str] = []
    while True:
        answer = await client.get(path, params=query)
        assert answer.status_code == 200, answer.text
        page = answer.json()
        found += [each["message"] for each in page["items"]]
        if page["next"] is None:
            return found
        query["cursor"] = page["next"]


async def test_a_log_is_read_page_by_page_from_a_level_on_and_by_a_text(talking: Served):
    owner = await talking.owner()
    result = await press(talking, "Talker")
    path = f"/api/job-results/{result.id}/logs"
    whole = await messages(owner, path, limit=3)
    assert whole == await messages(owner, f"/api/job-results/{result.number}/logs")
    assert (whole[0], whole[1], whole[-1]) == ("Running job", 'Two\nlines, "quoted"', "the end")
    assert len(whole) == 10
    assert await messages(owner, path, level="failure", limit=1) == ["Ünfit", "the end"]
    assert await messages(owner, path, search="LINES") == ['Two\nlines, "quoted"']
    assert await messages(owner, path, search="%") == []
    entry = (await owner.get(path, params={"search": "two"})).json()["items"][0]
    assert (entry["attempt"], entry["seq"], entry["level"], entry["object_pk"]) == (1, 2, "info", "ams")
    problem(await owner.get(path, params={"level": "loud"}), 400, "bad-parameter")
    cursor = (await owner.get(path, params={"limit": 1})).json()["next"]
    problem(await owner.get(path, params={"cursor": cursor, "level": "error"}), 400, "query-error")


async def test_a_log_is_downloaded_as_text_in_which_no_message_looks_like_another_line(talking: Served):
    owner = await talking.owner()
    result = await press(talking, "Talker")
    answer = await owner.get(f"/api/job-results/{result.id}/logs.txt")
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.headers["content-disposition"] == f'attachment; filename="log-{result.number}.txt"'
    lines = answer.text.split("\n")
    assert lines[-1] == ""
    moment = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z"
    assert re.fullmatch(f"{moment} info(?: .+:)? Two", lines[1])
    assert lines[2] == '    lines, "quoted" [dcim.location ams]'
    assert all(re.match(f"(?:{moment} |    )", line) for line in lines[:-1])
    only = await owner.get(f"/api/job-results/{result.id}/logs.txt", params={"level": "error"})
    assert [line.endswith("the end") for line in only.text.splitlines()] == [True]


async def test_a_log_is_downloaded_as_csv_that_runs_nothing_in_a_spreadsheet(talking: Served):
    owner = await talking.owner()
    result = await press(talking, "Talker")
    answer = await owner.get(f"/api/job-results/{result.id}/logs.csv")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    rows = list(csv.DictReader(io.StringIO(answer.text, newline="")))
    assert [each["message"] for each in rows][1] == 'Two\nlines, "quoted"'
    assert [each["message"] for each in rows][2:8] == [f"'{text}" for text in FORMULAS]
    assert [each["grouping"] for each in rows][2:4] == ["'=1+1", "'+1"]
    assert all(not cell.startswith(("=", "+", "-", "@", "\t", "\r")) for row in rows for cell in row.values())


async def test_a_long_log_is_downloaded_whole_and_in_order(talking: Served):
    owner = await talking.owner()
    result = await press(talking, "Babbler")
    answer = await owner.get(f"/api/job-results/{result.id}/logs.txt")
    found = re.findall(r"line (\d+)\n", answer.text)
    assert found == [str(number) for number in range(2500)]
    answer = await owner.get(f"/api/job-results/{result.id}/logs.csv")
    assert len(list(csv.reader(io.StringIO(answer.text)))) == 2503
    answer = await owner.get(f"/api/job-results/{result.id}/logs.jsonl")
    assert answer.headers["content-type"] == "application/x-ndjson"
    entries = [json.loads(line) for line in answer.text.splitlines()]
    assert [each["message"] for each in entries[1:-1]] == [f"line {number}" for number in range(2500)]
    listed = (await owner.get(f"/api/job-results/{result.id}/logs", params={"limit": 1})).json()["items"]
    assert listed == entries[:1]
    assert sorted(each["id"] for each in entries) == [each["id"] for each in entries]


async def test_a_download_ends_where_one_may_not_see_the_log_any_more(talking: Served):
    result = await press(talking, "Babbler")
    bob = await talking.user("bob", "jobs.view_jobresult", "jobs.view_joblogentry", "dcim.view_location")
    reader, read = talking.app.reader, talking.app.reader.find_log_entries

    async def read_and_disable(query: Any) -> Any:
        found = await read(query)
        await talking.app.administration.edit_user("bob", is_disabled=True)
        return found

    reader.find_log_entries = read_and_disable  # type: ignore[method-assign]
    answer = await bob.get(f"/api/job-results/{result.id}/logs.txt")
    assert answer.text.splitlines()[-1] == "(cut off: this log may not be seen any more)"
    assert len(answer.text.splitlines()) == 1001


async def test_lines_are_found_across_runs_newest_run_first(talking: Served):
    owner = await talking.owner()
    one, two = await press(talking, "Talker"), await press(talking, "Talker", "lon")
    found = (await owner.get("/api/log-entries", params={"level": "failure", "limit": 3})).json()
    assert [(each["result_number"], each["message"]) for each in found["items"]] == [
        (two.number, "the end"),
        (two.number, "Ünfit"),
        (one.number, "the end"),
    ]
    assert found["items"][0]["result"] == two.id
    assert found["items"][0]["job_name"] == "Talker"
    path = "/api/log-entries"
    assert len(await messages(owner, path, level="failure", limit=3)) == 4
    assert await messages(owner, path, level="failure", cursor=found["next"], limit=3) == ["Ünfit"]
    assert await messages(owner, path, search="UNNING", object_type="dcim.location", object_pk="lon") == ["Running job"]
    assert await messages(owner, path, job="Talker", level="error", user="ann") == ["the end", "the end"]
    assert await messages(owner, path, job="Babbler") == []
    assert await messages(owner, path, status="failure", level="error") == ["the end", "the end"]
    assert await messages(owner, path, until="2020-01-01T00:00:00Z") == []
    assert len(await messages(owner, path, limit=4)) == 20


async def test_nobody_finds_lines_of_runs_whose_log_they_may_not_see(talking: Served):
    for name in ("bob", "eve", "joe"):
        await talking.user(name)
    bob = await talking.user("bob", "jobs.run_job", "dcim.view_location")
    own, others = await press(talking, "Talker", user="bob"), await press(talking, "Talker", "lon")
    found = (await bob.get("/api/log-entries", params={"limit": 1000})).json()["items"]
    assert {each["result"] for each in found} == {own.id}
    assert (await bob.get("/api/log-entries", params={"user": "ann"})).json()["items"] == []
    eve = await talking.user("eve", "jobs.view_jobresult", "jobs.view_joblogentry")
    await talking.user("eve", "dcim.view_location", constraints=[Constraint("pk", "=", "ams")])
    answer = await eve.get("/api/log-entries", params={"limit": 5, "level": "failure"})
    assert [each["result"] for each in answer.json()["items"]] == [own.id, own.id]
    assert answer.json()["next"] is None
    joe = await talking.user("joe", "jobs.view_jobresult", "dcim.view_location")
    limits = [Constraint("error", "=", "Ünfit"), Constraint("object_pk", "=", "lon")]
    await talking.user("joe", "jobs.view_joblogentry", constraints=limits)
    (result,) = await talking.app.results(ResultQuery(id=others.id))
    assert result.error == "Ünfit"
    found = (await joe.get("/api/log-entries", params={"level": "error"})).json()["items"]
    assert [each["result"] for each in found] == [others.id]
    problem(await joe.get(f"/api/job-results/{own.id}/logs.csv"), 403, "permission-denied")
