"""Lines become transactions that are sent one behind the other and answered in order.

Several transactions are on their way at a time, always in the order of the lines; reports come in that order
too. One that the recorder may refuse although each of its lines is sound (its type has unique fields or references)
is waited for before the next is sent, so that nothing overtakes what stops an import.

Object lines may come in any order: one that refers to what does not exist yet is put aside, later lines of the same
object behind it, and tried again at the end for as long as that brings some of them in.
"""

import asyncio
from collections import Counter, OrderedDict
from collections.abc import Callable, Sequence, Set
from typing import Final

from msgspec import Struct

from buttonhook.errors import AlreadyRecorded, BrokenReference, ImportFault, ObjectError, PermissionDenied
from buttonhook.ids import ObjectChangeAction, new_uuid7
from buttonhook.imports.entries import Entry, Item, Refusal
from buttonhook.imports.natural_keys import NaturalKeyLookup, find_pks
from buttonhook.imports.readers import BadLine
from buttonhook.imports.reports import ImportedRequest, ImportOptions, ImportSummary, Report
from buttonhook.objects.session import Write
from buttonhook.objects.transactions import Gateway, TransactionAnswer, TransactionRequest
from buttonhook.records import Origin

MAX_REQUEST_LINES: Final = 100_000
REMEMBERED_REQUESTS: Final = 10_000
MAX_ASIDE: Final = 20_000
"""How many lines that refer to what does not exist yet are kept for the end; more are refused at once."""


class _Outcome(Struct):
    """How a transaction ended. `refused` holds the lines to blame; `is_whole`: none of it was recorded.

    `entries` are its lines without those that were put aside.
    """

    entries: list[Entry]
    answers: list[TransactionAnswer] = []
    refused: list[tuple[Entry, Refusal]] = []
    is_whole: bool = False
    skipped: bool = False
    failure: Exception | None = None


class _Sent(Struct, frozen=True):
    request_id: str
    entries: list[Entry]
    outcome: asyncio.Task[_Outcome]


