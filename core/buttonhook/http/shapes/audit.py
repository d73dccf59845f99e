"""Audit entries: what no change tells of."""

from buttonhook import times
from buttonhook.http.shapes.base import Shape
from buttonhook.ids import AuditKind
from buttonhook.people import AuditEntry


class AuditShape(Shape):
    id: int
    time: str
    kind: AuditKind
    user_name: str
    """Who it was, or said to be."""
    address: str
    what: str
    request_id: str

    @classmethod
    def of(cls, record: AuditEntry) -> "AuditShape":
        return cls(
            id=record.id,
            time=times.to_text(record.time),
            kind=record.kind,
            user_name=record.user_name,
            address=record.address,
            what=record.what,
            request_id=record.request_id,
        )
