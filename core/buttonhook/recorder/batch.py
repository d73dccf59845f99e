"""Everything that waits, decided as one batch: transactions in order, claims, outcomes, log lines, edits of the set-up.

A transaction that breaks a rule is answered alone with its error; its batch-mates do not notice.
"""

from collections.abc import Generator, Sequence
from typing import Any, Final

import msgspec

from buttonhook.conditions import Payload
from buttonhook.errors import AlreadyRecorded, ButtonhookError, RunEnded
from buttonhook.ids import ChangeId, JobResultStatus, ObjectChangeAction, ObjectKey, now
from buttonhook.objects.keys import object_repr
from buttonhook.objects.transactions import TransactionAnswer, TransactionRequest
from buttonhook.recorder.audit import audit
from buttonhook.recorder.authority import check_allowed, check_requested
from buttonhook.recorder.effects import Document, Effect, Overlay, Row
from buttonhook.recorder.firing import Trigger, Triggers
from buttonhook.recorder.receipts import follow_receipts, is_answered, keep_answer
from buttonhook.recorder.transaction import encode_checked, first_needs, judge
from buttonhook.records import (
    RECORD_TYPES,
    ChangeRecord,
    ClaimedResult,
    ConfigRecord,
    Cut,
    JobLogEntry,
    JobResult,
    Origin,
    PendingResult,
    StoredObject,
    config_kind,
)
from buttonhook.registry import Registry
from buttonhook.stores.base import Decision, Found, Needs, Numbers, ReferenceKey, Rows, UniqueKey
from buttonhook.work import (
    Admission,
    AuditEntries,
    Claim,
    ConfigEdit,
    Finish,
    LogEntries,
    NewResults,
    Piece,
    Reindex,
    Transaction,
)

_RECORDS: Final = frozenset(RECORD_TYPES.values())


