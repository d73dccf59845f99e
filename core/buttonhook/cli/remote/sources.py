"""Sources of webhooks through the API. The daemon judges, never this."""

from typing import Any, Final, Literal

from msgspec import Struct

from buttonhook import times
from buttonhook.cli.remote.connection import Connection, segment
from buttonhook.cli.remote.set_up import NoEditor
from buttonhook.editing import Editing
from buttonhook.people import SourceRecord
from buttonhook.registry import Registry
from buttonhook.sources import SourceDraft, Sources

SOURCES: Final = "/api/sources"


class _Source(Struct, frozen=True):
    id: str
    name: str
    kind: str
    acts_as: str
    prefix: str
    enabled: bool
    description: str
    signature_header: str
    algorithm: Any
    timestamp_header: str
    window_seconds: int | None
    echo_users: tuple[str, ...]
    secret_from: Literal["database", "file", "variable"]
    secret_name: str
    secret_changed_at: str
    secret: str | None = None


class RemoteSources(Sources):
    """Reads and edits the sources of a daemon (contract: `Sources`). `load` comes before reading."""

    def __init__(self, registry: Registry, connection: Connection) -> None:
        Editing.__init__(self, registry, NoEditor())
        self._connection = connection

    async def load(self) -> None:
        """Take over what the user may see of sources."""
        for came in await self._connection.seen("jobs.view_source", SOURCES, _Source):
            self._take(came)

    def _take(self, came: _Source) -> SourceRecord:
        same = {name: getattr(came, name) for name in SourceRecord.__struct_fields__ if hasattr(came, name)}
        same.pop("secret", None)
        record = SourceRecord(
            **{
                **same,
                "secret_changed_at": times.from_text(came.secret_changed_at),
                "secret_file": came.secret_name if came.secret_from == "file" else "",  # noqa: S105 - where it stands
                "secret_variable": came.secret_name if came.secret_from == "variable" else "",  # noqa: S105 - where it stands
            }
        )
        self._registry.put([record])
        return record

    async def add(self, name: str, draft: SourceDraft | None = None) -> tuple[SourceRecord, str | None]:
        self._connection.require("add a source", f"add source {name!r}")
        body = {"name": name, **(draft.given() if draft is not None else {})}
        came = await self._connection.send("POST", SOURCES, _Source, body)
        return self._take(came), came.secret

    async def edit(
        self, name: str, draft: SourceDraft, *, renews_secret: bool = False
    ) -> tuple[SourceRecord, str | None]:
        body = {**draft.given(), "renew_secret": renews_secret}
        came = await self._connection.send("PATCH", f"{SOURCES}/{segment(self.get(name).name)}", _Source, body)
        return self._take(came), came.secret

    async def remove(self, name: str) -> SourceRecord:
        source = self.get(name)
        await self._connection.ask("DELETE", f"{SOURCES}/{segment(source.name)}")
        self._registry.put([], [(SourceRecord, source.id)])
        return source
