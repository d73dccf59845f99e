"""The forms a file can have, told by its name: `jsonl`, `json`, `yaml` or `csv`, plain, `.gz` or `.xz`."""

from pathlib import PurePath
from typing import Final, Literal

from msgspec import Struct

from buttonhook.errors import ImportFault

FormName = Literal["jsonl", "json", "yaml", "csv"]
Compression = Literal["", "gz", "xz"]

STANDARD_STREAM: Final = "-"
_NAMES: Final[dict[str, FormName]] = {
    "jsonl": "jsonl",
    "ndjson": "jsonl",
    "json": "json",
    "yaml": "yaml",
    "yml": "yaml",
    "csv": "csv",
}
_COMPRESSIONS: Final[dict[str, Compression]] = {"gz": "gz", "xz": "xz"}


class Form(Struct, frozen=True):
    """How the bytes of a file are to be read or written."""

    name: FormName
    compression: Compression = ""


def form_of(target: str, given: str | None = None) -> Form:
    """Tell the form of a path by its suffix, or by `given`, a format such as "csv" or "jsonl.xz".

    "-" (a standard stream) is `jsonl` unless told otherwise. A given format without a compression
    keeps the one in the path's suffix.

    Raises:
        ImportFault: neither tells a known form.
    """
    found = _form_of_words(PurePath(target).name.lower().split(".")[1:])
    if given is not None:
        words = given.lower().lstrip(".").split(".")
        form = _form_of_words(words)
        if form is None or len(words) > 1 + bool(form.compression):
            raise ImportFault(target, 0, f"format {given!r} is not known. {_KNOWN}")
        if not form.compression and target != STANDARD_STREAM:
            return Form(form.name, _compression_of(target))
        return form
    if target == STANDARD_STREAM:
        return Form("jsonl")
    if found is None:
        raise ImportFault(target, 0, f"its name ends in no known format. {_KNOWN}")
    return found


_KNOWN: Final = "Known are .jsonl, .json, .yaml and .csv, each also with .gz or .xz; or say which with --format."


def _form_of_words(words: list[str]) -> Form | None:
    compression: Compression = ""
    if words and words[-1] in _COMPRESSIONS:
        compression = _COMPRESSIONS[words.pop()]
    return Form(_NAMES[words[-1]], compression) if words and words[-1] in _NAMES else None


def _compression_of(target: str) -> Compression:
    return _COMPRESSIONS.get(PurePath(target).suffix.lower().lstrip("."), "")
