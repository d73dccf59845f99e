"""The bodies of Nautobot's and NetBox's webhooks.

Both send `{event, timestamp, model, username, request_id, data, snapshots: {prechange, postchange}}`. Newer ones of
NetBox have `object_type` in the place of `model`, and user and id under `request`. `data` is the object as their REST
API shows it, and what is kept here. Nautobot's snapshots have the same form; NetBox's are flat (a nested object is its
id, a choice its value), so that a state before is made of `data` and of what differs between the two.

Formats: Nautobot's `extras/webhooks.py` and `extras/tasks.py` (2.0 to 3.2), NetBox's `extras/webhooks.py` (3.5 to 4.6).
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import urlsplit

from buttonhook import documents, times
from buttonhook.documents import ABSENT
from buttonhook.errors import Fault
from buttonhook.ids import Microseconds
from buttonhook.webhooks import Webhook, WebhookReader, WebhookReading, WebhookWrite, text_of

EVENTS: Final = ("created", "updated", "deleted")
_WORD: Final = re.compile(r"[a-z][a-z0-9_]*\Z")
_TYPE: Final = re.compile(r"[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*\Z")


def built_in_readers() -> tuple[WebhookReader, ...]:
    """The kinds of source that need no plugin."""
    return (
        WebhookReader("nautobot", read_body, "Webhooks of Nautobot 2 and 3."),
        WebhookReader("netbox", read_body, "Webhooks of NetBox 3 and 4, by its event rules."),
    )


def read_body(webhook: Webhook) -> WebhookReading:
    """What a webhook of Nautobot or NetBox says. One that tells of no object, as of a job of NetBox, says nothing.

    Raises:
        Fault: with the path of what is missing or cannot be.
    """
    body = _mapping(webhook.body, "")
    event = text_of(body, "event")
    if event.startswith("job_"):
        return WebhookReading()
    if event not in EVENTS:
        raise Fault("event", f"is {event[:40]!r}, not one of {', '.join(EVENTS)}")
    data = _mapping(body.get("data"), "data")
    snapshots = _mapping(body.get("snapshots") or {}, "snapshots")
    request = _mapping(body.get("request") or {}, "request")
    write = WebhookWrite(
        object_type=_object_type(body, data),
        pk=_pk(data),
        after=None if event == "deleted" else data,
        before=data if event == "deleted" else _before(event, data, snapshots),
    )
    return WebhookReading(
        writes=(write,),
        user_name=text_of(body, "username") or _user_name(request),
        request_id=text_of(body, "request_id") or text_of(request, "id", "request_id"),
        time=_time(body),
    )


def _mapping(value: Any, path: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise Fault(path, f"an object is expected, not {type(value).__name__}")
    return value


def _user_name(request: Mapping[str, Any]) -> str:
    """Who made the request: told by name, or as an object with it."""
    user = request.get("user")
    return text_of(user, "username") if isinstance(user, dict) else text_of(request, "user")


def _pk(data: Mapping[str, Any]) -> str:
    given = data.get("id")
    if isinstance(given, bool) or not isinstance(given, str | int):
        raise Fault("data.id", "is no id")
    return str(given)


def _time(body: Mapping[str, Any]) -> Microseconds | None:
    text = text_of(body, "timestamp")
    try:
        return times.from_text(text) if text else None
    except (ValueError, OverflowError) as exc:
        raise Fault("timestamp", f"is {text[:40]!r}, which is no time as in 2026-11-23T01:34:46.376593+00:00") from exc


def _object_type(body: Mapping[str, Any], data: Mapping[str, Any]) -> str:
    """`app.model`: as it is told, else the model with the app of the object's address in the REST API."""
    told = [text_of(body, "object_type"), text_of(data, "object_type"), text_of(body, "model")]
    for each in told:
        if _TYPE.match(each):
            return each
    model = told[2]
    if not _WORD.match(model):
        raise Fault("model", f"is {model[:40]!r}, which names no model")
    app = _app_of(text_of(data, "url"))
    if not _WORD.match(app):
        raise Fault("data.url", "tells no app, as /api/dcim/devices/1/ does, and no object_type is told")
    return f"{app}.{model}"


def _app_of(url: str) -> str:
    """`dcim` of `/api/dcim/devices/1/`, `bgp` of `/api/plugins/bgp/sessions/1/`."""
    _, _, path = urlsplit(url).path.partition("/api/")
    steps = [each for each in path.split("/") if each]
    if steps[:1] == ["plugins"]:
        steps = steps[1:]
    return steps[0].replace("-", "_") if steps else ""


# --- the state before -----------------------------------------------------------------------------


def _before(event: str, data: dict[str, Any], snapshots: Mapping[str, Any]) -> dict[str, Any] | None:
    """The state before an update, in the form of `data`; None where the body does not tell it."""
    told = snapshots.get("prechange")
    if event != "updated" or told is None:
        return None
    before = _mapping(told, "snapshots.prechange")
    if documents.same(before.get("id"), data.get("id")):
        return before
    after = _mapping(snapshots.get("postchange") or {}, "snapshots.postchange")
    states = dict(data)
    for name, value in before.items():
        if name in data and not documents.same(value, after.get(name, ABSENT)):
            states[name] = _in_form_of(data[name], value)
    return states


def _in_form_of(shown: Any, flat: Any) -> Any:
    """A flat value in the form in which its field is shown: of a nested object the id, of a choice the value alone."""
    if isinstance(shown, list) and isinstance(flat, list):
        return [_member_in_form_of(shown, each) for each in flat]
    if isinstance(shown, dict) and not isinstance(flat, dict) and flat is not None:
        if "value" in shown:
            return {"value": flat}
        if "id" in shown:
            return {"id": flat}
    return flat


def _member_in_form_of(shown: Sequence[Any], flat: Any) -> Any:
    """A member of a list: the one shown of this id or name, else what is known of it."""
    nested = [each for each in shown if isinstance(each, dict)]
    if len(nested) < len(shown) or not nested or isinstance(flat, dict | list):
        return flat
    name = "id" if isinstance(flat, int) else "name"
    return next((each for each in nested if documents.same(each.get(name, ABSENT), flat)), {name: flat})
