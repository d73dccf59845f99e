"""Documents from before this package was installed: numbers and flags that stand there as text.

A database can hold `dcim.*` as free types first, filled from a spreadsheet, where every cell is text. When the package
comes, its structs want numbers and flags. Text that is none stays as it is, so that its object is told as invalid.
"""

from typing import Any, Final

NUMBERS: Final = {
    "dcim.device": ("position",),
    "dcim.devicetype": ("u_height", "weight"),
    "dcim.interface": ("mtu",),
    "dcim.moduletype": ("weight",),
}
FLAGS: Final = {
    "dcim.devicetype": ("is_full_depth", "front_image", "rear_image"),
    "dcim.interface": ("enabled", "mgmt_only"),
}
_WORDS: Final = {"true": True, "false": False}


def read_texts(object_type: str, data: dict[str, Any]) -> dict[str, Any] | None:
    """The document with its texts read as the numbers and flags they stand for; None where there are none.

    An empty text is a cell that was left empty: the field goes.
    """
    readers = dict.fromkeys(NUMBERS.get(object_type, ()), _number) | dict.fromkeys(FLAGS.get(object_type, ()), _flag)
    texts = [key for key in readers if isinstance(data.get(key), str)]
    for key in texts:
        text = data[key].strip()
        if text:
            data[key] = readers[key](text)
        else:
            del data[key]
    return data if texts else None


def _number(text: str) -> int | float | str:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def _flag(text: str) -> bool | str:
    return _WORDS.get(text.lower(), text)
