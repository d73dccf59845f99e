"""The two forms in which people hold an object: a struct of their own type, or a free document.

Both are views on the stored JSON text. `save()` works out what the holder changed since the object was loaded
and sends that alone; keys the view does not know keep their values at every depth.
"""

import difflib
from collections.abc import Awaitable, Iterable, Iterator, Mapping
from typing import Any, ClassVar, Self, TypeVar, cast

import msgspec

from buttonhook import documents
from buttonhook.documents import ABSENT
from buttonhook.errors import BadObjectType, Fault, InvalidDocument, NotLoaded, ObjectNotFound, OutdatedDocument
from buttonhook.ids import new_uuid7
from buttonhook.objects.keys import check_object_type, check_pk, object_repr, subject
from buttonhook.objects.query import Objects
from buttonhook.objects.references import Declared, RefField, resolve_references, take_annotations
from buttonhook.objects.session import ObjectState, Session, Write, as_awaitable, current_session, require_session
from buttonhook.objects.types import RESERVED_ATTRIBUTES, ObjectType, resolve_fields, shown, to_fault
from buttonhook.records import StoredObject

T = TypeVar("T")


class HeldObject:
    """What both forms share: key, version, `save`, `delete`, `refresh`."""

    object_type: str
    _state: ObjectState

    def _current(self, stored: dict[str, Any]) -> dict[str, Any]:
        """The document as the holder wants it, given the one it was loaded from."""
        raise NotImplementedError

    def _show(self, document: dict[str, Any]) -> None:
        """Make this instance show `document`."""
        raise NotImplementedError

    @property
    def pk(self) -> str | None:
        """The key within the type; given by the store on the first save unless it was chosen."""
        return self._state.pk

    @property
    def version(self) -> int | None:
        """The id of the object's last change, as of when it was loaded or saved; None before the first save."""
        return self._state.version

    @property
    def document(self) -> dict[str, Any]:
        """The document as it would be saved now, with the keys the struct does not know."""
        return self._current(self._base())

    def save(self) -> Awaitable[Self]:
        """Write what changed since this instance was loaded; all of it when it is new.

        Durable on return outside a transaction block. A save that changes nothing writes nothing.

        Raises:
            InvalidDocument, UniqueViolation, StaleObject, ObjectExists: nothing was written.
        """
        what = f"save() of {self._name()}"
        session = require_session(self._state, what)
        return as_awaitable(session.perform(self._save, what, "await obj.save()"))

    def delete(self) -> Awaitable[None]:
        """Delete the object. Deleting one that is gone already raises ObjectNotFound."""
        what = f"delete() of {self._name()}"
        session = require_session(self._state, what)
        return as_awaitable(session.perform(self._delete, what, "await obj.delete()"))

    def refresh(self) -> Awaitable[Self]:
        """Load the object's present state into this instance; unsaved changes are lost."""
        what = f"refresh() of {self._name()}"
        session = require_session(self._state, what)
        return as_awaitable(session.perform(self._refresh, what, "await obj.refresh()"))

    def _base(self) -> dict[str, Any]:
        """The document this instance was made from: as stored, or as a plugin mended it; empty for a new one."""
        state = self._state
        text = state.mended or state.text
        return {} if text is None else documents.decode(text)

    def _accept(self) -> None:
        """What this instance holds was committed: nothing to do unless it remembers faults."""

    async def _save(self) -> Self:
        state = self._state
        session = require_session(state, "save()")
        if state.version is None:
            pk = check_pk(new_uuid7() if state.pk is None else state.pk)
            write = Write(kind="create", object_type=self.object_type, pk=pk, document=self._current({}))
        else:
            write = self._update()
        await session.write(write, self)
        return self

    def _follow(self, stored: StoredObject, seen: dict[str, Any]) -> None:
        """Show a row that others changed too; what was set here since the write stays set."""
        self._show(documents.overlay(documents.decode(stored.document), seen, self._current(seen)))

    def _update(self) -> Write:
        state = self._state
        stored: dict[str, Any] = documents.decode(state.text or "{}")
        wanted = self._current(self._base() if state.mended else stored)
        changes = {
            key: (stored.get(key, ABSENT), wanted.get(key, ABSENT))
            for key in {**wanted, **stored}
            if not documents.same(stored.get(key, ABSENT), wanted.get(key, ABSENT))
        }
        return Write(
            kind="update", object_type=self.object_type, pk=state.pk or "", changes=changes, version=state.version
        )

    async def _delete(self) -> None:
        state = self._state
        if state.pk is None or state.version is None:
            raise NotLoaded(f"delete() of {self._name()}", "needs an object that was saved")
        await require_session(state, "delete()").write(
            Write(kind="delete", object_type=self.object_type, pk=state.pk), self
        )

    async def _refresh(self) -> Self:
        state = self._state
        if state.pk is None:
            raise NotLoaded(f"refresh() of {self._name()}", "needs an object that was saved")
        stored = await require_session(state, "refresh()").read_object(self.object_type, state.pk)
        if stored is None:
            raise ObjectNotFound(self.object_type, repr(state.pk))
        self._take_from(require_session(state, "refresh()").build(stored), stored)
        return self

    def _take_from(self, fresh: Any, stored: StoredObject) -> None:
        """Show what `fresh`, another instance of the same row, shows."""
        self._show(fresh._base())
        self._state.take(stored)
        self._state.mended = fresh._state.mended

    def _name(self) -> str:
        return f"{self.object_type} {self._state.pk or '(new)'}"

    def __str__(self) -> str:
        return object_repr(self._plain(), self.object_type, self._state.pk or "(new)")

    def _plain(self) -> dict[str, Any]:
        """The naming fields, cheaply."""
        return {key: getattr(self, key, None) for key in ("display", "name", "model")}


