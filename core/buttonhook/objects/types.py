"""Object types: a name, the struct that views its documents (or none, for free documents), its constraints.

A struct is a view on the stored document, never its replacement: validation reads the document through the
struct, fills in the defaults that are missing, and keeps every key the struct does not know.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple, cast

import msgspec
from msgspec import Struct

from buttonhook import documents
from buttonhook.documents import fill_missing
from buttonhook.errors import BadObjectType, ButtonhookError, Fault, InvalidDocument, TypeNotInstalled
from buttonhook.objects.keys import check_object_type, join_fields
from buttonhook.objects.references import Reference

RESERVED_ATTRIBUTES: Final = frozenset(
    {"delete", "document", "invalid", "object_type", "objects", "pk", "refresh", "save", "version"}
)
UniqueFields = tuple[str, ...]
_STEP = re.compile(r"\.([^.\[]+)|\[(\d+)\]|\[\.\.\.\]")


class Upgrade(Struct, frozen=True):
    """A plugin's way to bring documents of earlier versions up to date; `call` gives None for what is not its own."""

    plugin: str
    call: Callable[[str, dict[str, Any]], Any]


class Reading(NamedTuple):
    """What became of a stored document: the struct's view, or none and the `faults` that forbid one.

    `document` is what was read: as stored, or with `is_mended` as a plugin brought it up to date.
    """

    view: Struct | None
    document: dict[str, Any]
    faults: tuple[Fault, ...] = ()
    is_mended: bool = False


class ObjectType:
    """One declared type. `unique`, `natural_key` and `references` hold document keys, not attribute names.

    With `is_installed` false nobody declares it any more, but objects of it are stored: they can be read and deleted.
    """

    __slots__ = (
        *(
            "_decoder",
            "_field_keys",
            "is_indexed",
            "is_installed",
            "name",
            "natural_key",
            "plugin",
            "references",
            "struct",
            "unique",
        ),
        "upgrades",
    )

    def __init__(
        self,
        name: str,
        struct: type[msgspec.Struct] | None = None,
        unique: Iterable[UniqueFields] = (),
        natural_key: UniqueFields = (),
        plugin: str = "",
        references: Mapping[str, Reference] | None = None,
    ) -> None:
        self.name = check_object_type(name)
        self.references = dict(references or {})
        self.struct = struct
        self.unique = tuple(unique)
        self.is_indexed = bool(self.unique or self.references)
        """Whether it has unique fields or references."""
        self.natural_key = natural_key
        self.plugin = plugin
        self.upgrades: Sequence[Upgrade] = ()
        self.is_installed = True
        self._decoder: msgspec.json.Decoder[Any] | None = None
        self._field_keys = frozenset(() if struct is None else struct.__struct_encode_fields__)

    def __repr__(self) -> str:
        return f"ObjectType({self.name!r})"

    @property
    def is_free(self) -> bool:
        return self.struct is None

    @property
    def field_names(self) -> tuple[str, ...]:
        """The document keys of its fields; a free type has none."""
        return () if self.struct is None else self.struct.__struct_encode_fields__

    def validate(self, document: dict[str, Any], subject: str, fill: bool = True) -> dict[str, Any]:
        """Return the document as it is to be stored, with the type's missing defaults when `fill` is set.

        Raises:
            InvalidDocument: with the path of the field the type refuses.
            TypeNotInstalled: nobody can tell what the type accepts.
        """
        if not self.is_installed:
            raise TypeNotInstalled(self.name, subject)
        if self.struct is None:
            return document
        try:
            view = msgspec.convert(document, self.struct, str_keys=True)
        except (Exception, SystemExit) as exc:  # a struct's own code may raise anything
            raise InvalidDocument(subject, [to_fault(exc)]) from exc
        if not fill or self._field_keys <= document.keys():
            return document
        return fill_missing(document, shown(view))

    def view(self, text: str) -> Struct | None:
        """The struct's view of a stored text, read in one go; None where there is none: `read` tells why."""
        if self.struct is None or not self.is_installed:
            return None
        if self._decoder is None:
            self._decoder = msgspec.json.Decoder(self.struct)
        try:
            return cast(Struct, self._decoder.decode(text))
        except (Exception, SystemExit):  # noqa: BLE001 - a struct's own code may raise anything
            return None

    def read(self, document: dict[str, Any], *, mends: bool = True) -> Reading:
        """View a stored document; never fails. What the struct refuses is brought up to date by a plugin, if one can.

        With `mends` false no plugin is asked.
        """
        if not self.is_installed:
            return Reading(None, document, (Fault("", f"object type {self.name} is not installed"),))
        if self.struct is None:
            return Reading(None, document)
        try:
            return Reading(msgspec.convert(document, self.struct, str_keys=True), document)
        except (Exception, SystemExit) as exc:  # noqa: BLE001 - a struct's own code may raise anything
            faults = [to_fault(exc)]
        for upgrade in self.upgrades if mends else ():
            try:
                given = upgrade.call(self.name, documents.copied(document))
                if given is None:
                    continue
                return Reading(self._view_upgraded(given), given, is_mended=True)
            except (Exception, SystemExit) as exc:  # noqa: BLE001 - a plugin's code may raise anything; who reads is told
                faults.append(Fault("", f"plugin {upgrade.plugin!r} could not bring it up to date: {_told(exc)}"))
        return Reading(None, document, tuple(faults))

    def _view_upgraded(self, given: Any) -> Struct:
        """The struct's view of what a plugin made; it must be a document that could be stored."""
        if not isinstance(given, dict):
            raise TypeError(f"buttonhook_upgrade_object gave {type(given).__name__}, not a dict")
        documents.check(given, "what it gave")
        view: Struct = msgspec.convert(given, self.struct, str_keys=True)
        return view

    def faults(self, document: dict[str, Any]) -> tuple[Fault, ...]:
        """Why the type does not accept a document as it stands; empty when it does."""
        return self.read(document, mends=False).faults

    def unique_values(self, document: Mapping[str, Any]) -> dict[UniqueFields, tuple[Any, ...]]:
        """The values that must be unique; constraints with an unset or null value are left out."""
        found = {}
        for fields in self.unique:
            values = tuple(document.get(field) for field in fields)
            if None not in values:
                found[fields] = values
        return found

    def targets(self, document: Mapping[str, Any]) -> Iterator[tuple[Reference, str]]:
        """What a document refers to: each reference that is set, with the pk."""
        for reference in self.references.values():
            pk = document.get(reference.field)
            if isinstance(pk, str):
                yield reference, pk

    def unique_key(self, equal: Mapping[str, Any]) -> tuple[str, str] | None:
        """The unique key that these values of top-level fields make up, for an index; None where there is none.

        Only text values count: numbers are equal in ways that an index of stored values does not know.
        """
        for fields in self.unique:
            if set(fields) == set(equal) and all(isinstance(value, str) for value in equal.values()):
                values = tuple(equal[field] for field in fields)
                return join_fields(fields), msgspec.json.encode(values, order="sorted").decode()
        return None

    def natural_values(self, document: Mapping[str, Any]) -> tuple[Any, ...] | None:
        """The values of the natural key, or None where it has none or one is unset."""
        values = tuple(document.get(field) for field in self.natural_key)
        return values if values and None not in values else None

    def document_key(self, attribute: str) -> str:
        """The document's key behind a struct's attribute; other names stand for themselves."""
        if self.struct is not None:
            names = dict(zip(self.struct.__struct_fields__, self.struct.__struct_encode_fields__, strict=True))
            return names.get(attribute, attribute)
        return attribute


