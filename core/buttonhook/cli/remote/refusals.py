"""Problem documents as the errors that the core raised, so that a command tells them as it always does.

The class is found by the problem's type and the sentence is the problem's own. Attributes that the core keeps beside it
are known only where a command asks for them.
"""

import re
from typing import Final

import msgspec
from msgspec import Struct

from buttonhook import errors
from buttonhook.errors import ButtonhookError, DaemonError, Fault, InvalidDocument, RecordConflict, RecordNotFound

PREFIX: Final = "urn:buttonhook:problem:"
_NOUN: Final = re.compile(r"(?:No )?(\w[\w ]*) '")
"""What a sentence about a record is about: `No job 'x' exists`, `Job hook 'x' ...`."""


def _kebab(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "-", name).lower()


_CLASSES: Final = {
    _kebab(name): each
    for name, each in vars(errors).items()
    if isinstance(each, type) and issubclass(each, ButtonhookError)
}


class _Fault(Struct, frozen=True):
    path: str
    message: str


class _Problem(Struct, frozen=True):
    type: str
    title: str
    status: int
    detail: str
    errors: tuple[_Fault, ...] = ()
    request_id: str = ""


class Refusal(DaemonError):
    """The daemon turned a request away for what it is. `kind` is the last part of the problem's type."""

    def __init__(self, url: str, kind: str, detail: str) -> None:
        self.kind = kind
        super().__init__(url, detail, "")
        self.args = (detail,)


def error_of(url: str, status: int, body: bytes) -> ButtonhookError:
    """The error that a problem document tells of."""
    try:
        problem = msgspec.json.decode(body, type=_Problem)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return DaemonError(url, f"answers with status {status} and a problem that cannot be read", "Look at its log.")
    kind = problem.type.removeprefix(PREFIX)
    kind_class = _CLASSES.get(kind)
    if kind_class is None:
        return Refusal(url, kind, problem.detail)
    error = kind_class.__new__(kind_class)
    error.args = (problem.detail,)
    if isinstance(error, InvalidDocument):
        error.subject = ""
        error.faults = tuple(Fault(each.path, each.message) for each in problem.errors)
    if isinstance(error, RecordNotFound | RecordConflict):
        found = _NOUN.match(problem.detail)
        error.kind = found[1].lower() if found else ""
    return error
