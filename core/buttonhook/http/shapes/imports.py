"""Imports: the records that come in, and what came of them."""

from typing import Annotated, Any

from msgspec import UNSET, Meta, UnsetType

from buttonhook.errors import ImportFault
from buttonhook.http.shapes.base import Input, Shape
from buttonhook.imports.readers import BadLine, Record
from buttonhook.imports.reports import ImportedRequest, ImportSummary

LineNumber = Annotated[int, Meta(ge=0, le=2**53)]


class RecordInput(Input):
    """One record of a file, or with a `problem` why it could not be read."""

    line: LineNumber
    value: Any = UNSET
    place: LineNumber = 0
    """Which record it is, of formats whose lines are not records."""
    problem: Annotated[str, Meta(max_length=10_000)] | UnsetType = UNSET
    request_id: Annotated[str, Meta(max_length=1000)] | None = None
    """With a problem: of the request that the record says it is part of."""
    is_end: bool = False
    """With a problem: what follows could not be read."""

    def record(self, source: str, size: int) -> Record | BadLine:
        if self.problem is not UNSET:
            return BadLine(ImportFault(source, self.line, self.problem), self.request_id, self.is_end)
        return Record(self.line, None if self.value is UNSET else self.value, size, self.place)


class ImportedShape(Shape):
    """A transaction that is durable, or was recorded before (`skipped`)."""

    request_id: str
    line_first: int
    line_last: int
    changes: int
    skipped: bool
    unchanged: int
    change_ids: tuple[tuple[int, int], ...]
    """Of its changes: first and last of each run of them."""

    @classmethod
    def of(cls, item: ImportedRequest) -> "ImportedShape":
        return cls(**{name: getattr(item, name) for name in cls.__struct_fields__})


class ImportFaultShape(Shape):
    line: int
    problem: str

    @classmethod
    def of(cls, fault: ImportFault) -> "ImportFaultShape":
        return cls(line=fault.line, problem=fault.problem)


class ImportSummaryShape(Shape):
    """What an import came to. `stopped`: it ended at a fault, and what came behind that was not used."""

    lines: int
    requests: int
    requests_skipped: int
    created: int
    updated: int
    deleted: int
    unchanged: int
    faults: int
    stopped: bool
    seconds: float

    @classmethod
    def of(cls, summary: ImportSummary) -> "ImportSummaryShape":
        return cls(**{name: getattr(summary, name) for name in cls.__struct_fields__})


class ImportLine(Shape):
    """One line of the answer: a transaction or a fault, in order of lines; last of all the summary."""

    request: ImportedShape | UnsetType = UNSET
    fault: ImportFaultShape | UnsetType = UNSET
    summary: ImportSummaryShape | UnsetType = UNSET
