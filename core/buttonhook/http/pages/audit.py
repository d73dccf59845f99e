"""The audit log: logins, what was denied, trouble with the storage. Edits of the set-up are changes."""

from typing import Annotated, Any, Final, get_args

from litestar import Response
from litestar.params import FromQuery, QueryParameter

from buttonhook.http.asking import access_of, daemon_of
from buttonhook.http.declaring import act
from buttonhook.http.pages.page import page, show
from buttonhook.http.pages.templating import query
from buttonhook.http.paging import CursorText, decode_cursor, encode_cursor
from buttonhook.http.reading import Request
from buttonhook.ids import AuditKind
from buttonhook.people import AuditQuery

PAGE: Final = 50
Name = Annotated[str, QueryParameter(max_length=255)]
KINDS: Final = {
    "login": "logged in",
    "login_failed": "login failed",
    "logout": "logged out",
    "token_refused": "token refused",
    "denied": "denied",
    "setup": "set up",
    "storage": "storage",
}
COLOURS: Final = {
    "login": "on",
    "login_failed": "failure",
    "denied": "failure",
    "token_refused": "failure",
    "storage": "warning",
}


@page("/audit", act("see the audit log"))
async def list_audit(
    request: Request, kind: FromQuery[AuditKind | None] = None, user: Name = "", cursor: CursorText = None
) -> Response[Any]:
    """The audit entries, newest first."""
    user = user.strip()
    question = ["audit page", kind, user]
    after = None if cursor is None else decode_cursor(question, cursor, tuple[int])[0]
    await daemon_of(request).auditor.settle()
    asked = AuditQuery(kind=kind, user_name=user or None, after=after, limit=PAGE + 1)
    found = await access_of(request).history.audit_entries(asked)
    shown = found[:PAGE]
    following = encode_cursor(question, [shown[-1].id]) if len(found) > PAGE else None
    return show(
        request,
        "audit.html",
        "Audit log",
        entries=shown,
        kind=kind or "",
        user=user,
        kinds=[("", "everything"), *((each, KINDS[each]) for each in get_args(AuditKind))],
        words=KINDS,
        colours=COLOURS,
        first="/audit" + query(kind=kind, user=user) if cursor else None,
        next="/audit" + query(kind=kind, user=user, cursor=following) if following else None,
    )


ROUTES: Final = (list_audit,)
