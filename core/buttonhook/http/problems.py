"""Errors as problem documents (RFC 9457): one table says which of ours has which status.

`type` names the class of the problem, `detail` is the error's own sentence, `errors` the path of each fault. What is
no error of ours is a bug: it is logged with the id of the request, and the answer tells that id alone.
"""

import logging
import re
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final

import msgspec
from litestar import Request, Response
from litestar.exceptions import HTTPException, ValidationException
from msgspec import Struct

from buttonhook import errors
from buttonhook.errors import ButtonhookError

MEDIA_TYPE: Final = "application/problem+json"
RETRY_SECONDS: Final = 5

_log = logging.getLogger("buttonhook.http")

STATUS: Final[Mapping[type[ButtonhookError], int]] = {
    errors.InvalidDocument: 422,
    errors.InvalidKey: 422,
    errors.BadCondition: 422,
    errors.ImportFault: 422,
    errors.QueryError: 400,
    errors.PermissionDenied: 403,
    errors.UnknownObjectType: 404,
    errors.ObjectNotFound: 404,
    errors.RecordNotFound: 404,
    errors.NoSuchRun: 404,
    errors.ObjectError: 409,
    errors.RecordError: 409,
    errors.RunEnded: 409,
    errors.AlreadyRecorded: 409,
    errors.QueryTooSlow: 400,
    errors.StoreError: 503,
}
"""By class; one that is not named has the status of the nearest class above it, 500 where there is none."""


class ProblemError(Struct, frozen=True):
    """One fault: where, and what is wrong there."""

    path: str
    message: str


class Problem(Struct, frozen=True, omit_defaults=True):
    """An error, as RFC 9457 has it."""

    type: str
    title: str
    status: int
    detail: str
    errors: tuple[ProblemError, ...] = ()
    request_id: str = ""


class Refused(HTTPException):
    """A request that is turned away for what it is, not for what it asks of the core."""

    def __init__(
        self,
        status: int,
        kind: str,
        detail: str,
        *,
        headers: dict[str, str] | None = None,
        faults: Sequence[ProblemError] = (),
    ) -> None:
        super().__init__(detail, status_code=status, headers=headers)
        self.kind, self.faults = kind, tuple(faults)


def status_of(exc: ButtonhookError) -> int:
    """The HTTP status of one of our errors."""
    if isinstance(exc, errors.StorageUnavailable) and "full" in exc.reason:
        return HTTPStatus.INSUFFICIENT_STORAGE
    return next((STATUS[each] for each in type(exc).__mro__ if each in STATUS), 500)


def of_error(exc: ButtonhookError) -> Problem:
    """One of our errors as a problem."""
    status = status_of(exc)
    return Problem(_urn(_kebab(type(exc).__name__)), HTTPStatus(status).phrase, status, sentence(exc), _faults(exc))


def sentence(exc: ButtonhookError) -> str:
    """The error's own sentence; where its cure is for code, one for who asks over HTTP."""
    if isinstance(exc, errors.StaleObject):
        return f"{exc.object_type} {exc.pk!r} is stale: {exc.detail}. Get it again and repeat the change."
    if isinstance(exc, errors.ObjectExists):
        return f"{exc.object_type} {exc.pk!r} exists already. Get it and change that one."
    return str(exc)


def _faults(exc: ButtonhookError) -> tuple[ProblemError, ...]:
    if isinstance(exc, errors.InvalidDocument | errors.OutdatedDocument):
        return tuple(ProblemError(each.path, each.message) for each in exc.faults)
    if isinstance(exc, errors.BadCondition):
        return (ProblemError(f"conditions.{exc.row - 1}" if exc.row else "conditions", exc.problem),)
    if isinstance(exc, errors.RecordConflict) and exc.field:
        return (ProblemError(exc.field, exc.problem),)
    if isinstance(exc, errors.UniqueViolation):
        return tuple(ProblemError(field, "another has this value") for field in exc.fields)
    if isinstance(exc, errors.BrokenReference):
        return (ProblemError(exc.field, f"{exc.target} {exc.target_pk!r} does not exist"),)
    return ()


def of_http(exc: HTTPException) -> Problem:
    """A refusal, ours or Litestar's, as a problem."""
    status = exc.status_code
    phrase = HTTPStatus(status).phrase
    if isinstance(exc, Refused):
        return Problem(_urn(exc.kind), phrase, status, exc.detail, exc.faults)
    if isinstance(exc, ValidationException) and isinstance(exc.extra, list):
        faults = tuple(ProblemError(each.get("key", ""), each.get("message", "")) for each in exc.extra)
        if any(each.path == "data" for each in faults):
            detail = "The request's body is missing. Send it as JSON."
            return Problem(
                _urn("invalid-document"), HTTPStatus(422).phrase, 422, detail, (ProblemError("", "missing"),)
            )
        told = "; ".join(f"{each.path}: {each.message}" if each.path else each.message for each in faults)
        return Problem(_urn("bad-parameter"), phrase, status, f"A parameter cannot be so: {told}", faults)
    detail = exc.detail if exc.detail and status < 500 else phrase
    return Problem("about:blank", phrase, status, detail)


def answer(problem: Problem, request_id: str, headers: Mapping[str, str] | None = None) -> Response[bytes]:
    """The response that carries a problem."""
    told = msgspec.structs.replace(problem, request_id=request_id)
    extra = dict(headers or {})
    if problem.status in (503, 507):
        extra.setdefault("Retry-After", str(RETRY_SECONDS))
    body = msgspec.json.encode(told)
    return Response(body, status_code=problem.status, media_type=MEDIA_TYPE, headers=extra)


def log_bug(exc: BaseException, request_id: str, what: str) -> Problem:
    """Log an error that is a bug; the problem tells nothing but how to find it in the log."""
    _log.error("Request %s (%s) failed: %s: %s", request_id, what, type(exc).__name__, exc, exc_info=exc)
    detail = f"Something went wrong inside. The daemon's log tells what, under request {request_id}."
    return Problem(_urn("bug"), HTTPStatus(500).phrase, 500, detail)


def of_any(exc: Exception, request_id: str, what: str) -> Problem:
    """What to tell of any exception; one that is a bug is logged."""
    if isinstance(exc, ButtonhookError) and status_of(exc) != 500:
        return of_error(exc)
    if isinstance(exc, Refused) or (isinstance(exc, HTTPException) and exc.status_code < 500):
        return of_http(exc)
    return log_bug(exc, request_id, what)


def on_error(request: Request[Any, Any, Any], exc: Exception) -> Response[bytes]:
    """Litestar's exception handler for everything."""
    request_id = str(request.scope.get("buttonhook.request_id", ""))
    told = of_any(exc, request_id, f"{request.method} {request.url.path}")
    headers = exc.headers if isinstance(exc, HTTPException) and told.status == exc.status_code else None
    return answer(told, request_id, headers)


def _urn(kind: str) -> str:
    return f"urn:buttonhook:problem:{kind}"


def _kebab(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "-", name).lower()
