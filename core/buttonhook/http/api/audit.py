"""The audit log: logins, denied attempts, trouble with the storage. Edits of the set-up are object changes."""

from typing import Annotated, Final

from litestar.params import FromQuery, QueryParameter

from buttonhook.http.asking import access_of, daemon_of
from buttonhook.http.declaring import act, get
from buttonhook.http.paging import (
    DEFAULT_LIMIT,
    CursorText,
    FieldNames,
    Limit,
    Page,
    decode_cursor,
    encode_cursor,
    sparse,
)
from buttonhook.http.reading import Request
from buttonhook.http.shapes.audit import AuditShape
from buttonhook.ids import AuditKind
from buttonhook.people import AuditQuery


@get("/api/audit", act("see the audit log"), tags=["people"])
async def list_audit_entries(
    request: Request,
    kind: FromQuery[AuditKind | None] = None,
    user: Annotated[str | None, QueryParameter(description="Who it was, or said to be.")] = None,
    limit: Limit = DEFAULT_LIMIT,
    cursor: CursorText = None,
    fields: FieldNames = None,
) -> Page[AuditShape]:
    """List audit entries, newest first. The last 10,000 are kept."""
    question = ["audit", kind, user]
    after = None if cursor is None else decode_cursor(question, cursor, tuple[int])[0]
    await daemon_of(request).auditor.settle()
    query = AuditQuery(kind=kind, user_name=user, after=after, limit=limit + 1)
    found = await access_of(request).history.audit_entries(query)
    shown = found[:limit]
    following = encode_cursor(question, [shown[-1].id]) if len(found) > limit else None
    return sparse(Page([AuditShape.of(each) for each in shown], following), fields)


ROUTES: Final = (list_audit_entries,)
