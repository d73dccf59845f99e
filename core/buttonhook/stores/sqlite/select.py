"""Questions to SQL: filters on any path of a document, order, keyset.

Values are always bound; paths are bound too. A comparison looks only at values of its own JSON kind, so text never
equals a number and true never equals 1. The operators mean the same in every store.
"""

from typing import Any, Final

from buttonhook import documents
from buttonhook.errors import QueryError
from buttonhook.records import Condition, ObjectQuery
from buttonhook.stores.sqlite import rows as columns

NUMBER_KINDS: Final = "('integer', 'real')"
_COMPARE: Final = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<="}
_OBJECT: Final = ", ".join(columns.OBJECT_COLUMNS)

_MAX_PLACE: Final = 1_000_000_000
_MAX_WAYS: Final = 16

Sql = tuple[str, list[Any]]


STORED_TYPES: Final = (
    "WITH RECURSIVE stored (name) AS (SELECT min(object_type) FROM object UNION ALL SELECT "
    "(SELECT min(object_type) FROM object WHERE object_type > stored.name) FROM stored WHERE stored.name IS NOT NULL) "
    "SELECT name FROM stored WHERE name IS NOT NULL"
)
"""Steps from one type to the next along the primary key; SELECT DISTINCT would read every object."""


def objects_sql(query: ObjectQuery) -> Sql:
    """Rows of the object columns, then the values of the order's paths."""
    keys = [_order_value(path) for path, _ in query.order]
    where, values = _where(query)
    after, after_values = _after(query, keys)
    selected = "".join(f", {sql}" for sql, _ in keys)
    order = "".join(
        f"{sql} {'DESC' if descending else 'ASC'}, "
        for (sql, _), (_, descending) in zip(keys, query.order, strict=True)
    )
    text = f"SELECT {_OBJECT}{selected} FROM object WHERE {where}{after} ORDER BY {order}pk"
    bound = [value for _, bound in keys for value in bound]
    result = [*bound, *values, *after_values, *bound]
    if query.limit is not None:
        text += " LIMIT ?"
        result.append(query.limit)
    return text, result


def count_sql(query: ObjectQuery) -> Sql:
    where, values = _where(query)
    if query.limit is None:
        return f"SELECT count(*) FROM object WHERE {where}", values
    return f"SELECT count(*) FROM (SELECT 1 FROM object WHERE {where} LIMIT ?)", [*values, query.limit]


def _where(query: ObjectQuery) -> Sql:
    parts, values = ["object_type = ?"], [query.object_type]
    for condition in query.conditions:
        sql, bound = condition_sql(condition) if condition.crossing is None else _crossed(query.object_type, condition)
        parts.append(f"({sql})")
        values.extend(bound)
    if query.unique is not None:
        parts.append("pk IN (SELECT pk FROM object_unique WHERE object_type = ? AND fields = ? AND value = ?)")
        values.extend([query.object_type, *query.unique])
    return " AND ".join(parts), values


def _crossed(object_type: str, condition: Condition) -> Sql:
    """A condition on the object that a field refers to, found from that object's side.

    What holds for an absent value holds also where the field refers to nothing: it is asked the other way round.
    """
    crossing, operator, value = condition.crossing, condition.operator, condition.value
    assert crossing is not None  # noqa: S101 - told by the caller
    if value is None and operator in ("=", "ne"):
        operator, value = "isnull", operator == "="
    is_negated = operator == "ne" or (operator == "isnull" and value is True)
    if is_negated:
        operator, value = ("=", value) if operator == "ne" else ("isnull", False)
    plain = Condition(condition.path, operator, value)
    held = "FROM object_reference AS held WHERE held.target_type = ? AND held.object_type = ? AND held.field = ?"
    bound = [crossing.target, object_type, crossing.field]
    if condition.path == ("pk",):
        sql, values = condition_sql(plain, pk="held.target_pk")
        text = f"SELECT held.pk {held} AND ({sql})"
    else:
        sql, values = condition_sql(plain, row="target.", pk="target.pk")
        text, values = f"target.object_type = ? AND ({sql})", [crossing.target, *values]
        if crossing.unique is not None:
            text += (
                " AND target.pk IN (SELECT pk FROM object_unique WHERE object_type = ? AND fields = ? AND value = ?)"
            )
            values.extend([crossing.target, *crossing.unique])
        text = f"SELECT held.pk FROM object AS target CROSS JOIN {held[5:]} AND held.target_pk = target.pk AND {text}"
    return f"pk {'NOT ' if is_negated else ''}IN ({text})", [*bound, *values]


