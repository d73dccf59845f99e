"""What can be given: names of permissions and their forms with `*`, constraints, and names of those who get them.

Pure checks of what somebody typed; what is stored is checked once, here, and read without doubt later.
"""

import unicodedata
from collections.abc import Iterable, Sequence
from typing import Final

from buttonhook.conditions import OPERATORS
from buttonhook.documents import encode, split_path
from buttonhook.errors import QueryError, RecordConflict, UsageError
from buttonhook.people import Constraint, PermissionRecord, UserRecord
from buttonhook.receivers.user import ASKER, permission_forms

_ALIKE: Final = frozenset({"LATIN", "CYRILLIC", "GREEK", "ARMENIAN", "CHEROKEE"})
"""Scripts whose letters are taken for one another's."""
_ASKED_BY: Final = ("=", "in", "contains")


def check_look(name: str) -> None:
    """Names of users tell who did what: none may be taken for another.

    Raises:
        RecordConflict: it could be.
    """
    if not unicodedata.is_normalized("NFKC", name):
        raise RecordConflict("user", name, "is not in Unicode form NFKC", "Use plain letters.")
    scripts = {unicodedata.name(each, "").partition(" ")[0] for each in name if each.isalpha()}
    if len(scripts & _ALIKE) > 1:
        raise RecordConflict("user", name, "mixes letters that look alike", f"Use one of {', '.join(sorted(_ALIKE))}.")


def find_twin(name: str, names: Iterable[str]) -> str | None:
    """The one of some names that differs from a name in nothing but case."""
    return next((each for each in names if each.casefold() == name.casefold()), None)


def covers(scopes: Iterable[str], wanted: str) -> bool:
    """Whether every permission of a name, `app.action_model` or a form with `*`, is among some scopes."""
    app, _, rest = wanted.partition(".")
    return bool({wanted, f"{app}.*", f"{app}.{rest.partition('_')[0]}_*"}.intersection(scopes))


def check_permission(name: str) -> str:
    """A name under which a permission can be given: `app.action_model`, `app.action_*`, `app.*`.

    Raises:
        RecordConflict: it is none.
    """
    text = f"{name[:-1]}any" if name.endswith("_*") else f"{name[:-1]}view_any" if name.endswith(".*") else name
    try:
        permission_forms(text)
    except UsageError as exc:
        raise RecordConflict(
            "permission",
            name,
            "is no permission",
            "Write app.action_model, app.action_* or app.*, as dcim.add_device.",
        ) from exc
    return name


def check_constraint(row: Constraint) -> Constraint:
    """Raises: RecordConflict: the path or the operator cannot be."""
    try:
        split_path(row.path)
    except QueryError as exc:
        raise RecordConflict(
            "constraint", row.path, "is no path of a field", "Write it as in location = ams01."
        ) from exc
    if row.operator not in OPERATORS:
        raise RecordConflict(
            "constraint", row.path, f"has an unknown operator {row.operator!r}", f"Known: {', '.join(OPERATORS)}."
        )
    if isinstance(row.value, list) and ASKER in row.value:
        cure = f"Give it once for {ASKER} and once for the others: of two permissions one is enough."
        raise RecordConflict("constraint", row.path, f"holds {ASKER} in a list, where it is plain text", cure)
    if row.value == ASKER and row.operator not in _ASKED_BY:
        problem = f"cannot compare {ASKER} by {row.operator!r}"
        raise RecordConflict("constraint", row.path, problem, f"Names are compared by {', '.join(_ASKED_BY)}.")
    return row


def grant_name(wanted: Sequence[str], whom: Sequence[str], rows: Sequence[Constraint]) -> str:
    """A name for a permission that says what it is: `ann: dcim.view_device where location = ams01`."""
    texts = (each.value if isinstance(each.value, str) else encode(each.value) for each in rows)
    where = " and ".join(f"{each.path} {each.operator} {text}" for each, text in zip(rows, texts, strict=True))
    return f"{', '.join(whom)}: {', '.join(wanted)}{f' where {where}' if where else ''}"[:200]


def is_given(record: PermissionRecord, user: UserRecord) -> bool:
    """Whether a record gives its permissions to a user, by name or through a group."""
    return user.id in record.users or not set(user.groups).isdisjoint(record.groups)
