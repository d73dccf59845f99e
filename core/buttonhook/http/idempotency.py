"""Requests that come again after their answer was lost: with an `Idempotency-Key` they get the first answer.

    return await once(request, lambda: access.runs.press(...), told)

The answer is committed with the write itself, so there is no moment at which the one is there without the other. Keys
are each user's own and kept for a day. A request that is refused keeps nothing: it may be mended and sent again.
"""

import hashlib
from collections.abc import Awaitable, Callable, Mapping
from typing import Annotated, Any, Final, TypeVar

import msgspec
from litestar import Response
from litestar.params import HeaderParameter
from msgspec import Struct

from buttonhook.errors import AlreadyAnswered
from buttonhook.http.asking import asker_of, daemon_of
from buttonhook.http.declaring import encode
from buttonhook.http.problems import Refused
from buttonhook.http.reading import Request
from buttonhook.ids import now
from buttonhook.stores.base import RECEIPT_SECONDS
from buttonhook.work import Receipt, offered

HEADER: Final = "idempotency-key"
MAX_KEY: Final = 255
_TOLD_HEADERS: Final = ("if-match", "if-none-match", "content-type", "buttonhook-cause")
T = TypeVar("T")

IdempotencyKey = Annotated[
    str | None,
    HeaderParameter(
        name="Idempotency-Key",
        description="Makes the request safe to repeat: one with the same key gets the first answer, for a day.",
        schema_extra={"pattern": "^[!-~]([ -~]{0,253}[!-~])?$"},
    ),
]
"""For the signature of a route that answers by `once`, so that the schema tells of it."""


class Answer(Struct, frozen=True):
    """What is answered: a shape, already as JSON."""

    status: int
    body: msgspec.Raw
    headers: dict[str, str] = {}


def answer_of(shape: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Answer:
    """A shape as an answer."""
    return Answer(status, msgspec.Raw(encode(shape)), dict(headers or {}))


async def once(request: Request, act: Callable[[], Awaitable[T]], tell: Callable[[T], Answer]) -> Response[Any]:
    """Answer a request that writes. `act` makes one commit and returns what the recorder answered; `tell` shows it.

    What the recorder answers is a `TransactionAnswer` for objects, the new results as a tuple for runs, the records as
    a sequence for edits of the set-up. `tell` must be quick and plain: it is called while the write is decided.

    Raises:
        Refused: the key is none, or was used for another request.
    """
    key = request.headers.get(HEADER)
    if key is None:
        return _respond(tell(await act()))
    user_name = asker_of(request).user.username
    fingerprint = await _fingerprint(request, key)
    known = await daemon_of(request).app.reader.find_receipt(user_name, key)
    if known is not None and known.recorded_at >= now() - RECEIPT_SECONDS * 1_000_000:
        return _again(known.fingerprint, known.answer, fingerprint)
    receipt = Receipt(user_name, key, fingerprint, lambda answer: encode(tell(answer)).decode())
    token = offered.set(receipt)
    try:
        answer = await act()
    except AlreadyAnswered as exc:  # it came again while the first one was being written
        return _again(exc.fingerprint, exc.answer, fingerprint)
    finally:
        offered.reset(token)
    return _respond(_read(receipt.text) if receipt.text else tell(answer))


async def _fingerprint(request: Request, key: str) -> str:
    """What tells one request from another.

    Raises:
        Refused: the key cannot be.
    """
    if not 1 <= len(key) <= MAX_KEY or not key.isascii() or not key.isprintable():
        raise Refused(400, "bad-idempotency-key", f"An Idempotency-Key has 1 to {MAX_KEY} printable ASCII characters.")
    told = hashlib.sha256(f"{request.method} {request.url.path}?{request.url.query}".encode("utf-8", "replace"))
    for name in _TOLD_HEADERS:
        told.update(f"\n{name}: {request.headers.get(name, '')}".encode("utf-8", "replace"))
    told.update(b"\n\n")
    told.update(await request.body())
    return told.hexdigest()


def _again(kept: str, answer: str, fingerprint: str) -> Response[Any]:
    if kept != fingerprint:
        detail = "This Idempotency-Key was used for another request within a day. Use a new one for each request."
        raise Refused(422, "idempotency-key-reused", detail)
    return _respond(_read(answer), {"Idempotency-Replayed": "true"})


def _read(text: str) -> Answer:
    return msgspec.json.decode(text, type=Answer)


def _respond(answer: Answer, headers: Mapping[str, str] | None = None) -> Response[Any]:
    return Response(
        bytes(answer.body),
        status_code=answer.status,
        media_type="application/json",
        headers={**answer.headers, **(headers or {})},
    )
