"""Bodies, read strictly: JSON by the rules of documents, then by the struct, without any conversion of types.

Litestar alone would take "1" for 1, let a key stand twice and end in a traceback at bad UTF-8.
"""

import sys
from collections.abc import AsyncGenerator, Iterable, Sequence
from functools import cached_property
from typing import Annotated, Any, Final
from urllib.parse import parse_qsl

import msgspec
from litestar import Request as LitestarRequest
from litestar.datastructures import Headers
from litestar.exceptions import InternalServerException
from litestar.exceptions.http_exceptions import RequestEntityTooLarge
from litestar.params import PathParameter

from buttonhook import documents
from buttonhook.errors import Fault, InvalidDocument
from buttonhook.http.problems import Refused
from buttonhook.objects.keys import OBJECT_TYPE_PATTERN
from buttonhook.objects.types import to_fault

BODY_BYTES: Final = 2_000_000
"""How large a body may be; a document may have half of it."""
SUBJECT: Final = "The request's body"
MAX_WHOLE: Final = 50
"""So many numbers of a body may be written as 1.0 where a whole one is asked for."""
ObjectTypeName = Annotated[str, PathParameter(schema_extra={"pattern": OBJECT_TYPE_PATTERN})]
"""A part of a path."""
FORM_TYPE: Final = "application/x-www-form-urlencoded"
FORM_FIELDS: Final = 5000
_FORM: Final = "buttonhook.form"


class Form:
    """The fields of a form of a page, as they came; line ends are those of documents."""

    def __init__(self, pairs: Iterable[tuple[str, str]] = ()) -> None:
        self.pairs = [(name, value.replace("\r\n", "\n")) for name, value in pairs]

    def get(self, name: str, default: str = "") -> str:
        """The first value of a field."""
        return next((value for each, value in self.pairs if each == name), default)

    def all(self, name: str) -> list[str]:
        """All values of a field, in order."""
        return [value for each, value in self.pairs if each == name]

    def __contains__(self, name: object) -> bool:
        return any(each == name for each, _ in self.pairs)


async def form_of(request: LitestarRequest[Any, Any, Any]) -> Form:
    """The form that a request carries; read once.

    Raises:
        Refused: it carries none, or one that cannot be read.
    """
    known = request.scope.get(_FORM)
    if isinstance(known, Form):
        return known
    check_media_type(request, FORM_TYPE)
    try:
        text = (await request.body()).decode("ascii")
        pairs = parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=FORM_FIELDS)
    except ValueError as exc:  # UnicodeDecodeError is one, too
        raise Refused(400, "bad-form", "The form cannot be read. Send it from its page.") from exc
    form = Form(pairs)
    request.scope[_FORM] = form  # type: ignore[typeddict-unknown-key]
    return form


class Request(LitestarRequest[Any, Any, Any]):
    """A request whose `data` is read strictly."""

    _whole: bytes | None = None

    @cached_property
    def headers(self) -> Headers:
        """Its headers, found once."""
        return Headers.from_scope(self.scope)

    async def body(self) -> bytes:
        """The whole body, read once.

        Raises:
            RequestEntityTooLarge: it is larger than the route takes.
            Refused: the client hung up, or was too slow.
        """
        if self._whole is None:
            limit = self.route_handler.resolve_request_max_body_size() or sys.maxsize
            if (self.content_length or 0) > limit:
                raise RequestEntityTooLarge
            whole, has_more = b"", True
            while has_more:
                message: Any = await self.receive()
                if message["type"] == "http.disconnect":
                    raise _hung_up()
                piece = message["body"]
                whole = whole + piece if whole else piece
                if len(whole) > limit:
                    raise RequestEntityTooLarge
                has_more = message.get("more_body", False)
            self._whole = whole
        return self._whole

    async def stream(self) -> AsyncGenerator[bytes, None]:
        """The body as it comes.

        Raises:
            RequestEntityTooLarge: it is larger than the route takes.
            Refused: the client hung up, or was too slow.
        """
        try:
            async for piece in super().stream():
                yield piece
        except InternalServerException as exc:  # all that Litestar says so of a body that is read once
            raise _hung_up() from exc

    async def json(self) -> Any:
        """The body as the type of the route's `data`.

        Raises:
            InvalidDocument, Refused: it is none, or no JSON.
        """
        check_media_type(self, "application/json")
        value = documents.parse(await self.body(), SUBJECT, BODY_BYTES)
        field = self.route_handler.parsed_data_field
        return value if field is None else read_as(value, field.annotation)


def _hung_up() -> Refused:
    """That the rest of a body does not come any more: nobody reads it, but it is no bug of ours."""
    return Refused(400, "hung-up", "The client hung up before the body was whole.")


def check_media_type(request: LitestarRequest[Any, Any, Any], *wanted: str) -> None:
    """Raises: Refused: the body is of another media type."""
    given = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if given not in wanted:
        has = f"is {given}" if given else "has no media type"
        raise Refused(415, "media-type", f"The body {has}. Send it with Content-Type: {' or '.join(wanted)}.")


def read_as(value: Any, wanted: Any) -> Any:
    """A decoded value as a struct. A whole number may be written with a fraction of zero, as in 1.0.

    Raises:
        InvalidDocument: with the path of the fault.
    """
    for _ in range(MAX_WHOLE):
        try:
            return msgspec.convert(value, wanted)
        except msgspec.ValidationError as exc:
            fault = to_fault(exc)
            if not ("`int" in fault.message and _make_whole(value, fault.path.split("."))):
                raise InvalidDocument(SUBJECT, [Fault(fault.path, fault.message)]) from exc
    raise InvalidDocument(SUBJECT, [Fault("", f"more than {MAX_WHOLE} whole numbers are written with a fraction")])


def _make_whole(value: Any, steps: Sequence[str]) -> bool:
    """Write the number at a path without its fraction, if that is zero; whether it is."""
    for step in steps[:-1]:
        value = _at(value, step)
    number = _at(value, steps[-1])
    if not isinstance(number, float) or not number.is_integer():
        return False
    value[int(steps[-1]) if isinstance(value, list) else steps[-1]] = int(number)
    return True


def _at(value: Any, step: str) -> Any:
    if isinstance(value, list):
        return value[int(step)] if step.isdecimal() and int(step) < len(value) else None
    return value.get(step) if isinstance(value, dict) else None
