"""References: a field typed `Ref[Location]` holds the pk of another object.

msgspec is given such a field as plain text, so that reading, writing and comparing documents know nothing of it; a
descriptor over the struct's member shows the text as a `Ref`. That the object exists is judged when a transaction is
committed, not here.
"""

import asyncio
import inspect
import re
import sys
import types
import typing
from collections.abc import Awaitable, Iterable, Mapping
from typing import Annotated, Any, Final, Generic, Literal, NamedTuple, TypeVar, cast

import msgspec
from msgspec import UNSET, UnsetType

from buttonhook.errors import BadObjectType, Fault, InvalidDocument, NoSession, NotLoaded, ObjectNotFound, UsageError
from buttonhook.objects.keys import MAX_PK_LENGTH, check_object_type, subject
from buttonhook.objects.session import ObjectState, Session, as_awaitable, current_session

T = TypeVar("T")

OnDelete = Literal["protect", "clear", "cascade"]
ON_DELETE: Final = ("protect", "clear", "cascade")
PkText = Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_PK_LENGTH)]
_NOTHING: Final = (None, type(None), UnsetType)


class Target(NamedTuple):
    """Says by name what an untyped `Ref` points at."""

    object_type: str


def target(object_type: str) -> Target:
    """Name the type behind a `Ref` that no class of yours stands for: `Annotated[Ref[Any], target("acme.rack")]`."""
    return Target(check_object_type(object_type))


class Reference(NamedTuple):
    """One reference field of a type: its key in the document, the type it points at, what becomes of it on a delete."""

    field: str
    target: str
    on_delete: OnDelete = "protect"
    takes_null: bool = False


class Ref(Generic[T]):
    """The pk of another object, and the way to it.

    `await device.location.get()` loads the object; in a plain `def` `device.location.name` loads it and reads its
    attribute. A `Ref` equals its pk, another `Ref` to the same object, and the object.
    """

    __slots__ = ("_field", "_object_type", "_session", "pk")

    pk: str
    _object_type: str
    _field: str
    _session: Session | None

    def __init__(self, to: "str | T | Ref[T]") -> None:
        self._object_type, self._field, self._session = "", "", None
        if isinstance(to, str):
            self.pk = to
        elif isinstance(to, Ref):
            self.pk, self._object_type, self._session = to.pk, to._object_type, to._session
        else:
            pk = as_pk(to, "", "Ref")
            if not isinstance(pk, str):
                raise UsageError(f"Ref() takes a pk or a saved object, not {to!r}.")
            self.pk, self._object_type = pk, cast(Any, to).object_type

    def get(self) -> Awaitable[T]:
        """Load the object that is referred to.

        Raises:
            ObjectNotFound: there is none; only before a commit, or where the rule was declared later than the data.
        """
        if not self._object_type:
            raise NotLoaded(f"get() of Ref({self.pk!r})", "needs a Ref that was read from a field")
        session = self._session or current_session.get()
        what = f"get() of {subject(self._object_type, self.pk)}"
        if session is None:
            raise NoSession(what)
        return as_awaitable(session.perform(lambda: self._load(session), what, f"await {self._name()}.get()"))

    async def _load(self, session: Session) -> Any:
        stored = await session.read_object(self._object_type, self.pk)
        if stored is None:
            raise ObjectNotFound(self._object_type, repr(self.pk))
        return session.build(stored)

    def _name(self) -> str:
        return f"obj.{self._field}" if self._field else f"Ref({self.pk!r})"

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return getattr(cast(Any, self.get()), name)
        raise UsageError(
            f"{self._name()}.{name} reads another object, for which an async function must wait. "
            f"Write: (await {self._name()}.get()).{name}"
        )

    def __eq__(self, other: object) -> bool:
        if isinstance(other, str):
            return self.pk == other
        if isinstance(other, Ref):
            types_ = {self._object_type, other._object_type} - {""}
            return self.pk == other.pk and len(types_) < 2
        if _state_of(other) is not None:
            held = cast(Any, other)
            return bool(self.pk == held.pk and self._object_type in ("", held.object_type))
        return NotImplemented

    def __hash__(self) -> int:
        return hash(self.pk)

    def __str__(self) -> str:
        return self.pk

    def __repr__(self) -> str:
        return f"Ref({self.pk!r})"