class Pipeline:
    """One import on its way. `take` and `finish` are called by one task, `report_all` runs in another."""

    def __init__(
        self,
        gateway: Gateway,
        lookup: NaturalKeyLookup,
        options: ImportOptions,
        source: str,
        tasks: asyncio.TaskGroup,
    ) -> None:
        self._gateway, self._lookup, self._options = gateway, lookup, options
        self._source, self._tasks = source, tasks
        self._open: list[Entry] = []
        self._sent: asyncio.Queue[_Sent | ImportFault | None] = asyncio.Queue(options.in_flight)
        self._in_flight = self._writes_in_flight = 0
        self._landed = asyncio.Event()
        self._requests_seen: OrderedDict[str, int] = OrderedDict()
        self._tell_stop: Callable[[], None] = lambda: None
        self._aside: list[Entry] = []
        self._aside_keys: set[tuple[str, str | None]] = set()
        self._takes_aside = True
        self.is_stopped = False
        self.summary = ImportSummary(source=source)

    def on_stop(self, call: Callable[[], None]) -> None:
        """Have `call` called when this stops at a fault, so that nothing more is read."""
        self._tell_stop = call

    async def take(self, item: Item) -> None:
        """Take the next line. Waits while as much is on its way as the options allow."""
        self.summary.lines += 1
        if isinstance(item, BadLine):
            await self._take_bad(item)
            return
        if self._open and self._open[0].request_id != item.request_id:
            await self._send_open()
            if self.is_stopped:
                return
        if item.request_id and (problem := self._misplaced(item)):
            fault = ImportFault(self._source, item.line, problem)
            await self._take_bad(BadLine(fault, item.request_id))
            return
        self._open.append(item)
        if not item.request_id and len(self._open) >= self._options.batch_lines:
            await self._send_open()

    async def finish(self) -> None:
        """Send what is open, unless this was stopped, and let `report_all` end after the last answer."""
        if not self.is_stopped:
            await self._send_open()
            await self._wait_for_all()
        while self._aside and not self.is_stopped:
            await self._try_aside()
        await self._sent.put(None)

    async def _try_aside(self) -> None:
        """Send what was put aside again, in order; what no round brings in any more is refused line by line."""
        waiting, self._aside = self._aside, []
        self._aside_keys.clear()
        size = self._options.batch_lines if self._takes_aside else 1
        for start in range(0, len(waiting), size):
            if self.is_stopped:
                return
            await self._send(waiting[start : start + size])
            await self._wait_for_all()
        self._takes_aside = len(self._aside) < len(waiting)

    async def report_all(self, report: Report) -> None:
        """Report each fault and each answer in order, until `finish` was called and all are answered."""
        failure: Exception | None = None
        while (item := await self._sent.get()) is not None:
            if isinstance(item, ImportFault):
                self.summary.faults += 1
                await report(item)
                continue
            outcome = await item.outcome
            if outcome.failure is not None:
                failure = failure or outcome.failure
                self._stop()
            await self._report(item, outcome, report)
            self._in_flight -= 1
            self._writes_in_flight -= len(item.entries)
            self._landed.set()
        if failure is not None:
            raise failure

    # --- taking -----------------------------------------------------------------------------------

    def _misplaced(self, entry: Entry) -> str | None:
        """Why a line cannot be part of the open request, or cannot open its own."""
        if not self._open:
            seen = self._requests_seen.get(entry.request_id)
            if seen is None:
                return None
            problem = f"request {entry.request_id!r} ended at line {seen}"
            return f"{problem}. The lines of one request must stand together"
        first = self._open[0]
        if first.user_name != entry.user_name:
            return f"'user_name' is not that of line {first.line}, which is of the same request"
        if len(self._open) >= MAX_REQUEST_LINES:
            return f"request {entry.request_id!r} has more than {MAX_REQUEST_LINES:,} lines"
        return None

    async def _take_bad(self, bad: BadLine) -> None:
        is_other = self._open and bad.request_id not in (None, self._open[0].request_id)
        if is_other:
            await self._send_open()
            if self.is_stopped:
                return
        fault = bad.fault
        stops = self._options.on_error == "stop"
        # A request cut off by the end of what can be read would count as recorded for ever.
        if self._open and (stops or (bad.is_end and self._open[0].request_id)):
            fault = self._drop_open(fault.line, fault.problem)
        if stops:
            self._stop()
        await self._sent.put(fault)

    def _drop_open(self, line: int, problem: str) -> ImportFault:
        dropped, self._open = self._open, []
        return ImportFault(self._source, line, _with_dropped(problem, dropped))

    def _stop(self) -> None:
        self.is_stopped = self.summary.stopped = True
        self._tell_stop()

    # --- sending ----------------------------------------------------------------------------------

    async def _send_open(self) -> None:
        if self._open and any(entry.pk is None for entry in self._open):
            await self._find_pks()
        entries, self._open = self._open, []
        if self._aside_keys and entries and not entries[0].request_id:
            entries = self._put_aside(entries, self._aside_keys)
        await self._send(entries)

    def _put_aside(self, entries: list[Entry], keys: Set[tuple[str, str | None]]) -> list[Entry]:
        """Keep the lines of these objects for the end; returns the others."""
        aside = [entry for entry in entries if (entry.type.name, entry.pk) in keys]
        if len(self._aside) + len(aside) > MAX_ASIDE:
            return entries
        self._aside.extend(aside)
        self._aside_keys.update((entry.type.name, entry.pk) for entry in aside)
        return [entry for entry in entries if (entry.type.name, entry.pk) not in keys]

    async def _send(self, entries: list[Entry]) -> None:
        if not entries:
            return
        request_id = entries[0].request_id
        if request_id:
            self._remember(request_id, entries[-1].line)
        await self._wait_for_room(len(entries))
        if self.is_stopped:
            return
        request_id = request_id or new_uuid7()
        self._in_flight += 1
        self._writes_in_flight += len(entries)
        name = f"import {self._source} lines {entries[0].line}-{entries[-1].line}"
        task = self._tasks.create_task(self._commit(request_id, entries), name=name)
        await self._sent.put(_Sent(request_id, entries, task))
        if any(entry.type.unique or entry.type.references for entry in entries):
            await self._wait_for_all()

    async def _find_pks(self) -> None:
        await self._wait_for_all()
        if self.is_stopped:
            self._open = []
            return
        found = await find_pks(self._open, self._lookup)
        for entry, answer in zip(list(self._open), found, strict=True):
            if isinstance(answer, Refusal):
                if self._options.on_error == "stop":
                    fault = self._drop_open(entry.line, str(answer))
                    self._stop()
                    await self._sent.put(fault)
                    return
                await self._sent.put(ImportFault(self._source, entry.line, str(answer)))
        self._open = [answer for answer in found if isinstance(answer, Entry)]

    def _remember(self, request_id: str, line: int) -> None:
        self._requests_seen[request_id] = line
        if len(self._requests_seen) > REMEMBERED_REQUESTS:
            self._requests_seen.popitem(last=False)

    async def _wait_for_room(self, writes: int) -> None:
        while self._in_flight and (
            self._in_flight >= self._options.in_flight
            or self._writes_in_flight + writes > self._options.writes_in_flight
        ):
            self._landed.clear()
            await self._landed.wait()

    async def _wait_for_all(self) -> None:
        while self._in_flight:
            self._landed.clear()
            await self._landed.wait()

    async def _commit(self, request_id: str, entries: list[Entry]) -> _Outcome:
        try:
            return _Outcome(entries, [await self._gateway.commit(self._request(request_id, entries))])
        except AlreadyRecorded:
            return _Outcome(entries, skipped=True)
        except (ObjectError, PermissionDenied) as exc:
            if isinstance(exc, BrokenReference) and not entries[0].request_id and self._takes_aside:
                others = self._put_aside(entries, exc.broken)
                if len(others) < len(entries):
                    return await self._commit(request_id, others) if others else _Outcome(others)
            if self._options.on_error == "skip" and not entries[0].request_id and len(entries) > 1:
                return await self._commit_singly(request_id, entries)
            return _Outcome(entries, refused=[(_culprit(entries, exc), exc)], is_whole=True)
        except Exception as exc:  # noqa: BLE001 - raised by the reporter, after what came before it
            return _Outcome(entries, failure=exc)

    async def _commit_singly(self, request_id: str, entries: list[Entry]) -> _Outcome:
        outcome = _Outcome(entries)
        commits = [self._gateway.commit(self._request(request_id, [entry])) for entry in entries]
        answers = await asyncio.gather(*commits, return_exceptions=True)
        for entry, answer in zip(entries, answers, strict=True):
            if isinstance(answer, Refusal):
                outcome.refused.append((entry, answer))
            elif isinstance(answer, Exception):
                outcome.failure = outcome.failure or answer
            elif isinstance(answer, BaseException):
                raise answer
            else:
                outcome.answers.append(answer)
        return outcome

    def _request(self, request_id: str, entries: list[Entry]) -> TransactionRequest:
        first = entries[0]
        origin = Origin(
            user_name=first.user_name or self._options.user_name,
            context="import",
            detail=self._source,
            request_id=request_id,
            time=first.time,
        )
        writes = tuple(_write(entry) for entry in entries)
        return TransactionRequest(origin=origin, writes=writes, once=bool(first.request_id))

    # --- reporting --------------------------------------------------------------------------------

    async def _report(self, sent: _Sent, outcome: _Outcome, report: Report) -> None:
        for entry, exc in outcome.refused:
            self.summary.faults += 1
            problem = str(exc)
            if outcome.is_whole and len(outcome.entries) > 1:
                problem = _with_dropped(problem, outcome.entries)
            if self._options.on_error == "stop":
                self._stop()
            await report(ImportFault(self._source, entry.line, problem))
        if not outcome.entries:
            return
        first, last = outcome.entries[0].line, outcome.entries[-1].line
        if outcome.skipped:
            self.summary.requests_skipped += 1
            await report(ImportedRequest(sent.request_id, first, last, 0, skipped=True))
        elif outcome.answers:
            changes, unchanged = _count(self.summary, outcome.entries, outcome)
            ids = tuple((each.changes[0].id, each.changes[-1].id) for each in outcome.answers if each.changes)
            await report(ImportedRequest(sent.request_id, first, last, changes, unchanged=unchanged, change_ids=ids))


