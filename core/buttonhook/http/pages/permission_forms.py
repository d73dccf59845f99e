"""The form of a permission: the table of what can be given, what was typed, and what that would let whom see."""

from collections.abc import Sequence
from typing import Any, Final

import msgspec
from msgspec import Struct

from buttonhook import documents
from buttonhook.access.access import Access
from buttonhook.errors import ButtonhookError, PermissionDenied, RecordConflict
from buttonhook.grants import check_constraint
from buttonhook.http.reading import Form
from buttonhook.objects.keys import RESERVED_APPS, object_permission, object_repr
from buttonhook.people import Constraint
from buttonhook.permissions import RIGHTS, VIEW
from buttonhook.receivers.user import ASKER, PERMISSION, User, permission_forms
from buttonhook.records import ObjectQuery
from buttonhook.registry import Registry

ACTIONS: Final = ("view", "add", "change", "delete")
MOST_LOOKED_AT: Final = 200
MOST_NAMED: Final = 6
MOST_TYPES: Final = 3
EXAMPLE: Final = '[{"path": "location", "operator": "=", "value": "ams01"}]'


class Wanted(Struct, kw_only=True):
    """A permission as somebody wants it. `text` is what was typed as constraints."""

    name: str = ""
    permissions: list[str] = []
    users: list[str] = []
    groups: list[str] = []
    constraints: list[Constraint] = []
    text: str = ""
    is_disabled: bool = False


class Right(Struct, frozen=True):
    """One box of the table."""

    permission: str
    label: str
    is_given: bool


class RightsRow(Struct, frozen=True):
    """A model with the boxes of its four actions (None where nobody asks for that), and further ones."""

    app: str
    model: str
    boxes: Sequence[Right | None]
    more: Sequence[Right]


class RightsTable(Struct, frozen=True):
    """What can be ticked, and of what is given what no box stands for, as `dcim.*`."""

    objects: Sequence[RightsRow]
    own: Sequence[RightsRow]
    others: Sequence[str]


class Seen(Struct, frozen=True):
    """Of the objects of a type that were looked at, those that a user could see by it."""

    object_type: str
    count: int
    looked_at: int
    is_all: bool
    names: Sequence[str]


class Preview(Struct, frozen=True):
    """Who would get it, and what they could see by it. `asker` is the user for whom `$user` was taken."""

    users: Sequence[str]
    seen: Sequence[Seen]
    asker: str


def rights_table(registry: Registry, given: Sequence[str]) -> RightsTable:
    """All permissions that something asks for: of the object types, and of our own records."""
    chosen = set(given)
    own = {need.permission for needs in RIGHTS.values() for need in needs if need.permission != VIEW}
    models: dict[tuple[str, str], set[str]] = {}
    for name in own:
        app, action, model = _parts(name)
        models.setdefault((app, model), set()).add(action)
    types = [tuple(each.name.split(".", 1)) for each in registry.list_types()]
    objects = [_row(app, model, set(ACTIONS), chosen) for app, model in types if app not in RESERVED_APPS]
    rows = [_row(app, model, actions, chosen) for (app, model), actions in sorted(models.items())]
    boxes = {b.permission for row in (*objects, *rows) for b in (*row.boxes, *row.more) if b is not None}
    return RightsTable(objects, rows, [each for each in given if each not in boxes])


def _parts(permission: str) -> tuple[str, str, str]:
    match = PERMISSION.match(permission)
    assert match is not None  # noqa: S101 - the table of rights is ours
    return match[1], match[2], match[3]


def _row(app: str, model: str, actions: set[str], chosen: set[str]) -> RightsRow:
    def box(action: str) -> Right:
        name = f"{app}.{action}_{model}"
        return Right(name, f"{action} {app}.{model}", name in chosen)

    boxes = [box(action) if action in actions else None for action in ACTIONS]
    return RightsRow(app, model, boxes, [box(action) for action in sorted(actions - set(ACTIONS))])


def read_form(given: Form) -> tuple[Wanted, dict[str, str]]:
    """What was typed, and what is wrong with how it was typed."""
    others = given.get("others").replace(",", " ").split()
    wanted = Wanted(
        name=given.get("name").strip(),
        permissions=list(dict.fromkeys([*given.all("permissions"), *others])),
        users=list(
            dict.fromkeys(each.strip() for each in given.get("users").replace("\n", ",").split(",") if each.strip())
        ),
        groups=given.all("groups"),
        text=given.get("constraints"),
        is_disabled=given.get("is_disabled") == "yes",
    )
    try:
        wanted.constraints = read_constraints(wanted.text)
    except ButtonhookError as exc:
        return wanted, {"constraints": str(exc)}
    return wanted, {}


def read_constraints(text: str) -> list[Constraint]:
    """Raises: ButtonhookError: it is no JSON, or no list of constraints; it says where."""
    if not text.strip():
        return []
    value = documents.parse(text.encode(), "What narrows it")
    rows = value if isinstance(value, list) else [value]
    try:
        made = msgspec.convert(rows, list[Constraint])
    except msgspec.ValidationError as exc:
        problem = "is no list of constraints: " + str(exc).replace("`$`", "the list").replace("`$", "`")
        raise RecordConflict("constraint", "", problem, f"Write it as {EXAMPLE}") from exc
    return [check_constraint(each) for each in made]


# --- what it would come to --------------------------------------------------------------------------


async def preview(access: Access, registry: Registry, wanted: Wanted) -> Preview:
    """Who gets a permission and what they can see by it, of what who asks may see themselves.

    Asked of the first `MOST_LOOKED_AT` objects of a few types, by the judge that holds for everybody.
    """
    people = access.administration
    ids = {each.id for each in people.groups() if each.name in wanted.groups}
    members = [each.name for each in people.users() if not ids.isdisjoint(each.groups)]
    users = list(dict.fromkeys([*wanted.users, *members]))
    uses_asker = any(each.value == ASKER for each in wanted.constraints)
    somebody = users[0] if users else "nobody"
    grants = {each: [tuple(wanted.constraints)] for each in wanted.permissions}
    user = User(somebody, known=True, grants=grants)
    seen: list[Seen] = []
    for type_ in registry.list_types():
        permission = object_permission(type_.name, VIEW)
        if len(seen) < MOST_TYPES and not set(permission_forms(permission)).isdisjoint(grants):
            found = await _seen(access, user, type_.name, permission)
            seen += [] if found is None else [found]
    return Preview(users, seen, somebody if uses_asker else "")


async def _seen(access: Access, user: User, object_type: str, permission: str) -> Seen | None:
    try:
        page = await access.session.fetch(ObjectQuery(object_type=object_type, limit=MOST_LOOKED_AT))
    except PermissionDenied:
        return None
    stored = [each for each, _ in page]
    held = [each for each in stored if user.has_perm(permission, each)]
    names = [_name(each) for each in held[:MOST_NAMED]]
    return Seen(object_type, len(held), len(stored), len(stored) < MOST_LOOKED_AT, names)


def _name(stored: Any) -> str:
    return object_repr(documents.decode(stored.document), stored.object_type, stored.pk)
