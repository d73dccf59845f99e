"""What `schemathesis run` is taught of us; it loads this by SCHEMATHESIS_HOOKS, in a process of its own."""

import json
import os
import re
import zlib
from typing import Any

import schemathesis

NAMES: dict[str, dict[str, list[str]]] = json.loads(os.environ["BUTTONHOOK_NAMES"])
"""By the beginning of a path: what its parameters may be called so that there is such a thing."""
NOT_SAID = (
    # which operations, what they answer, and why no schema can say so
    (r"(GET|POST) .*", r"is no cursor\. Take `next`", "a cursor is what an answer held; its form is ours to change"),
    (r"GET .*", r"'fields.* names no field", "a pattern of all names in any order; the description tells them"),
    (r".*", r"^This Idempotency-Key was used for another request", "what was asked before with the same key"),
    (r".* /api/objects.*", r"^Buttonhook-Cause names job result", "whether there is such a run"),
    (r"[A-Z]+ /api/objects/.*", r"^If-(None-)?Match ", "tags of its own are sent, whatever the pattern says"),
    (r"GET /api/objects/.*", r"^Query .* cannot be read", "how a filter is written follows its field"),
    (r"PUT /api/objects/.*", r"^pk .* must", "pks are in the form NFC, without any control character of Unicode"),
    (r"POST /api/objects.*", r"^(Line [0-9]+|The body holds no line)", "to the schema the lines are one text"),
    (r"POST /api/imports", r'^\{"fault"', "faults of lines are told line by line, in a success"),
    (r"GET /api/(job-results|log-entries)", r"^Give `hook` or `button`, and not both", "of two parameters one"),
    (r"GET /api/object-changes(/feed)?", r"^object_pk names no object without object_type", "one needs the other"),
    (r"POST /api/permissions/revoke", r"^Give `user` or `group`, and not both", "of two fields one"),
)
"""What is refused though the schema allows it, or the other way: each for these operations and this sentence alone."""


@schemathesis.serializer("application/x-ndjson")
def ndjson(ctx: schemathesis.SerializationContext, value: Any) -> bytes:
    return value.encode("utf-8", "replace") if isinstance(value, str) else json.dumps(value).encode()


@schemathesis.hook
def filter_failure(
    context: schemathesis.HookContext, failure: Any, case: schemathesis.Case, response: schemathesis.Response
) -> bool:
    """Whether a failure is one; what no schema can say is not."""
    if type(failure).__name__ not in ("RejectedPositiveData", "AcceptedNegativeData"):
        return True
    text = response.content.decode()
    detail = json.loads(text).get("detail", "") if response.status_code >= 400 else text
    label = case.operation.label
    return not any(re.fullmatch(operation, label) and re.search(told, detail) for operation, told, _ in NOT_SAID)


@schemathesis.hook
def map_path_parameters(context: schemathesis.HookContext, path_parameters: dict[str, Any]) -> dict[str, Any]:
    """Half of what is asked for is there."""
    if context.operation is None or not path_parameters:
        return path_parameters
    chosen = dict(path_parameters)
    for start, names in NAMES.items():
        if context.operation.path.startswith(start):
            for name in names.keys() & chosen.keys():
                number = zlib.crc32(repr(chosen[name]).encode("utf-8", "replace"))
                if number % 2:
                    chosen[name] = names[name][number // 2 % len(names[name])]
            break
    return chosen


@schemathesis.check
def closed_to_nobody(ctx: schemathesis.CheckContext, response: schemathesis.Response, case: schemathesis.Case) -> None:
    """Without a token all that is not said to be public is refused before anything else is looked at."""
    if os.environ.get("BUTTONHOOK_ASKER") == "nobody":
        is_public = case.operation.definition.raw.get("security") == []
        assert is_public or response.status_code in (401, 405), f"open to nobody: {response.status_code}"