def condition_sql(condition: Condition, row: str = "", pk: str = "pk") -> Sql:  # noqa: C901, PLR0911 - one an operator
    """One filter row as SQL that is true, false or null; `row` qualifies the columns, `pk` is that of the key."""
    operator, value = condition.operator, condition.value
    field = _Field(condition.path, row, pk)
    if operator == "=":
        return field.equals(value)
    if operator == "ne":
        sql, values = field.equals(value)
        return f"({sql}) IS NOT TRUE", values
    if operator == "isnull":
        if not isinstance(value, bool):
            raise _bad(condition, "takes true or false")
        return field.is_null() if value else _negate(field.is_null())
    if operator == "in":
        if not isinstance(value, list | tuple | set | frozenset):
            raise _bad(condition, "takes a list")
        if field.is_pk and value and all(isinstance(member, str) for member in value):
            return f"{pk} IN ({', '.join('?' * len(value))})", list(value)
        options = [field.equals(member) for member in value]
        if not options:
            return "0", []
        return " OR ".join(f"({sql})" for sql, _ in options), [bound for _, values in options for bound in values]
    if operator in _COMPARE:
        if isinstance(value, bool) or not isinstance(value, int | float | str):
            raise _bad(condition, "compares with a number or text")
        return field.compare(_COMPARE[operator], value)
    if operator == "contains" and not isinstance(value, str):
        return field.has_member(value)
    if not isinstance(value, str):
        raise _bad(condition, "takes text")
    return field.matches(operator, value)


