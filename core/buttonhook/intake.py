"""Webhooks into changes: whether one is genuine, what its reader says, and one transaction of it.

A webhook is recorded at most once, ever: what was signed is the key. Its writes are those of the user whom the source
acts as, made in the name of whom it tells. What it says of an object is the whole of it; one that is older than what
the same source said of the object before is passed over, for senders deliver in any order.
"""

import hashlib
import logging
from collections.abc import Mapping, Sequence
from typing import Final, Literal, Protocol

import anyio
import anyio.to_thread
import msgspec
from msgspec import Struct

from buttonhook import documents
from buttonhook.access.access import Access
from buttonhook.access.parts import Parts
from buttonhook.configuration import Configuration
from buttonhook.errors import (
    AlreadyRecorded,
    ButtonhookError,
    Fault,
    InvalidDocument,
    ObjectNotFound,
    PermissionDenied,
    RecordConflict,
    RecordNotFound,
    StaleObject,
)
from buttonhook.ids import ChangeContext, Microseconds, now
from buttonhook.objects.keys import check_object_type, check_pk, object_permission
from buttonhook.objects.session import Write
from buttonhook.people import SourceRecord, UserRecord
from buttonhook.permissions import user_of
from buttonhook.receivers.user import User
from buttonhook.records import ChangeQuery, ChangeRecord, Origin
from buttonhook.webhooks import (
    SIGNATURE_HEADER,
    Signing,
    Webhook,
    WebhookReader,
    WebhookReading,
    WebhookWrite,
    check_reading,
    is_signed,
    signed_content,
)

CAUSE_HEADER: Final = "buttonhook-cause"
SUBJECT: Final = "The webhook's body"
BODY_BYTES: Final = 2_000_000
READERS_AT_ONCE: Final = 4
MOST_WRITES: Final = 1_000
TRIES: Final = 10
RECENT: Final = 20
"""How many of an object's last changes are looked through for one that the source itself told."""
_NOBODY: Final = b"the secret of nobody"

_log = logging.getLogger("buttonhook.intake")

Outcome = Literal["recorded", "unchanged", "repeated", "late", "ignored"]


class Receipt(Struct, frozen=True, kw_only=True):
    """What became of a webhook.

    `recorded`; `unchanged`: it tells what is known; `repeated`: it was recorded before; `late`: newer states are known;
    `ignored`: it tells of no object.
    """

    outcome: Outcome
    changes: tuple[ChangeRecord, ...] = ()
    late: int = 0
    """How many objects were passed over, for newer states of them are known."""


class Opener(Protocol):
    """Makes a user's way in."""

    def __call__(self, user: User, context: ChangeContext, detail: str, request_id: str, /) -> Access: ...


