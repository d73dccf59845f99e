"""Sources: the systems that send webhooks, and the address that they send them to."""

import math
from typing import Final

from litestar.params import FromPath, JSONBody

from buttonhook.errors import ButtonhookError
from buttonhook.http.asking import Asker, access_of, asker_of, daemon_of
from buttonhook.http.declaring import PUBLIC, act, delete, get, patch, post
from buttonhook.http.paging import DEFAULT_LIMIT, CursorText, FieldNames, Limit, Page, page_by_name, sparse
from buttonhook.http.problems import Refused
from buttonhook.http.reading import Request, check_media_type
from buttonhook.http.shapes.sources import ReceiptShape, SecretSourceShape, SourceEdit, SourceInput, SourceShape
from buttonhook.intake import BODY_BYTES
from buttonhook.people import SourceRecord

TAGS: Final = ["sources"]


def shape(request: Request, record: SourceRecord) -> SourceShape:
    return SourceShape.of(record, frozenset(daemon_of(request).app.registry.webhook_readers))


@get("/api/sources", act("see a source"), tags=TAGS)
async def list_sources(
    request: Request, limit: Limit = DEFAULT_LIMIT, cursor: CursorText = None, fields: FieldNames = None
) -> Page[SourceShape]:
    """List the sources of webhooks, by name."""
    found = access_of(request).sources.all()
    return sparse(page_by_name("sources", found, lambda each: shape(request, each), cursor, limit), fields)


@post("/api/sources", act("add a source"), tags=TAGS)
async def add_source(request: Request, data: JSONBody[SourceInput]) -> SecretSourceShape:
    """Add a source of webhooks. Its secret is shown this once.

    What it sends is written by the permissions of the user whom it acts as, so that adding it asks what a token for
    that user does.
    """
    source, secret = await access_of(request).sources.add(data.name, data.draft())
    return SecretSourceShape.with_secret(shape(request, source), secret)


@get("/api/sources/{name:str}", act("see a source"), tags=TAGS)
async def get_source(request: Request, name: FromPath[str]) -> SourceShape:
    """Show a source of webhooks."""
    return shape(request, access_of(request).sources.get(name))


@patch("/api/sources/{name:str}", act("edit a source"), tags=TAGS)
async def edit_source(request: Request, name: FromPath[str], data: JSONBody[SourceEdit]) -> SecretSourceShape:
    """Change a source of webhooks, or make it another secret."""
    source, secret = await access_of(request).sources.edit(name, data.draft(), renews_secret=data.renew_secret)
    return SecretSourceShape.with_secret(shape(request, source), secret)


@delete("/api/sources/{name:str}", act("remove a source"), tags=TAGS)
async def remove_source(request: Request, name: FromPath[str]) -> None:
    """Remove a source of webhooks; what it brought stays."""
    await access_of(request).sources.remove(name)


@post(
    "/api/sources/{name:str}",
    PUBLIC,
    tags=TAGS,
    status_code=200,
    request_max_body_size=BODY_BYTES,
    body={"application/json": {"schema": {"description": "What the sender tells, as its kind of source sends it."}}},
)
async def take_webhook(request: Request, name: FromPath[str]) -> ReceiptShape:
    """Take a webhook: a JSON body with its HMAC, made with the source's secret, in the source's signature header.

    An unknown source, one that is disabled and a wrong signature are answered alike. A delivery that was taken before
    is answered `repeated` and writes nothing, so that a sender may safely send again what was not answered.
    """
    asker = asker_of(request)
    key = f"{asker.address} {name[:100]}"
    _check_patience(asker, key)
    check_media_type(request, "application/json")
    headers = {each.lower(): value for each, value in request.headers.items()}
    raw = await request.body()
    intake = asker.daemon.app.intake
    source = intake.find(name, headers, raw)
    if source is None:
        asker.daemon.by_source.fail(key)
        _note_refused(asker, name, "it is disabled, its secret cannot be read, or the signature does not fit")
        _note(asker, f"a webhook for the source {name[:100]!r} was refused: no such source, or a wrong signature")
        detail = (
            f"No source takes this as {name[:100]!r}: there is none of that name, it is disabled, or the signature "
            "does not fit. See: buttonhook sources list"
        )
        raise Refused(404, "no-such-source", detail)
    asker.daemon.by_source.succeed(key)
    try:
        receipt = await intake.take(source, headers, raw, asker.request_id)
    except ButtonhookError as exc:
        _note_refused(asker, source.name, str(exc))
        raise
    changes = tuple(each.id for each in receipt.changes)
    asker.daemon.deliveries.note(source.name, asker.address, receipt.outcome, changes)
    if receipt.outcome == "repeated":
        _note(asker, f"a webhook of the source {source.name!r} was sent again; nothing was written")
    return ReceiptShape.of(receipt)


def _note_refused(asker: Asker, name: str, problem: str) -> None:
    """For the page of the source; what is sent to names that no source has is not kept."""
    registry = asker.daemon.app.registry
    if registry.find_named(SourceRecord, name) is not None:
        asker.daemon.deliveries.note(name, asker.address, problem=registry.redactor.redact(problem)[:500])


def _note(asker: Asker, what: str) -> None:
    asker.daemon.auditor.note("denied", "", asker.address, what, asker.request_id)


def _check_patience(asker: Asker, key: str) -> None:
    """Raises: Refused: too many wrong signatures for this source came from this address."""
    seconds = asker.daemon.by_source.wait_seconds(key)
    if seconds > 0:
        wait = str(math.ceil(seconds))
        detail = f"Too many webhooks were refused. Wait {wait} s, then send again."
        raise Refused(429, "too-many-tries", detail, headers={"Retry-After": wait})


ROUTES: Final = (list_sources, add_source, get_source, edit_source, remove_source, take_webhook)
