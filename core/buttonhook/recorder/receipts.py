"""Answers that are kept with what was written, for requests that come again with the same idempotency key."""

from typing import Any

from buttonhook.errors import AlreadyAnswered
from buttonhook.people import ReceiptRecord
from buttonhook.recorder.effects import Overlay
from buttonhook.stores.base import RECEIPT_SECONDS, Rows
from buttonhook.work import ConfigEdit, Piece, Receipt


def is_answered(receipt: Receipt, place: int, answers: dict[int, Any], overlay: Overlay, rows: Rows) -> bool:
    """Refuse a piece whose key was used before, unless that is so long ago that it is forgotten."""
    known = overlay.receipts.get(receipt.id)
    if known is None or known.recorded_at < rows.time - RECEIPT_SECONDS * 1_000_000:
        return False
    answers[place] = AlreadyAnswered(*receipt.id, known.fingerprint, known.answer)
    return True


def keep_answer(receipt: Receipt, piece: Piece, answer: Any, overlay: Overlay, rows: Rows) -> None:
    """Keep what a piece with a key is answered, unless it is refused."""
    if isinstance(answer, BaseException):
        return
    receipt.text = receipt.tell(piece.records if isinstance(piece, ConfigEdit) else answer)
    user_name, key = receipt.id
    overlay.receipts[receipt.id] = kept = ReceiptRecord(
        user_name=user_name, key=key, fingerprint=receipt.fingerprint, answer=receipt.text, recorded_at=rows.time
    )
    rows.receipts.append(kept)


def follow_receipts(before: Rows, overlay: Overlay) -> None:
    """Know what a batch keeps that is still being written."""
    overlay.receipts.update(((each.user_name, each.key), each) for each in before.receipts)