class TrackedMeta(msgspec.StructMeta):
    """Reads the class keywords `object_type`, `unique`, `natural_key` and `on_delete`; takes `pk=` for an instance."""

    __references__: dict[str, Declared]
    """By attribute, those of base classes included."""
    __on_delete__: dict[str, str]

    def __new__(  # noqa: PLR0913 - each is a class keyword
        mcs,
        name: str,
        bases: tuple[type, ...],
        namespace: dict[str, Any],
        *,
        object_type: str | None = None,
        unique: Iterable[str | Iterable[str]] = (),
        natural_key: str | Iterable[str] = (),
        on_delete: Mapping[str, str] | None = None,
        **options: Any,
    ) -> Any:
        own = RESERVED_ATTRIBUTES.intersection(namespace.get("__annotations__", {}))
        if own and "_show" not in namespace:
            raise BadObjectType(
                object_type or name,
                f"declares a field {sorted(own)[0]!r}, which is an attribute of every object",
                f'Name it otherwise and keep its key: {sorted(own)[0]}_: ... = field(name="{sorted(own)[0]}").',
            )
        declared = take_annotations(name, object_type, namespace)
        cls = cast(Any, super().__new__(mcs, name, bases, namespace, **options))
        for field, each in declared.items():
            setattr(cls, field, RefField(field, each.target, object_type or name, cls.__dict__[field]))
        inherited = {k: v for base in reversed(bases) for k, v in getattr(base, "__references__", {}).items()}
        replaced = namespace.get("__annotations__", {})
        cls.__references__ = {**{k: v for k, v in inherited.items() if k not in replaced}, **declared}
        return cls

    def __init__(  # noqa: PLR0913 - as above
        cls,  # noqa: N805 - the instance of a metaclass is a class
        name: str,
        bases: tuple[type, ...],
        namespace: dict[str, Any],
        *,
        object_type: str | None = None,
        unique: Iterable[str | Iterable[str]] = (),
        natural_key: str | Iterable[str] = (),
        on_delete: Mapping[str, str] | None = None,
        **_options: Any,
    ) -> None:
        super().__init__(name, bases, namespace)
        inherited = {k: v for base in reversed(bases) for k, v in getattr(base, "__on_delete__", {}).items()}
        words = cls.__on_delete__ = {**inherited, **(on_delete or {})}
        if object_type is None:
            return
        check_object_type(object_type)
        struct = cast(type[msgspec.Struct], cls)
        natural = resolve_fields(object_type, struct, "natural_key", [natural_key] if natural_key else ())
        constraints = resolve_fields(object_type, struct, "unique", unique)
        keys = dict(zip(struct.__struct_fields__, struct.__struct_encode_fields__, strict=True))
        references = resolve_references(object_type, cls.__references__, keys, words)
        natural_fields = natural[0] if natural else ()
        cls.__object_type__ = ObjectType(object_type, struct, constraints, natural_fields, references=references)
        cls.object_type = object_type

    def __call__(cls, *args: Any, pk: str | None = None, **fields: Any) -> Any:  # noqa: N805 - as above
        instance = super().__call__(*args, **fields)
        for name in cls.__references__:
            getattr(cls, name).settle(instance)
        instance.__dict__["_state"] = ObjectState(pk, current_session.get(), None, None)
        return instance


class _ObjectsOfClass:
    """`Device.objects`: queries in the current job's or block's session."""

    def __get__(self, instance: object, owner: type[T]) -> Objects[T]:
        session = current_session.get()
        if session is None:
            raise NotLoaded(f"{owner.__name__}.objects", "needs a job or a transaction around it; use app.objects(...)")
        return cast(Objects[T], session.objects(owner))