def _state_of(value: object) -> ObjectState | None:
    """What an object knows of its row; None for what is no object."""
    state = None if isinstance(value, type) else getattr(value, "_state", None)
    return state if isinstance(state, ObjectState) else None


def as_pk(value: Any, object_type: str, where: str) -> Any:
    """The text to store for a `Ref` or a saved object; other values stand for themselves and are judged by `save()`.

    Raises:
        InvalidDocument: it is an object of another type, or one that was never saved.
    """
    other: str
    pk: str | None
    if isinstance(value, Ref):
        other, pk = value._object_type, value.pk
    elif (state := _state_of(value)) is not None:
        other, pk = value.object_type, state.pk if state.version is not None else None
    else:
        return value
    if object_type and other and other != object_type:
        problem = f"takes a {object_type}, not {subject(other, pk)}"
        raise InvalidDocument(where, [Fault("", problem)])
    if pk is None:
        raise InvalidDocument(where, [Fault("", f"takes a {other} that was saved. Save it first, or give its pk")])
    return pk


def plain_value(value: Any) -> Any:
    """A value to compare with: the pk for a `Ref` or an object, also within a list."""
    if isinstance(value, list | tuple | set | frozenset):
        return [plain_value(each) for each in value]
    if isinstance(value, Ref) or _state_of(value) is not None:
        return as_pk(value, "", "a filter")
    return value


class RefField:
    """Stands over a struct's member: the text within, a `Ref` outside."""

    __slots__ = ("_member", "_where", "name", "target")

    def __init__(self, name: str, target_type: str, owner: str, member: Any) -> None:
        self.name, self.target = name, target_type
        self._where, self._member = f"{owner} {name}", member

    def __get__(self, instance: Any, owner: type[Any] | None = None) -> Any:
        if instance is None:
            return self
        value = self._member.__get__(instance, owner)
        if not isinstance(value, str):
            return value
        made: Ref[Any] = Ref(value)
        made._object_type, made._field = self.target, self.name
        state = instance.__dict__.get("_state")
        made._session = None if state is None else state.session
        return made

    def __set__(self, instance: Any, value: Any) -> None:
        self._member.__set__(instance, as_pk(value, self.target, self._where))

    def settle(self, instance: Any) -> None:
        """Store what the constructor was given as text."""
        self.__set__(instance, self._member.__get__(instance))


class Declared(NamedTuple):
    """One reference as a class declares it."""

    target: str
    takes_null: bool
    takes_unset: bool


_MENTION = re.compile(r"\bRef\b")


def take_annotations(owner: str, object_type: str | None, namespace: dict[str, Any]) -> dict[str, Declared]:
    """The references among the fields of a class that is being made; their annotations become those of plain text.

    Raises:
        BadObjectType: a `Ref` stands where it cannot, or points at nothing known.
    """
    annotations = namespace.get("__annotations__", {})
    found: dict[str, Declared] = {}
    for name, annotation in list(annotations.items()):
        if not _mentions(annotation, set()):
            continue
        resolved = _resolve(owner, name, annotation, namespace, object_type)
        found[name], annotations[name] = _read(object_type or owner, name, resolved, object_type)
    return found


def _mentions(annotation: Any, seen: set[Any]) -> bool:
    """Whether `Ref` stands anywhere in an annotation, also within the structs it names."""
    if isinstance(annotation, str):
        return _MENTION.search(annotation) is not None
    origin = typing.get_origin(annotation)
    if annotation is Ref or origin is Ref:
        return True
    if isinstance(annotation, type) and issubclass(annotation, msgspec.Struct) and annotation not in seen:
        seen.add(annotation)
        bases = [base for base in annotation.__mro__ if issubclass(base, msgspec.Struct)]
        if any(_mentions(each, seen) for base in bases for each in inspect.get_annotations(base).values()):
            return True
    return origin is not Literal and any(_mentions(each, seen) for each in typing.get_args(annotation))


