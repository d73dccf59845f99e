"""Job results as lists show them: how each stands, what it waits for, what may be done with it."""

from collections.abc import Iterable, Sequence
from typing import Annotated

from litestar.params import QueryParameter
from msgspec import Struct

from buttonhook.access.access import Access
from buttonhook.access.runs import MOST_BEFORE
from buttonhook.http.problems import Refused
from buttonhook.ids import JobResultStatus
from buttonhook.records import JobResult

Numbers = Annotated[str, QueryParameter(max_length=20_000)]


class ResultRow(Struct, frozen=True):
    """A job result in a list. `mark` changes when anything of it that is shown does."""

    result: JobResult
    waiting: str
    """What it waits for, empty where it does not wait."""
    act: str
    """What may be done with one that stands so: `cancel` or `rerun`."""
    why_not: str
    """Why who asks may not, empty where they may."""
    mark: str


async def result_rows(access: Access, results: Sequence[JobResult]) -> list[ResultRow]:
    """Results as rows of a list."""
    waiting = await waiting_of(access, results)
    return [await _row(access, each, waiting.get(each.number, "")) for each in results]


async def _row(access: Access, result: JobResult, waiting: str) -> ResultRow:
    act = "rerun" if result.status.is_final else "cancel"
    why_not = sentence(await why_not_act(access, result, act))
    mark = f"{result.status.value}-{result.attempt}-{result.failures}-{waiting}-{bool(why_not)}"
    return ResultRow(result, waiting, act, why_not, mark)


async def why_not_act(access: Access, result: JobResult, act: str) -> str | None:
    """Why who asks may not cancel or rerun a result that they see."""
    return await (access.runs.why_not_rerun(result) if act == "rerun" else access.runs.why_not_cancel(result))


async def waiting_of(access: Access, results: Sequence[JobResult]) -> dict[int, str]:
    """What each that is pending waits for, by number: those before it in its lane, else room to run."""
    before = await access.runs.count_before(results)
    pending = [each.number for each in results if each.status is JobResultStatus.PENDING]
    return {each: _waiting(before.get(each, 0)) for each in pending}


def _waiting(before: int) -> str:
    if not before:
        return "waits for room to run"
    return f"waits in its lane, {f'{MOST_BEFORE:,} or more' if before >= MOST_BEFORE else before} before it"


def sentence(reason: str | None) -> str:
    """A reason as it stands alone."""
    return f"{reason[:1].upper()}{reason[1:]}" if reason else ""


def read_numbers(text: str, most: int) -> tuple[int, ...]:
    """Numbers of results as they stand in an address: `12-15.20`.

    Raises:
        Refused: they are none, or too many.
    """
    found: dict[int, None] = {}
    for part in text.split(".") if text else ():
        first, dash, last = part.partition("-")
        ends = [first, last if dash else first]
        if not all(each.isascii() and each.isdigit() and len(each) < 19 for each in ends):
            raise Refused(400, "bad-parameter", "These are no numbers of job results. Write them as 12-15.20.")
        low, high = map(int, ends)
        if not 0 <= high - low < most - len(found):
            raise Refused(400, "bad-parameter", f"These are too many numbers. Ask for {most:,} at most.")
        found.update(dict.fromkeys(range(low, high + 1)))
    return tuple(found)


def write_numbers(numbers: Iterable[int]) -> str:
    """As `read_numbers` reads them: what follows on each other as a span."""
    spans: list[list[int]] = []
    for each in sorted(numbers):
        if spans and each == spans[-1][1] + 1:
            spans[-1][1] = each
        else:
            spans.append([each, each])
    return ".".join(str(low) if low == high else f"{low}-{high}" for low, high in spans)
