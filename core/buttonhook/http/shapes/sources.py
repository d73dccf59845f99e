"""Sources, and what a webhook is answered. No secret is in any of them but in the answer that made it."""

from typing import Annotated, Literal

from msgspec import UNSET, Meta, UnsetType

from buttonhook import times
from buttonhook.http.shapes.base import Input, Shape
from buttonhook.ids import ObjectChangeAction
from buttonhook.intake import Outcome, Receipt
from buttonhook.people import SourceRecord
from buttonhook.records import ChangeRecord
from buttonhook.sources import SourceDraft
from buttonhook.webhooks import Algorithm

SourceName = Annotated[str, Meta(min_length=1, max_length=50, examples=["nautobot"])]
Kind = Annotated[str, Meta(min_length=1, max_length=100, examples=["nautobot"])]
Text = Annotated[str, Meta(max_length=1000)]
Window = Annotated[int, Meta(ge=1, le=31_536_000)]


class SourceShape(Shape):
    id: str
    name: str
    """Stands in the address that its webhooks are sent to."""
    kind: str
    """Which reader reads its bodies."""
    is_kind_installed: bool
    acts_as: str
    """The user whose permissions limit what it may write."""
    prefix: str
    """Goes before its object types, as in `nautobot_dcim.device`."""
    enabled: bool
    description: str
    signature_header: str
    algorithm: Algorithm
    timestamp_header: str
    """The header with the time that is signed with the body; empty: none is."""
    window_seconds: int | None
    """How far a webhook's time may be from ours; null: 300 s for a signed header, any for a time in the body."""
    echo_users: list[str]
    """Users over there that are jobs of ours: what they change counts as made by a job hook's job."""
    secret_from: Literal["database", "file", "variable"]
    """Where its secret stands."""
    secret_name: str
    """The file or the variable, where it is one."""
    secret_changed_at: str

    @classmethod
    def of(cls, record: SourceRecord, kinds: frozenset[str]) -> "SourceShape":
        """`kinds`: those that are installed."""
        return cls(
            id=record.id,
            name=record.name,
            kind=record.kind,
            is_kind_installed=record.kind in kinds,
            acts_as=record.acts_as,
            prefix=record.prefix,
            enabled=record.enabled,
            description=record.description,
            signature_header=record.signature_header,
            algorithm=record.algorithm,
            timestamp_header=record.timestamp_header,
            window_seconds=record.window_seconds,
            echo_users=list(record.echo_users),
            secret_from="file" if record.secret_file else "variable" if record.secret_variable else "database",
            secret_name=record.secret_file or record.secret_variable,
            secret_changed_at=times.to_text(record.secret_changed_at),
        )


class SecretSourceShape(SourceShape):
    secret: str | None
    """The secret, where one was made. It is shown this once."""

    @classmethod
    def with_secret(cls, source: SourceShape, secret: str | None) -> "SecretSourceShape":
        return cls(**{name: getattr(source, name) for name in SourceShape.__struct_fields__}, secret=secret)


class SourceChange(Input):
    """What is not given stays as it is, or for a new one follows its kind."""

    kind: Kind | UnsetType = UNSET
    acts_as: Annotated[str, Meta(min_length=1, max_length=255, examples=["ann"])] | UnsetType = UNSET
    """Unset for a new one: who asks."""
    prefix: Annotated[str, Meta(max_length=50, examples=["nautobot"])] | UnsetType = UNSET
    """Unset for a new one: its name. Empty: its object types go by their own names."""
    enabled: bool | UnsetType = UNSET
    description: Text | UnsetType = UNSET
    signature_header: Annotated[str, Meta(max_length=100, examples=["X-Hook-Signature"])] | UnsetType = UNSET
    algorithm: Algorithm | UnsetType = UNSET
    timestamp_header: Annotated[str, Meta(max_length=100)] | UnsetType = UNSET
    window_seconds: Window | UnsetType | None = UNSET
    echo_users: list[str] | UnsetType = UNSET
    secret_file: Text | UnsetType = UNSET
    """A file of the daemon's machine that holds the secret; only owners name one."""
    secret_variable: Annotated[str, Meta(max_length=100)] | UnsetType = UNSET
    """A variable of the daemon's environment that holds the secret; only owners name one."""

    def draft(self) -> SourceDraft:
        fields = {name: getattr(self, name) for name in SourceDraft.__struct_fields__}
        if self.echo_users is not UNSET:
            fields["echo_users"] = tuple(self.echo_users)
        return SourceDraft(**fields)


class SourceInput(SourceChange, kw_only=True):
    name: SourceName
    """Small letters, digits, `-` and `_`. It never changes."""


class SourceEdit(SourceChange):
    renew_secret: bool = False
    """Make another secret; the one before works no more."""


class TakenChange(Shape):
    """A change that a webhook was recorded as."""

    id: int
    action: ObjectChangeAction
    object_type: str
    object_pk: str

    @classmethod
    def of(cls, record: ChangeRecord) -> "TakenChange":
        return cls(id=record.id, action=record.action, object_type=record.object_type, object_pk=record.object_pk)


class ReceiptShape(Shape):
    outcome: Outcome
    """`recorded`; `unchanged`: it tells what is known; `repeated`: this very delivery was taken before, nothing was
    written; `late`: newer states are known; `ignored`: it tells of no object."""
    late: int
    """How many of its objects were passed over, for newer states of them are known."""
    changes: list[TakenChange]

    @classmethod
    def of(cls, receipt: Receipt) -> "ReceiptShape":
        changes = [TakenChange.of(each) for each in receipt.changes]
        return cls(outcome=receipt.outcome, late=receipt.late, changes=changes)