def _resolve(owner: str, name: str, annotation: Any, namespace: Mapping[str, Any], object_type: str | None) -> Any:
    """An annotation without names that are still text; the class's own name stands for a type of that name."""
    module = sys.modules.get(namespace.get("__module__", ""))
    own = type(owner, (), {"__object_type__": None})
    holder = types.SimpleNamespace(__annotations__={name: annotation})
    try:
        hints = typing.get_type_hints(holder, getattr(module, "__dict__", {}), {owner: own}, include_extras=True)
    except NameError as exc:
        raise BadObjectType(
            object_type or owner,
            f"refers by {name!r} to something that is not known here ({exc})",
            "Declare that class above this one, at the top of its module, or write: "
            'Annotated[Ref[Any], target("app.model")].',
        ) from exc
    return hints[name]


def _read(owner: str, name: str, annotation: Any, own_type: str | None) -> tuple[Declared, Any]:
    """What a field's annotation declares, and the annotation that msgspec is given in its place."""
    marks: list[Any] = []
    outer = _unwrap(annotation, marks)
    is_union = typing.get_origin(outer) in (typing.Union, types.UnionType)
    members = typing.get_args(outer) if is_union else (outer,)
    rest = tuple(each for each in members if each in _NOTHING)
    refs = [each for each in members if each not in _NOTHING]
    inner = _unwrap(refs[0], marks) if refs else None
    if len(refs) != 1 or not (inner is Ref or typing.get_origin(inner) is Ref):
        raise BadObjectType(
            owner,
            f"has a Ref within field {name!r} ({annotation})",
            "A Ref is a field of its own, alone or with None and UnsetType: "
            "location: Ref[Location] | UnsetType | None = UNSET.",
        )
    declared = Declared(
        _target(owner, name, typing.get_args(inner), marks, own_type), type(None) in rest, UnsetType in rest
    )
    return declared, typing.Union[(PkText, *rest)]


def _unwrap(annotation: Any, marks: list[Any]) -> Any:
    if typing.get_origin(annotation) is not Annotated:
        return annotation
    marks.extend(annotation.__metadata__)
    return annotation.__origin__


def _target(owner: str, name: str, args: tuple[Any, ...], marks: list[Any], own_type: str | None) -> str:
    """The object type that a `Ref` points at."""
    named = next((each for each in marks if isinstance(each, Target)), None)
    if named is not None:
        return named.object_type
    known = getattr(args[0], "__object_type__", UNSET) if args else UNSET
    found = own_type if known is None else getattr(known, "name", None)
    if found is None:
        raise BadObjectType(
            owner,
            f"refers by {name!r} to no object type",
            'Write Ref[Location] with a class that has an object_type, or Annotated[Ref[Any], target("app.model")].',
        )
    return str(found)


def resolve_references(
    object_type: str, declared: Mapping[str, Declared], keys: Mapping[str, str], on_delete: Mapping[str, str]
) -> dict[str, Reference]:
    """The references of a type by their document keys, with what becomes of each on a delete.

    Raises:
        BadObjectType: `on_delete` names no reference, no known word, or clears what cannot be empty.
    """
    for name, word in on_delete.items():
        if name not in declared:
            known = f"References: {', '.join(declared)}." if declared else "It has no references."
            raise BadObjectType(object_type, f"says on_delete for {name!r}, which is no reference", known)
        if word not in ON_DELETE:
            problem = f"says on_delete={{{name!r}: {word!r}}}"
            raise BadObjectType(object_type, problem, f"The words are: {', '.join(ON_DELETE)}.")
        if word == "clear" and not (declared[name].takes_null or declared[name].takes_unset):
            raise BadObjectType(
                object_type,
                f"clears {name!r} on delete, which cannot be empty",
                f"Let it be empty ({name}: Ref[...] | None = None), or say protect or cascade.",
            )
    return {
        keys[name]: Reference(keys[name], each.target, cast(OnDelete, on_delete.get(name, "protect")), each.takes_null)
        for name, each in declared.items()
    }


def kept_form(references: Mapping[str, Reference]) -> tuple[str, ...]:
    """The references of a type as the record of what the index covers keeps them."""
    return tuple(sorted(f"{each.field}>{each.target}" for each in references.values()))


def kept_references(kept: Iterable[str]) -> dict[str, Reference]:
    """What `kept_form` kept. What becomes of them on a delete is not known, so they protect."""
    parts = [each.rpartition(">") for each in kept]
    return {field: Reference(field, target_type) for field, _, target_type in parts}