class _Field:
    """SQL for one path: its value and its JSON kind, with what they bind."""

    def __init__(self, path: tuple[str, ...], row: str = "", pk: str = "pk") -> None:
        self.path = documents.join_path(path)
        self.is_pk = path == ("pk",)
        self.bound: list[Any] = [] if self.is_pk else json_paths(path)
        self.value = pk if self.is_pk else self._at_any(f"{row}document ->> ?")
        self.kind = "'text'" if self.is_pk else self._at_any(f"json_type({row}document, ?)")
        self.text = self._at_any(f"{row}document -> ?")

    def _at_any(self, sql: str) -> str:
        """At most one of the paths leads anywhere."""
        return sql if len(self.bound) < 2 else f"coalesce({', '.join([sql] * len(self.bound))})"

    def is_null(self) -> Sql:
        return f"coalesce({self.kind}, 'null') = 'null'", list(self.bound)

    def equals(self, value: Any) -> Sql:
        if value is None:
            return self.is_null()
        if isinstance(value, bool):
            return f"{self.kind} = ?", [*self.bound, "true" if value else "false"]
        if isinstance(value, str | int | float):
            return self.compare("=", value)
        if self.is_pk:
            return "0", []
        return f"{self.kind} IN ('array', 'object') AND buttonhook_same({self.text}, ?)", [
            *self.bound,
            *self.bound,
            documents.encode(value),
        ]

    def compare(self, sign: str, value: int | float | str) -> Sql:
        if isinstance(value, str):
            return f"{self.value} {sign} ? AND {self.kind} = 'text'", [*self.bound, value, *self.bound]
        self._check_number(value)
        return f"{self.value} {sign} ? AND {self.kind} IN {NUMBER_KINDS}", [*self.bound, value, *self.bound]

    def _check_number(self, value: int | float) -> None:
        if isinstance(value, int) and not -(2**63) <= value < 2**63:
            raise QueryError(self.path, "compares with a whole number beyond 64 bit", "Filter by another field.")

    def has_member(self, value: Any, *, any_case: bool = False) -> Sql:
        if self.is_pk:
            return "0", []
        test: str
        bound: list[Any]
        if isinstance(value, bool):
            test, bound = "member.type = ?", ["true" if value else "false"]
        elif value is None:
            test, bound = "member.type = 'null'", []
        elif isinstance(value, int | float):
            self._check_number(value)
            test, bound = f"member.value = ? AND member.type IN {NUMBER_KINDS}", [value]
        elif isinstance(value, str):
            equal = "lower(member.value) = lower(?)" if any_case else "member.value = ?"
            test, bound = f"{equal} AND member.type = 'text'", [value]
        else:
            test, bound = (
                "member.type IN ('array', 'object') AND buttonhook_same(member.value, ?)",
                [documents.encode(value)],
            )
        sql = f"{self.kind} = 'array' AND EXISTS (SELECT 1 FROM json_each({self.text}) AS member WHERE {test})"
        return sql, [*self.bound, *self.bound, *bound]

    def matches(self, operator: str, value: str) -> Sql:
        tests = {
            "contains": "instr({value}, ?)",
            "icontains": "instr(lower({value}), lower(?))",
            "startswith": "substr({value}, 1, length(?)) = ?",
            "istartswith": "lower(substr({value}, 1, length(?))) = lower(?)",
            "endswith": "? = '' OR substr({value}, -length(?)) = ?",
        }
        if operator not in tests:
            raise QueryError(f"{self.path}__{operator}", "has an unknown operator")
        count = tests[operator].count("?")
        test = tests[operator].format(value=self.value)
        # the path is bound where {value} stands: before, between or after the compared text
        lead = tests[operator].split("{value}")[0].count("?")
        bound = [value] * lead + self.bound + [value] * (count - lead)
        sql, values = f"{self.kind} = 'text' AND ({test})", [*self.bound, *bound]
        if operator not in ("contains", "icontains"):
            return sql, values
        member_sql, member_values = self.has_member(value, any_case=operator == "icontains")
        return f"({sql}) OR ({member_sql})", [*values, *member_values]


def json_paths(path: tuple[str, ...]) -> list[Any]:
    """A path in SQLite's notation; a number is a place in a list or a key, so each makes two paths of one."""
    found = ["$"]
    for step in path:
        if '"' in step:
            raise QueryError(documents.join_path(path), "holds a quotation mark, which cannot be filtered by")
        ways = [f'."{documents.encode(step)[1:-1]}"']
        if step.isdecimal() and int(step) < _MAX_PLACE:
            ways.append(f"[{int(step)}]")
        found = [f"{each}{way}" for way in ways for each in found]
        if len(found) > _MAX_WAYS:
            raise QueryError(documents.join_path(path), "holds too many numbers")
    return found


def _order_value(path: tuple[str, ...]) -> Sql:
    field = _Field(path)
    return field.value, field.bound


def _after(query: ObjectQuery, keys: list[Sql]) -> Sql:
    """Rows behind the keyset: later in the first key, or equal in it and later in the rest."""
    if query.after is None:
        return "", []
    *given, pk = query.after
    if len(given) != len(keys):
        raise QueryError("after", "is a cursor of another order", "Begin again without a cursor.")
    text, values = "pk > ?", [pk]
    for (sql, bound), (_, descending), value in reversed(list(zip(keys, query.order, given, strict=True))):
        if value is None:
            later, later_values = ("0", []) if descending else (f"{sql} IS NOT NULL", list(bound))
        elif descending:
            later, later_values = f"({sql} < ? OR {sql} IS NULL)", [*bound, value, *bound]
        else:
            later, later_values = f"{sql} > ?", [*bound, value]
        text = f"({later} OR ({sql} IS ? AND {text}))"
        values = [*later_values, *bound, value, *values]
    return f" AND {text}", values


def _negate(part: Sql) -> Sql:
    return f"NOT ({part[0]})", part[1]


def _bad(condition: Condition, problem: str) -> QueryError:
    return QueryError(f"{documents.join_path(condition.path)}__{condition.operator}", problem)
