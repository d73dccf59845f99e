"""Webhooks that come in: how one is signed, and who reads its body into objects.

A `WebhookReader` is a plain function of plain values: it is given a body whose signature was found good, and says what
the sender's objects are. What is made of that (prefix, permissions, changes) is not its matter.
"""

import hmac
import re
import time
from collections.abc import Callable, Mapping
from typing import Any, Final, Literal

from msgspec import Struct

from buttonhook.errors import Fault
from buttonhook.ids import Microseconds

BUILT_IN: Final = "buttonhook"
SIGNATURE_HEADER: Final = "X-Hook-Signature"
WINDOW_SECONDS: Final = 300
"""How far a signed time may be from ours, where nothing else is said."""
HEADER_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,99}\Z")
_SECONDS: Final = re.compile(r"[0-9]{1,12}\Z")

Algorithm = Literal["sha256", "sha384", "sha512"]


class Webhook(Struct, frozen=True):
    """What a source was sent. `body` is its JSON value; the names of `headers` are in small letters."""

    body: Any
    headers: Mapping[str, str]


class WebhookWrite(Struct, frozen=True, kw_only=True):
    """One object as the sender says it is. `object_type` is without the source's prefix.

    `after` is its whole state, None where it is deleted; `before` its state before, where the sender tells it.
    """

    object_type: str
    pk: str
    after: dict[str, Any] | None
    before: dict[str, Any] | None = None


class WebhookReading(Struct, frozen=True, kw_only=True):
    """What a body says; with no writes, that there is nothing to record.

    `user_name` is who made the change over there, `request_id` what belongs together there, `time` when it happened.
    """

    writes: tuple[WebhookWrite, ...] = ()
    user_name: str = ""
    request_id: str = ""
    time: Microseconds | None = None


def check_reading(given: Any) -> None:
    """Refuse what a reader may not return; a struct is not checked when it is made.

    Raises:
        TypeError: saying what is wrong.
    """
    if not isinstance(given, WebhookReading):
        raise TypeError(f"it returned {type(given).__name__}, not a WebhookReading")
    if not isinstance(given.writes, tuple | list):
        raise TypeError(f"writes is a {type(given.writes).__name__}, not a tuple")
    _check_fields(given, user_name=str, request_id=str, time=int | None)
    for each in given.writes:
        if not isinstance(each, WebhookWrite):
            raise TypeError(f"writes holds a {type(each).__name__}, not a WebhookWrite")
        _check_fields(each, object_type=str, pk=str, after=dict | None, before=dict | None)


def _check_fields(struct: Struct, **wanted: Any) -> None:
    for name, kind in wanted.items():
        value = getattr(struct, name)
        if not isinstance(value, kind) or isinstance(value, bool):
            raise TypeError(f"{name} cannot be a {type(value).__name__}")


Read = Callable[[Webhook], WebhookReading]


class WebhookReader:
    """A kind of source: the function that reads its bodies, and how its senders sign where nothing else is said.

    The function raises `Fault(path, message)` for a body that it cannot read.
    """

    __slots__ = ("algorithm", "description", "name", "place", "read", "signature_header", "timestamp_header")

    def __init__(
        self,
        name: str,
        read: Read,
        description: str = "",
        *,
        signature_header: str = SIGNATURE_HEADER,
        algorithm: Algorithm = "sha512",
        timestamp_header: str = "",
    ) -> None:
        self.name = name
        self.read = read
        self.description = description
        self.signature_header = signature_header
        self.algorithm = algorithm
        self.timestamp_header = timestamp_header
        self.place = BUILT_IN


class Signing(Struct, frozen=True):
    """How a sender signs: HMAC of the raw body, as hexadecimal digits in a header, alone or behind `sha256=`.

    With a `timestamp_header` it signs `TIME.BODY`, where TIME is the header's value in seconds since 1970.
    """

    header: str
    algorithm: Algorithm
    timestamp_header: str = ""
    window_seconds: int | None = None


def signed_content(signing: Signing, headers: Mapping[str, str], raw: bytes) -> bytes:
    """What a sender signs: no two deliveries that it means to be different have the same."""
    if not signing.timestamp_header:
        return raw
    return headers.get(signing.timestamp_header.lower(), "").encode("latin-1", "replace") + b"." + raw


def is_signed(secret: bytes, signing: Signing, headers: Mapping[str, str], raw: bytes) -> bool:
    """Whether a body carries the signature of who has the secret, not too old; in the same time either way."""
    expected = hmac.digest(secret, signed_content(signing, headers, raw), signing.algorithm).hex()
    given = headers.get(signing.header.lower(), "").strip().lower().removeprefix(f"{signing.algorithm}=")
    fits = hmac.compare_digest(given.encode("latin-1", "replace"), expected.encode())
    return fits and (not signing.timestamp_header or _is_timely(signing, headers))


def _is_timely(signing: Signing, headers: Mapping[str, str]) -> bool:
    text = headers.get(signing.timestamp_header.lower(), "")
    if not _SECONDS.match(text):
        return False
    window = WINDOW_SECONDS if signing.window_seconds is None else signing.window_seconds
    return abs(time.time() - int(text)) <= window


def text_of(body: Mapping[str, Any], *names: str) -> str:
    """The first of some fields that holds text; empty where none does.

    Raises:
        Fault: one holds something else.
    """
    for name in names:
        value = body.get(name)
        if value is not None and not isinstance(value, str):
            raise Fault(name, f"text is expected, not {type(value).__name__}")
        if value:
            return value
    return ""