class Intake:
    """Takes webhooks."""

    def __init__(self, parts: Parts, access: Opener) -> None:
        self._registry = parts.registry
        self._reader = parts.reader
        self._writer = parts.writer
        self._secrets = parts.secrets
        self._access = access
        self._places = anyio.CapacityLimiter(READERS_AT_ONCE)

    def find(self, name: str, headers: Mapping[str, str], raw: bytes) -> SourceRecord | None:
        """The source that a webhook is from; None where there is none, it is off, or the signature does not fit.

        The three cost the same time. `headers` are by names in small letters.
        """
        source = self._registry.find_named(SourceRecord, name)
        secret = None if source is None else self._secret(source)
        signing = Signing(SIGNATURE_HEADER, "sha512") if source is None else signing_of(source)
        fits = is_signed(_NOBODY if secret is None else secret, signing, headers, raw)
        return source if fits and secret is not None else None

    async def take(self, source: SourceRecord, headers: Mapping[str, str], raw: bytes, request_id: str) -> Receipt:
        """Record what a genuine webhook says; durable on return.

        Raises:
            InvalidDocument, InvalidKey: the body cannot be read.
            PermissionDenied: the user whom the source acts as may not write that.
        """
        reading = await self._read(source, headers, raw)
        if not reading.writes:
            return Receipt(outcome="ignored")
        user = user_of(self._registry, source.acts_as)
        access = self._access(user, "webhook", source.name, request_id)
        access = await self._because_of(access, source, headers.get(CAUSE_HEADER, ""))
        origin = self._origin(access, source, reading)
        writes = [_prefixed(each, source.prefix) for each in reading.writes]
        for object_type in dict.fromkeys(each.object_type for each in writes):
            await self._know_type(user, object_type, origin)
        key = hashlib.sha256(signed_content(signing_of(source), headers, raw)).hexdigest()
        try:
            return await self._record(access, source, origin, writes, f"webhook {source.id} {key}")
        except AlreadyRecorded:
            return Receipt(outcome="repeated")

    # --- who ------------------------------------------------------------------------------------------

    def _secret(self, source: SourceRecord) -> bytes | None:
        """The secret of a source that may be used now."""
        if not source.enabled:
            return None
        user = self._registry.find(UserRecord, source.acts_as)
        if user is None or user.is_disabled:
            problem = f"it acts as {source.acts_as!r}, who is not known here or disabled"
        elif source.kind not in self._registry.webhook_readers:
            problem = f"its kind {source.kind!r} is not installed"
        else:
            try:
                return self._secrets.get(source)
            except RecordConflict as exc:
                problem = str(exc)
        _log.error("Source %s takes nothing: %s", source.name, problem)
        return None

    def _origin(self, access: Access, source: SourceRecord, reading: WebhookReading) -> Origin:
        """Who made the changes, over there if it is told, and when."""
        own = access.session.origin
        author = _told(reading.user_name, "user name") or own.user_name
        if not access.session.writer.may_write_as(author):
            # The name of a user lends what that user may to the runs it fires: not this source's to give.
            author = f"{source.name}:{author}"
            if not access.session.writer.may_write_as(author):
                author = own.user_name
        return msgspec.structs.replace(
            own,
            user_name=author,
            request_id=_told(reading.request_id, "request id") or own.request_id,
            time=None if reading.time is None else Microseconds(min(reading.time, now())),
            is_hooks=own.is_hooks or reading.user_name in source.echo_users,
        )

    async def _because_of(self, access: Access, source: SourceRecord, cause: str) -> Access:
        """The way in as part of the chain of the run that a webhook says it comes back from.

        One that cannot be, or is not for this source to say, is passed over: what happened is not to be lost for it.
        """
        if not cause:
            return access
        try:
            return await access.because_of(cause)
        except (RecordNotFound, PermissionDenied) as exc:
            _log.warning("Source %s says what caused its webhook, which was passed over: %s", source.name, exc)
            return access

    # --- what -----------------------------------------------------------------------------------------

    async def _read(self, source: SourceRecord, headers: Mapping[str, str], raw: bytes) -> WebhookReading:
        reader = self._registry.webhook_readers[source.kind]
        reading = await anyio.to_thread.run_sync(self._call, reader, headers, raw, limiter=self._places)
        if len(reading.writes) > MOST_WRITES:
            problem = f"tells of {len(reading.writes):,} objects, more than the {MOST_WRITES:,} allowed"
            raise InvalidDocument(SUBJECT, [Fault("", problem)])
        window = source.window_seconds
        if window is not None and not source.timestamp_header and (reading.writes or reading.time is not None):
            if reading.time is None:
                raise InvalidDocument(SUBJECT, [Fault("", "tells no time, and the source takes none without")])
            if abs(now() - reading.time) > window * 1_000_000:
                raise InvalidDocument(SUBJECT, [Fault("", f"is from more than {window} s ago, or ahead")])
        return reading

    def _call(self, reader: WebhookReader, headers: Mapping[str, str], raw: bytes) -> WebhookReading:
        """Have a reader read a body; what it raises becomes a refusal. Called in a thread."""
        body = documents.parse(raw, SUBJECT, BODY_BYTES)
        try:
            reading = reader.read(Webhook(body, headers))
            check_reading(reading)
            return reading
        except Fault as exc:
            raise InvalidDocument(SUBJECT, [exc]) from exc
        except ButtonhookError:
            raise
        except Exception as exc:  # noqa: BLE001 - a plugin's function may raise anything
            told = self._registry.redactor.redact(f"{type(exc).__name__}: {exc}")
            _log.error("Webhook reader %s (%s) failed: %s", reader.name, reader.place, told, exc_info=exc)
            raise InvalidDocument(SUBJECT, [Fault("", f"the reader {reader.name!r} failed: {told}")]) from None

    async def _know_type(self, user: User, object_type: str, origin: Origin) -> None:
        """Declare a type that is seen the first time."""
        check_object_type(object_type)
        if self._registry.is_installed(object_type):
            return
        permission = object_permission(object_type, "create")
        if not user.has_perm(permission):
            raise PermissionDenied(user.username, f"create {object_type} objects", permission)
        author = msgspec.structs.replace(origin, user_name=user.username, time=None)
        try:
            await Configuration(self._registry, self._writer, author).declare_type(object_type)
        except RecordConflict:
            if not self._registry.is_installed(object_type):  # else another webhook came first
                raise

    async def _record(
        self, access: Access, source: SourceRecord, origin: Origin, told: list[WebhookWrite], key: str
    ) -> Receipt:
        """Commit what is not older than what is known, again where something came in between."""
        for left in reversed(range(TRIES)):
            writes = [each for write in told if (each := await self._write(write, source, origin.time)) is not None]
            request = msgspec.structs.replace(
                access.session.request(tuple(writes)), origin=origin, once=True, once_key=key
            )
            late = len(told) - len(writes)
            try:
                answer = await access.session.writer.commit(request)
            except (StaleObject, ObjectNotFound):
                if not left:
                    raise
                continue
            if not writes:
                return Receipt(outcome="late", late=late)
            return Receipt(outcome="recorded" if answer.changes else "unchanged", changes=answer.changes, late=late)
        raise AssertionError("the last try returns or raises")

    async def _write(self, told: WebhookWrite, source: SourceRecord, time: Microseconds | None) -> Write | None:
        """The write of one object on what is stored of it now; None where a newer state of it is known."""
        key = (check_object_type(told.object_type), check_pk(told.pk))
        stored = await self._reader.get_object(key)
        recent = await self._reader.changes(ChangeQuery(object_type=key[0], object_pk=key[1], limit=RECENT))
        if time is not None and _knows_newer(recent, source, time):
            return None
        before = told.before
        if recent or (before is not None and told.after is not None and documents.same(before, told.after)):
            # What is kept tells more; and where nothing changed from there on, there would be nothing to record.
            before = None
        is_delete = told.after is None
        return Write(
            kind="delete" if is_delete else "put",
            object_type=told.object_type,
            pk=told.pk,
            document=told.after,
            before=before,
            version=None if stored is None else stored.version,
            strict=True,
            fill=False,
            missing_ok=is_delete,
        )


def _knows_newer(recent: Sequence[ChangeRecord], source: SourceRecord, time: Microseconds) -> bool:
    """Whether the last that a source told of an object is newer; `recent` are its last changes, newest first."""
    for change in recent:
        if change.change_context == "webhook" and change.change_context_detail == source.name:
            return change.time > time
    return False


def signing_of(source: SourceRecord) -> Signing:
    """How the webhooks of a source are signed."""
    return Signing(source.signature_header, source.algorithm, source.timestamp_header, source.window_seconds)


def _told(text: str, what: str) -> str:
    """A name that a body tells. Raises: InvalidDocument: it is too long or cannot be shown."""
    if len(text) > 255 or not text.isprintable():
        raise InvalidDocument(SUBJECT, [Fault("", f"tells a {what} that is too long or cannot be shown")])
    return text.strip()


def _prefixed(write: WebhookWrite, prefix: str) -> WebhookWrite:
    """A write under the name of the type as it is kept here."""
    return msgspec.structs.replace(write, object_type=f"{prefix}_{write.object_type}") if prefix else write