class TrackedObject(msgspec.Struct, HeldObject, metaclass=TrackedMeta, dict=True):
    """The base of struct object types.

    `class Device(TrackedObject, object_type="dcim.device", unique=("name", ("rack", "position")), natural_key="name")`.
    Fields with a default are written; fields typed `X | UnsetType = UNSET` are not until they are set.
    """

    __object_type__: ClassVar[ObjectType]
    objects: ClassVar[_ObjectsOfClass] = _ObjectsOfClass()
    invalid: ClassVar[tuple[Fault, ...]] = ()

    def _current(self, stored: dict[str, Any]) -> dict[str, Any]:
        try:
            wanted = shown(self)
        except (TypeError, ValueError, RecursionError) as exc:
            raise InvalidDocument(subject(self.object_type, self.pk), [to_fault(exc)]) from exc
        if not stored:
            return wanted
        base = shown(msgspec.convert(stored, type(self), str_keys=True))
        return cast(dict[str, Any], documents.overlay(stored, base, wanted))

    def _show(self, document: dict[str, Any]) -> None:
        try:
            view = msgspec.convert(document, type(self), str_keys=True)
        except msgspec.ValidationError as exc:
            raise OutdatedDocument(self.object_type, self.pk or "", (to_fault(exc),)) from exc
        for field in self.__struct_fields__:
            msgspec.Struct.__setattr__(self, field, getattr(view, field))

    def __setattr__(self, name: str, value: Any) -> None:
        if name not in self.__struct_fields__:
            raise AttributeError(_no_field(type(self).__name__, name, self.__struct_fields__, "set"))
        super().__setattr__(name, value)

    def __str__(self) -> str:
        return HeldObject.__str__(self)


class FreeObject(HeldObject):
    """An object without a struct: any JSON object under a declared type.

    Keys are attributes (`obj.serial`) or items (`obj["version"]`, for keys that are also attributes of ours).
    `invalid` tells why the type's plugin does not accept the document; it is empty for a free type.
    """

    __slots__ = ("_document", "_state", "invalid", "object_type")

    invalid: tuple[Fault, ...]
    _document: dict[str, Any]

    def __init__(
        self,
        object_type: str,
        document: dict[str, Any] | None = None,
        *,
        pk: str | None = None,
        invalid: tuple[Fault, ...] = (),
    ) -> None:
        put = object.__setattr__
        put(self, "object_type", object_type)
        put(self, "_document", dict(document or {}))
        put(self, "invalid", invalid)
        put(self, "_state", ObjectState(pk, current_session.get(), None, None))

    def _current(self, stored: dict[str, Any]) -> dict[str, Any]:
        return cast(dict[str, Any], documents.copied(self._document))

    def _show(self, document: dict[str, Any]) -> None:
        object.__setattr__(self, "_document", document)

    def _take_from(self, fresh: Any, stored: StoredObject) -> None:
        super()._take_from(fresh, stored)
        object.__setattr__(self, "invalid", fresh.invalid)

    def _accept(self) -> None:
        object.__setattr__(self, "invalid", ())

    def _plain(self) -> dict[str, Any]:
        return self._document

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        try:
            return self._document[name]
        except KeyError:
            raise AttributeError(_no_field(self.object_type, name, self._document, "get")) from None

    def __setattr__(self, name: str, value: Any) -> None:
        if name in RESERVED_ATTRIBUTES:
            raise AttributeError(
                f"{name!r} is an attribute of every object. For a key of that name write obj[{name!r}]"
            )
        self._document[name] = value

    def __getitem__(self, key: str) -> Any:
        return self._document[key]

    def __setitem__(self, key: str, value: Any) -> None:
        self._document[key] = value

    def __delitem__(self, key: str) -> None:
        del self._document[key]

    def __contains__(self, key: object) -> bool:
        return key in self._document

    def __iter__(self) -> Iterator[str]:
        return iter(self._document)

    def get(self, key: str, default: Any = None) -> Any:
        """The value of a key, or `default`."""
        return self._document.get(key, default)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, FreeObject):
            return NotImplemented
        return (self.object_type, self._state.pk) == (other.object_type, other._state.pk) and documents.same(
            self._document, other._document
        )

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"FreeObject({self.object_type!r}, pk={self._state.pk!r}, {self._document!r})"


AnyObject = TrackedObject | FreeObject


def build(type_: ObjectType, stored: StoredObject, session: Session | None, *, mends: bool = True) -> AnyObject:
    """Make an instance of a stored row: the type's struct, or a free document.

    Never fails on old data: what the struct refuses is brought up to date by a plugin, or becomes a free document whose
    `invalid` holds the reasons. With `mends` false no plugin is asked.
    """
    state = ObjectState(stored.pk, session, stored.document, stored.version)
    view = type_.view(stored.document)
    if view is not None:
        held = cast(TrackedObject, view)
        held.__dict__["_state"] = state
        return held
    reading = type_.read(documents.decode(stored.document), mends=mends)
    if reading.view is None:
        free = FreeObject(stored.object_type, reading.document, invalid=reading.faults)
        object.__setattr__(free, "_state", state)
        return free
    if reading.is_mended:
        state.mended = documents.encode(reading.document)
    held = cast(TrackedObject, reading.view)
    held.__dict__["_state"] = state
    return held


def _no_field(owner: str, name: str, known: Iterable[str], verb: str) -> str:
    near = difflib.get_close_matches(name, list(known), n=1, cutoff=0.7)
    return f"{owner} has no field {name!r} to {verb}." + (f" Did you mean {near[0]!r}?" if near else "")
