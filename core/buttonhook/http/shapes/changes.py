"""Object changes."""

import msgspec

from buttonhook import times
from buttonhook.records import ChangeRecord


def encode_change(record: ChangeRecord) -> bytes:
    shape = msgspec.structs.asdict(record)
    for name in ("time", "recorded_at"):
        shape[name] = times.to_text(shape[name])
    for name in ("prechange", "postchange"):
        shape[name] = None if shape[name] is None else msgspec.Raw(shape[name].encode())
    return msgspec.json.encode(shape)
