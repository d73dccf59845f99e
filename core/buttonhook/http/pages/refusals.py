"""What a form was refused for, by its fields."""

from collections.abc import Mapping
from typing import Final

from buttonhook.errors import ButtonhookError, RecordConflict, RecordError
from buttonhook.http.problems import of_error

REFUSALS: Final = RecordError
"""The errors that tell of a fault in what was typed. Others become pages of their own."""


def faults(exc: ButtonhookError, fields: Mapping[str, str] | None = None) -> dict[str, str]:
    """The message for each field at fault, or for the whole form under the empty name.

    `fields` says for each kind of record that may be at fault in which field it was typed.
    """
    if isinstance(exc, RecordConflict) and exc.field:
        return {exc.field: _sentence(exc)}
    told = of_error(exc)
    named = {each.path: each.message for each in told.errors if each.path}
    if named:
        return named
    field = (fields or {}).get(getattr(exc, "kind", ""), "")
    if field and isinstance(exc, RecordConflict):
        return {field: _sentence(exc)}
    return {field: told.detail.partition(" See them with:")[0]}


def _sentence(exc: RecordConflict) -> str:
    return f"{exc.name!r} {exc.problem}.{' ' + exc.cure if exc.cure else ''}"
