"""Answers that are kept with what was written, for requests that come again with the same idempotency key."""

from typing import Any

from buttonhook.errors import AlreadyAnswered
from buttonhook.ids import Microseconds
from buttonhook.people import ReceiptRecord
from buttonhook.recorder.effects import Overlay
from buttonhook.stores.base import RECEIPT_SECONDS
from buttonhook.work import Receipt


def find_answer(receipt: Receipt, overlay: Overlay, time: Microseconds) -> AlreadyAnswered | None:
    """The refusal of a piece whose key was used before; None where it was not, or so long ago that it is forgotten."""
    known = overlay.receipts.get(receipt.id)
    if known is None or known.recorded_at < time - RECEIPT_SECONDS * 1_000_000:
        return None
    return AlreadyAnswered(*receipt.id, known.fingerprint, known.answer)


def keep_answer(receipt: Receipt, answer: Any, overlay: Overlay, time: Microseconds) -> ReceiptRecord:
    """The record of what a piece is answered."""
    receipt.text = receipt.tell(answer)
    user_name, key = receipt.id
    kept = ReceiptRecord(
        user_name=user_name, key=key, fingerprint=receipt.fingerprint, answer=receipt.text, recorded_at=time
    )
    overlay.receipts[receipt.id] = kept
    return kept