class Batch:
    """A batch while it is decided: the pieces, the rows they come to, and what each is answered after the commit."""

    def __init__(
        self,
        pieces: Sequence[Piece],
        registry: Registry,
        triggers: Triggers,
        numbers: Numbers,
        admission: Admission | None,
    ) -> None:
        self.pieces = pieces
        self._admission = admission
        self.answers: dict[int, Any] = {}
        """By place in `pieces`: what a piece is answered, an exception when it was refused."""
        self.numbers = Numbers(change=numbers.change, result=numbers.result, log_entry=numbers.log_entry)
        self.pending: list[PendingResult] = []
        self.admitted: list[PendingResult] = []
        self.started: list[ClaimedResult] = []
        """Results committed as started, with what their runs need."""
        self._fired: list[tuple[JobResult, ChangeRecord]] = []
        self.rows = Rows(time=now())
        self._registry = registry
        self._triggers = triggers
        self._touched_unique: dict[UniqueKey, None] = {}
        self._came_first: dict[ReferenceKey, bool] = {}
        """The references this batch touched, and whether they came first, so were not there before."""
        self.edits: list[ConfigEdit | Reindex] = []
        """Those that the registry has to follow once they are committed."""
        self._requests: list[TransactionRequest] = []
        self._finishes: list[Finish] = []
        for piece in pieces:
            if isinstance(piece, Transaction):
                self._requests.append(piece.request)
            elif isinstance(piece, Finish):
                self._finishes.append(piece)
            elif isinstance(piece, (ConfigEdit, Reindex)):
                self.edits.append(piece)
        self._revoked: set[int] = set()
        self._records: dict[tuple[type[Any], str], ConfigRecord | None] = {}
        """The set-up's records as this batch leaves them; None: removed."""
        self._ended: set[tuple[int, int]] = set()
        """Attempts whose end stands earlier in this batch: what they write behind it comes too late."""
        self._ended_before: set[tuple[int, int]] = set()
        """As `_ended`, of the batches that are being written."""
        self._waiting_lanes: set[str] = set()
        """Lanes in which results of the batches before wait that nobody was told of yet."""
        self._overlay: Overlay | None = None
        """What the rows are after this batch, once it is decided."""

    @property
    def is_decided(self) -> bool:
        """Whether all rows are known, and what they leave."""
        return self._overlay is not None

    @property
    def must_be_seen(self) -> bool:
        """Whether the next batch can be decided only when this one is committed."""
        return not self.is_decided or bool(self.edits)

    def decide(self, before: Sequence["Batch"] = ()) -> Decision:
        """The conversation with the store; what is found may not tell yet of those `before`, still being written."""
        waiting = [piece.outcome.number for piece in self._finishes if not piece.was_started]
        needs = first_needs(self._requests, self._registry, waiting)
        needs.receipts = [piece.receipt.id for piece in self.pieces if piece.receipt is not None]
        overlay = Overlay(needs, (yield needs))
        for each in before:
            self._follow(each, overlay)
        for place, piece in enumerate(self.pieces):
            receipt = piece.receipt
            if receipt is not None and is_answered(receipt, place, self.answers, overlay, self.rows):
                continue
            if isinstance(piece, Transaction):
                try:
                    self.answers[place] = yield from self._record(piece.request, overlay)
                except ButtonhookError as exc:
                    self.answers[place] = exc
            elif not isinstance(piece, Finish) or piece.was_started or self._still_waits(piece, overlay):
                self._take(place, piece)
            if receipt is not None:
                keep_answer(receipt, piece, self.answers.get(place), overlay, self.rows)
        self._settle(overlay)
        self._overlay = overlay
        return self.rows

    def _follow(self, before: "Batch", overlay: Overlay) -> None:
        """Take what the batch before leaves for what it will be found to have left."""
        self._ended_before |= before._ended
        self._waiting_lanes.update(each.lane for each in before.pending if each.lane is not None)
        overlay.request_ids.update(before.rows.requests)
        if before._overlay is not None:
            overlay.follow(before._overlay)
        follow_receipts(before.rows, overlay)

    def preview(self, request: TransactionRequest) -> Decision:
        """Decide one transaction whose rows will not be kept; its error is raised."""
        needs = first_needs([request], self._registry)
        overlay = Overlay(needs, (yield needs))
        yield from self._record(request, overlay)
        self._settle(overlay)
        return self.rows

    def _still_waits(self, piece: Finish, overlay: Overlay) -> bool:
        """Whether a result that is to end without a run still can; if not, its log gets no note of that either."""
        number = piece.outcome.number
        attempt, status = overlay.runs.get(number, (0, None))
        for other in self._finishes:
            end = other.outcome
            if other.was_started and (end.number, end.attempt) == (number, attempt):
                status = end.status if status is JobResultStatus.STARTED else status
        waits = status in (JobResultStatus.PENDING, JobResultStatus.RETRY)
        is_claimed = any(isinstance(other, Claim) and other.number == number for other in self.pieces)
        return waits and not is_claimed and number not in self._revoked

    def _take(self, place: int, piece: Piece) -> None:
        rows = self.rows
        if isinstance(piece, Finish):
            outcome = piece.outcome
            if piece.was_started:
                rows.outcomes.append(outcome)
                self._ended.add((outcome.number, outcome.attempt))
            else:
                rows.revoked.append(outcome)
                self._revoked.add(outcome.number)
            self._take_log(piece.entries)
        elif isinstance(piece, Claim):
            rows.claims.append(piece.number)
        elif isinstance(piece, LogEntries):
            self._take_log(piece.entries)
        elif isinstance(piece, ConfigEdit):
            self._edit(piece)
        elif isinstance(piece, Reindex):
            rows.index_cleared.append(piece.object_type)
            rows.unique_added.extend(piece.keys)
            rows.references_added.extend(piece.references)
            self._records[type(piece.record), piece.record.id] = piece.record
        elif isinstance(piece, AuditEntries):
            rows.audit.extend(piece.entries)
        elif isinstance(piece, NewResults):
            numbered = tuple(msgspec.structs.replace(each, number=self._next_result()) for each in piece.results)
            rows.results.extend(numbered)
            self.pending.extend(PendingResult(each.number, each.job, each.lane) for each in numbered)
            self.answers[place] = numbered

    def _edit(self, piece: ConfigEdit) -> None:
        """Records put and removed, in the order of the edits; somebody's edit leaves its changes."""
        edits: list[tuple[tuple[type[Any], str], ConfigRecord | None]] = [(key, None) for key in piece.removed]
        edits.extend(((type(record), record.id), record) for record in piece.records)
        for key, after in edits:
            before = self._records[key] if key in self._records else self._registry.find(*key)
            self._records[key] = after
            if piece.origin is None:
                continue
            change = audit(piece.origin, before, after, self.numbers.change + 1, self.rows.time)
            if change is not None:
                self.numbers.change += 1
                self.rows.changes.append(change)

    def _take_log(self, entries: Sequence[JobLogEntry]) -> None:
        number = self.numbers.log_entry
        self.rows.log_entries.extend(enumerate(entries, number + 1))
        self.numbers.log_entry = number + len(entries)

    def _check_standing(self, request: TransactionRequest, overlay: Overlay) -> None:
        """Raises: RunEnded, AlreadyRecorded, PermissionDenied, ObjectNotFound: it is refused before it is judged."""
        if request.run is not None:
            number, attempt = request.run
            is_over = request.run in self._ended or request.run in self._ended_before
            if is_over or overlay.runs.get(number) != (attempt, JobResultStatus.STARTED):
                raise RunEnded(request.origin.cause or str(number), attempt)
        if request.once and request.seen_as in overlay.request_ids:
            raise AlreadyRecorded(request.seen_as)
        if request.authority is not None:
            check_requested(request, request.authority, overlay)

    def _record(self, request: TransactionRequest, overlay: Overlay) -> Generator[Needs, Found, TransactionAnswer]:
        """One transaction into changes and pending results. Nothing is kept of one that is refused."""
        origin = request.origin
        self._check_standing(request, overlay)
        effects, index = yield from judge(request, overlay, self._registry)
        drafts = _drafts(effects)
        if request.authority is not None:
            for draft in drafts:
                check_allowed(request.authority, draft.effect.key, draft.action, (draft.before, draft.after))
        changes = [self._change(origin, draft, overlay) for draft in drafts]
        objects: dict[ObjectKey, StoredObject | None] = {}
        for effect in effects:
            row = overlay.rows.get(effect.key)
            objects[effect.key] = None if row is None else row.stored
        if index is not None:
            self._keep_index(index, overlay)
        if request.once:
            overlay.request_ids.add(request.seen_as)
            self.rows.requests.append(request.seen_as)
        self.rows.changes.extend(changes)
        return TransactionAnswer(tuple(changes), objects)

    def _change(self, origin: Origin, draft: "_Draft", overlay: Overlay) -> ChangeRecord:
        """One change: its record, the object as it leaves it, the hooks it fires and those it cuts."""
        object_type, pk = key = draft.effect.key
        self.numbers.change += 1
        fired, cuts = self._fired_by(draft, origin)
        shown = draft.after if draft.after is not None else draft.before
        change = ChangeRecord(
            id=ChangeId(self.numbers.change),
            time=origin.time if origin.time is not None else self.rows.time,
            recorded_at=self.rows.time,
            user_name=origin.user_name,
            request_id=origin.request_id,
            action=draft.action,
            object_type=object_type,
            object_pk=pk,
            object_repr=object_repr(shown or {}, object_type, pk),
            change_context=origin.context,
            change_context_detail=origin.detail,
            prechange=draft.prechange,
            postchange=draft.postchange,
            cause=origin.cause,
            root=origin.root,
            depth=origin.depth,
            saves=draft.effect.writes,
            cuts=cuts,
        )
        if draft.postchange is None:
            overlay.rows[key] = None
        else:
            stored = StoredObject(object_type, pk, draft.postchange, change.id, origin.user_name, self.rows.time)
            overlay.rows[key] = Row(stored, draft.after)
        for trigger in fired:
            self._fire(change, trigger, origin)
        return change

    def _fired_by(self, draft: "_Draft", origin: Origin) -> tuple[Sequence[Trigger], tuple[Cut, ...]]:
        """Of the hooks that cover a change, those that it fires, and why not the others."""
        covering = self._triggers.get((draft.effect.key[0], draft.action), ())
        reasons = [self._why_not(trigger, origin, draft) for trigger in covering]
        if not any(reasons):
            return covering, ()
        judged = list(zip(covering, reasons, strict=True))
        cuts = tuple(Cut(each.hook.id, each.hook.name, reason) for each, reason in judged if reason is not None)
        return [trigger for trigger, reason in judged if reason is None], cuts

    def _why_not(self, trigger: Trigger, origin: Origin, draft: "_Draft") -> str | None:
        """Why a hook that covers the change is not fired, or None when it is."""
        reason = trigger.why_no_run(origin, draft.effect.key)
        if reason is not None or not trigger.hook.conditions:
            return reason
        payload = Payload(draft.action, origin.user_name, draft.before, draft.after)
        return trigger.why_conditions(payload, self._registry)

    def _fire(self, change: ChangeRecord, trigger: Trigger, origin: Origin) -> None:
        """The job result of one hook: started where it may begin at once, else pending."""
        lane = trigger.lane(change)
        pending = PendingResult(self._next_result(), trigger.hook.job, lane)
        is_admitted = self._admission is not None and lane not in self._waiting_lanes and self._admission.admit(pending)
        result = trigger.result(change, origin, pending.number, lane, is_admitted)
        self.rows.results.append(result)
        if is_admitted:
            self.admitted.append(pending)
            self._fired.append((result, change))
        else:
            self.pending.append(pending)

    def _keep_index(self, rows: Rows, overlay: Overlay) -> None:
        for key in rows.unique_removed:
            overlay.unique[key] = None
        for key, pk in rows.unique_added:
            overlay.unique[key] = pk
        self._touched_unique.update(dict.fromkeys((*rows.unique_removed, *(key for key, _ in rows.unique_added))))
        for keys, is_there in ((rows.references_removed, False), (rows.references_added, True)):
            for reference in keys:
                overlay.refer(reference, is_there)
                self._came_first.setdefault(reference, is_there)

    def _settle(self, overlay: Overlay) -> None:
        """The rows of objects, unique keys and records as the whole batch leaves them."""
        for (kind, id_), record in self._records.items():
            if record is None:
                self.rows.removed_config.append((config_kind(kind), id_))
            else:
                self.rows.config.append(record)
        last: dict[ObjectKey, None] = dict.fromkeys(
            (change.object_type, change.object_pk) for change in self.rows.changes if change.object_type not in _RECORDS
        )
        for key in last:
            row = overlay.rows.get(key)
            if row is None:
                self.rows.deleted.append(key)
            else:
                self.rows.objects.append(row.stored)
        for result, change in self._fired:
            row = overlay.rows.get((result.object_type, result.object_pk))
            self.started.append(ClaimedResult(result, (change,), None if row is None else row.stored))
        for reference, came_first in self._came_first.items():
            is_there = overlay.references[reference[:2]][reference[2:]]
            if is_there is came_first:
                (self.rows.references_added if is_there else self.rows.references_removed).append(reference)
        for unique_key in self._touched_unique:
            self.rows.unique_removed.append(unique_key)
            pk = overlay.unique.get(unique_key)
            if pk is not None:
                self.rows.unique_added.append((unique_key, pk))

    def _next_result(self) -> int:
        self.numbers.result += 1
        return self.numbers.result


class _Draft(msgspec.Struct):
    """One change before it has a number: the states as documents and as the texts to be stored."""

    effect: Effect
    action: ObjectChangeAction
    before: Document | None
    after: Document | None
    prechange: str | None
    postchange: str | None


def _drafts(effects: Sequence[Effect]) -> list[_Draft]:
    """The changes that effects come to; each document is encoded once."""
    drafts = []
    for effect in effects:
        text = None if effect.before is None else effect.before.stored.document
        for action, before, after in effect.actions():
            following = None if after is None else encode_checked(after, effect.key)
            drafts.append(_Draft(effect, action, before, after, text, following))
            text = following
    return drafts
