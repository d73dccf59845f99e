"""Bodies, read strictly: JSON by the rules of documents, then by the struct, without any conversion of types.

Litestar alone would take "1" for 1, let a key stand twice and end in a traceback at bad UTF-8.
"""

from typing import Any, Final

import msgspec
from litestar import Request as LitestarRequest

from buttonhook import documents
from buttonhook.errors import Fault, InvalidDocument
from buttonhook.http.problems import Refused
from buttonhook.objects.types import to_fault

BODY_BYTES: Final = 2_000_000
"""How large a body may be; a document may have half of it."""
SUBJECT: Final = "The request's body"


class Request(LitestarRequest[Any, Any, Any]):
    """A request whose `data` is read strictly."""

    async def json(self) -> Any:
        """The body as the type of the route's `data`.

        Raises:
            InvalidDocument, Refused: it is none, or no JSON.
        """
        check_media_type(self, "application/json")
        value = documents.parse(await self.body(), SUBJECT, BODY_BYTES)
        field = self.route_handler.parsed_data_field
        return value if field is None else read_as(value, field.annotation)


def check_media_type(request: LitestarRequest[Any, Any, Any], *wanted: str) -> None:
    """Raises: Refused: the body is of another media type."""
    given = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if given not in wanted:
        has = f"is {given}" if given else "has no media type"
        raise Refused(415, "media-type", f"The body {has}. Send it with Content-Type: {' or '.join(wanted)}.")


def read_as(value: Any, wanted: Any) -> Any:
    """A decoded value as a struct.

    Raises:
        InvalidDocument: with the path of the fault.
    """
    try:
        return msgspec.convert(value, wanted)
    except msgspec.ValidationError as exc:
        fault = to_fault(exc)
        raise InvalidDocument(SUBJECT, [Fault(fault.path, fault.message)]) from exc
