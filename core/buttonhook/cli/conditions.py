"""Conditions on the command line: a JSON row, or the short form `PRESET name=value ...`, with `not` in front to negate.

--condition 'field_changed field=status'
--condition 'not field_compare field=role.name operator=in value=["spine","leaf"]'
--condition '{"type": "preset", "preset": "user_is", "values": {"username": "ann"}}'
"""

import shlex
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import click

from buttonhook.documents import parse
from buttonhook.errors import InvalidDocument

F = TypeVar("F", bound=Callable[..., Any])


def condition_option(function: F) -> F:
    """`--condition ROW`, repeatable: all rows must hold."""
    return click.option(
        "--condition",
        "conditions",
        multiple=True,
        metavar="ROW",
        callback=_read_all,
        help="Only where this holds: PRESET name=value ..., or a JSON row. May be repeated: all must hold.",
    )(function)


def _read_all(_context: click.Context, _parameter: click.Parameter, given: Iterable[str]) -> tuple[Any, ...]:
    return tuple(read_row(each) for each in given)


def read_row(text: str) -> Any:
    """One row. Values are JSON where they read as JSON, else text.

    Raises:
        click.BadParameter: it has neither form.
    """
    if text.lstrip().startswith("{"):
        try:
            return parse(text, "the condition")
        except InvalidDocument as exc:
            raise click.BadParameter(str(exc)) from exc
    try:
        words = _words(text)
    except ValueError as exc:
        raise click.BadParameter(f"{text!r}: {exc}") from exc
    negate = bool(words) and words[0] == "not"
    words = words[1:] if negate else words
    if not words:
        raise click.BadParameter("Name a preset, as in: field_changed field=status")
    values = {}
    for word in words[1:]:
        name, equals, value = word.partition("=")
        if not equals or not name:
            raise click.BadParameter(f"{word!r} is not name=value, as in: field_changed field=status")
        values[name] = _value(value)
    return {"type": "preset", "preset": words[0], "values": values, "negate": negate}


def _words(text: str) -> list[str]:
    """Words as in a shell, but that only quotes around a whole value are taken off: JSON values keep theirs."""
    lexer = shlex.shlex(text, posix=False, punctuation_chars=False)
    lexer.whitespace_split = True
    lexer.commenters = ""
    return list(lexer)


def _value(text: str) -> Any:
    try:
        return parse(text, "the value")
    except InvalidDocument:
        return text[1:-1] if len(text) > 1 and text[0] == text[-1] == "'" else text
