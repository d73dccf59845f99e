"""What the tests of sources share: bodies as Nautobot and NetBox send them, and sending them signed."""

import hashlib
import hmac
import json
from typing import Any

import httpx

from tests.api.served import Served

DEVICE = "d35976b6-2d4f-4c84-9f5b-e32091ea74de"


def nautobot(event: str, before: dict[str, Any] | None, after: dict[str, Any] | None, **more: Any) -> dict[str, Any]:
    """A body of Nautobot 2 and 3: `data` is the object as it is, or last was; the snapshots have the same form."""
    fixed = {
        "id": DEVICE,
        "object_type": "dcim.device",
        "url": f"/api/dcim/devices/{DEVICE}/",
        "created": "2026-11-23T01:34:46.376593Z",
    }
    states = [None if each is None else {**fixed, **each} for each in (before, after)]
    return {
        "event": event,
        "timestamp": "2026-11-23 01:34:46.400000+00:00",
        "model": "device",
        "username": "nora",
        "request_id": "fdbca812-3142-4783-b364-2e2bd5c16c6a",
        "data": states[1] or states[0],
        "snapshots": {"prechange": states[0], "postchange": states[1], "differences": {"removed": None, "added": None}},
        **more,
    }


NETBOX_SITE = {
    "id": 4,
    "url": "/api/dcim/sites/4/",
    "display": "Amsterdam",
    "name": "Amsterdam",
    "status": {"value": "active", "label": "Active"},
    "region": {"id": 7, "url": "/api/dcim/regions/7/", "name": "Europe"},
    "tags": [{"id": 1, "name": "core", "slug": "core"}, {"id": 2, "name": "new", "slug": "new"}],
    "asns": [],
    "description": "second",
    "custom_fields": {},
    "last_updated": "2026-02-02T11:10:24.208787Z",
}
NETBOX_BEFORE = {
    "name": "Amsterdam",
    "status": "planned",
    "region": 3,
    "tags": ["core", "old"],
    "asns": [],
    "description": "",
    "custom_fields": {},
    "last_updated": "2026-02-01T11:10:24.208Z",
    "_path": "/x",
}
NETBOX_AFTER = {
    **NETBOX_BEFORE,
    "status": "active",
    "region": 7,
    "tags": ["core", "new"],
    "description": "second",
    "last_updated": "2026-02-02T11:10:24.208Z",
}


def netbox(event: str, **more: Any) -> dict[str, Any]:
    """A body of NetBox 3.5 to 4.3: the snapshots are flat."""
    return {
        "event": event,
        "timestamp": "2026-02-02T11:10:24.231786+00:00",
        "model": "site",
        "username": "admin",
        "request_id": "7886b12c-593d-46bb-a781-5da0e5be255b",
        "data": NETBOX_SITE,
        "snapshots": {
            "prechange": None if event == "created" else NETBOX_BEFORE,
            "postchange": None if event == "deleted" else NETBOX_AFTER,
        },
        **more,
    }


def signature(secret: str, content: bytes, algorithm: str = "sha512") -> str:
    return hmac.new(secret.encode(), content, getattr(hashlib, algorithm)).hexdigest()


async def send(
    client: httpx.AsyncClient, source: str, secret: str, body: Any, headers: dict[str, Any] | None = None
) -> httpx.Response:
    """Send a body as Nautobot and NetBox do."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    signed = {"Content-Type": "application/json", "X-Hook-Signature": signature(secret, raw)}
    return await client.post(f"/api/sources/{source}", content=raw, headers={**signed, **(headers or {})})


async def add(served: Served, name: str = "nautobot", **fields: Any) -> str:
    """Add a source as the owner; returns its secret."""
    owner = await served.owner()
    answer = await owner.post("/api/sources", json={"name": name, **fields})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["secret"])
