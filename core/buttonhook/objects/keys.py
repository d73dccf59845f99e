"""What names an object: the rules for `object_type` and `pk`."""

import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from buttonhook.errors import InvalidKey

RESERVED_APPS: Final = frozenset({"jobs", "users", "sources"})
MAX_PK_LENGTH: Final = 200
_PERMISSION_WORDS: Final = {"create": "add", "update": "change"}
OBJECT_TYPE_PATTERN: Final = rf"^(?!({'|'.join(sorted(RESERVED_APPS))})\.)[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*$"
TYPE_NAME_PATTERN: Final = r"^[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*$"
_OBJECT_TYPE = re.compile(TYPE_NAME_PATTERN)


def check_type_name(object_type: str) -> str:
    """Return a name that may be that of what changes tell of, `app.model`, Buttonhook's own records among them."""
    if not _OBJECT_TYPE.fullmatch(object_type):
        raise InvalidKey(
            "Object type", object_type, "must be 'app.model' in small letters, digits and '_', as in 'dcim.device'"
        )
    return object_type


def check_object_type(object_type: str) -> str:
    """Return a name that may be declared as an object type, `app.model`."""
    check_type_name(object_type)
    app = object_type.partition(".")[0]
    if app in RESERVED_APPS:
        raise InvalidKey("Object type", object_type, f"uses the app {app!r}, which is Buttonhook's own")
    return object_type


def check_pk(pk: str) -> str:
    """Return a pk that may name an object: 1 to 200 characters, NFC, no `/`, no control characters, no outer blanks."""
    if not isinstance(pk, str):
        raise InvalidKey("pk", repr(pk), "must be text")
    if not 1 <= len(pk) <= MAX_PK_LENGTH:
        raise InvalidKey("pk", pk[:40], f"must have 1 to {MAX_PK_LENGTH} characters, not {len(pk)}")
    if pk.isascii() and pk.isprintable() and "/" not in pk and pk[0] != " " and pk[-1] != " ":
        return pk
    if "/" in pk:
        raise InvalidKey("pk", pk, "must not contain '/'")
    if pk != pk.strip():
        raise InvalidKey("pk", pk, "must not begin or end with a blank")
    if any(unicodedata.category(character) in ("Cc", "Cs") for character in pk):
        raise InvalidKey("pk", ascii(pk), "must not contain control characters")
    if not unicodedata.is_normalized("NFC", pk):
        raise InvalidKey("pk", ascii(pk), "must be in Unicode form NFC")
    return pk


def object_repr(document: dict[str, object], object_type: str, pk: str) -> str:
    """The name people see: the first 200 characters of `display`, `name` or `model`, else `app.model pk`."""
    for key in ("display", "name", "model"):
        value = document.get(key)
        if isinstance(value, str) and value:
            return value[:200]
    return f"{object_type} {pk}"


def subject(object_type: str, pk: str | None) -> str:
    """How messages name an object: `dcim.device 'ams01-r1'`."""
    return f"{object_type} {pk!r}" if pk is not None else f"new {object_type}"


@lru_cache(maxsize=4096)
def object_permission(object_type: str, action: str) -> str:
    """`app.action_model` of a type; `create` and `update` are `add` and `change` in a permission."""
    app, _, model = object_type.partition(".")
    return f"{app}.{_PERMISSION_WORDS.get(str(action), str(action))}_{model}"


def join_fields(fields: Sequence[str]) -> str:
    """The stored name of a unique constraint."""
    return ",".join(fields)