def shown(view: msgspec.Struct) -> dict[str, Any]:
    """A struct as JSON values, by its document keys; unset fields are left out."""
    return msgspec.to_builtins(view, builtin_types=None, str_keys=True)  # type: ignore[no-any-return]


def to_fault(exc: BaseException) -> Fault:
    """Turn msgspec's message and path into ours."""
    if isinstance(exc, RecursionError):
        return Fault("", "nested too deep")
    if not isinstance(exc, ValueError | TypeError):  # msgspec's are both; these are no refusal, but a failure
        return Fault("", f"{type(exc).__name__}: {exc}")
    message, _, path = str(exc).rpartition(" - at `$")
    if not message:
        return Fault("", str(exc))
    steps = [step[0] or step[1] or "*" for step in _STEP.findall(path.rstrip("`"))]
    return Fault(".".join(steps), message[0].lower() + message[1:] if message.startswith("Expected") else message)


def _told(exc: BaseException) -> str:
    """What to tell of an exception that a plugin caused."""
    if isinstance(exc, msgspec.ValidationError | RecursionError):
        return f"what it gave does not fit: {to_fault(exc)}"
    return str(exc) if isinstance(exc, ButtonhookError) else f"{type(exc).__name__}: {exc}"


def resolve_fields(
    name: str, struct: type[msgspec.Struct], keyword: str, given: Iterable[str | Iterable[str]]
) -> tuple[UniqueFields, ...]:
    """Read `unique=("name", ("rack", "position"))` into document keys, refusing fields that do not exist."""
    names = dict(zip(struct.__struct_fields__, struct.__struct_encode_fields__, strict=True))
    result = []
    for entry in (given,) if isinstance(given, str) else given:
        fields = (entry,) if isinstance(entry, str) else tuple(entry)
        for field in fields:
            if field not in names:
                raise BadObjectType(
                    name, f"says {keyword}={field!r}, which is no field", f"Fields: {', '.join(names)}."
                )
        result.append(tuple(names[field] for field in fields))
    return tuple(result)