def _write(entry: Entry) -> Write:
    is_delete = entry.document is None
    return Write(
        kind="delete" if is_delete else "put",
        object_type=entry.type.name,
        pk=entry.pk or "",
        document=entry.document,
        # What a change stream says is the whole state: nothing is added to it.
        fill=not entry.request_id,
        checked=True,
        accepted_by=entry.type,
        missing_ok=is_delete,
    )


def _culprit(entries: Sequence[Entry], exc: Refusal) -> Entry:
    """The line that an error names by its object, else the first."""
    own = getattr(exc, "object_type", None), getattr(exc, "pk", None)
    key = exc.key if isinstance(exc, PermissionDenied) else own
    return next((entry for entry in entries if (entry.type.name, entry.pk) == key), entries[0])


def _with_dropped(problem: str, entries: Sequence[Entry]) -> str:
    first, last = entries[0].line, entries[-1].line
    lines = f"Line {first}" if first == last else f"Lines {first} to {last}"
    return f"{problem.rstrip('.')}. {lines} of the same transaction: not imported"


def _count(summary: ImportSummary, entries: Sequence[Entry], outcome: _Outcome) -> tuple[int, int]:
    """Add one transaction's changes to the summary; return how many there were and how many objects had none."""
    changes = [change for answer in outcome.answers for change in answer.changes]
    actions = Counter(change.action for change in changes)
    refused = {(entry.type.name, entry.pk) for entry, _ in outcome.refused}
    keys = {(entry.type.name, entry.pk) for entry in entries} - refused
    unchanged = len(keys - {(change.object_type, change.object_pk) for change in changes})
    summary.requests += 1
    summary.created += actions[ObjectChangeAction.CREATE]
    summary.updated += actions[ObjectChangeAction.UPDATE]
    summary.deleted += actions[ObjectChangeAction.DELETE]
    summary.unchanged += unchanged
    return len(changes), unchanged
