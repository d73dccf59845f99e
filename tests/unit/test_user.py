"""What a user may, against a reference so simple that it can be read; scopes never allow more."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from buttonhook.errors import RecordConflict, UsageError
from buttonhook.grants import check_constraint, covers
from buttonhook.ids import ChangeId, Microseconds, ObjectChangeAction
from buttonhook.people import Constraint, TokenRecord, UserRecord
from buttonhook.receivers.user import User, permission_forms
from buttonhook.records import ChangeRecord, StoredObject

ANN = "ann"
apps, actions, models = ("dcim", "jobs"), ("view", "add"), ("device", "device_type")
names = st.builds("{}.{}_{}".format, *(st.sampled_from(each) for each in (apps, actions, models)))
forms = names.flatmap(
    lambda name: st.sampled_from([name, name.partition("_")[0] + "_*", name.partition(".")[0] + ".*"])
)
values = st.one_of(st.sampled_from(["a", "b", ANN, "", "$user"]), st.integers(0, 3), st.booleans(), st.none())
documents = st.fixed_dictionaries(
    {},
    optional={
        "x": values,
        "y": st.one_of(values, st.lists(values, max_size=3)),
        "z": st.fixed_dictionaries({"x": values}),
    },
)
constraints = st.builds(
    Constraint,
    path=st.sampled_from(["x", "y", "z.x", "y.0", "pk"]),
    operator=st.sampled_from(["=", "in", "contains"]),
    value=st.one_of(st.sampled_from(["a", "b", ANN, "$user"]), st.lists(st.sampled_from(["a", "b"]), max_size=2)),
)
grants = st.dictionaries(
    forms, st.lists(st.lists(constraints, max_size=2).map(tuple), min_size=1, max_size=3), max_size=4
)

narrowing = st.lists(st.lists(constraints, min_size=1, max_size=2).map(tuple), min_size=1, max_size=3)
"""Grants of one permission, each narrowed."""
likely = st.fixed_dictionaries(
    {"x": st.sampled_from(["a", "b", ANN]), "y": st.lists(st.sampled_from(["a", "b", ANN]), max_size=3)}
)
"""Documents that constraints often fit."""


def value_at(pk: str, document: dict[str, Any], path: str) -> Any:
    if path == "pk":
        return pk
    value: Any = document
    for step in path.split("."):
        if isinstance(value, dict):
            value = value.get(step)
        elif isinstance(value, list):
            value = value[int(step)] if step.isdecimal() and int(step) < len(value) else None
        else:
            value = None
    return value


def same(found: Any, wanted: Any) -> bool:
    if isinstance(found, list) or isinstance(wanted, list):
        both = isinstance(found, list) and isinstance(wanted, list)
        return both and {*map(str, found)} == {*map(str, wanted)}
    return isinstance(found, str) and found == wanted


def meets(pk: str, document: dict[str, Any], row: Constraint) -> bool:
    found = value_at(pk, document, row.path)
    if row.value == "$user":
        if row.operator == "contains":
            return isinstance(found, list) and ANN in [each for each in found if isinstance(each, str)]
        return isinstance(found, str) and found == ANN
    if row.operator == "=":
        return found == row.value if row.path == "pk" else same(found, row.value)
    if row.operator == "in":
        options = row.value if isinstance(row.value, list) else [row.value]
        return any(same(found, each) for each in options)
    if isinstance(found, list):
        return not isinstance(row.value, list) and any(each == row.value for each in found if isinstance(each, str))
    return isinstance(found, str) and str(row.value) in found


def may(given: dict[str, Any], name: str, pk: str, document: dict[str, Any] | None) -> bool:
    """The reference: some grant of the name, or of a form of it, whose every row is met."""
    app, rest = name.split(".")
    held = [rows for form in (name, f"{app}.{rest.split('_')[0]}_*", f"{app}.*") for rows in given.get(form, [])]
    if document is None:
        return bool(held)
    return any(all(meets(pk, document, row) for row in rows) for rows in held)


@given(grants, names, st.sampled_from(["a", "b", ANN]), st.none() | documents)
def test_a_user_may_what_a_simple_reference_says(given, name, pk, document):
    user = User(ANN, known=True, grants=given)
    asked = None if document is None else {**document, "pk": pk}
    assert user.has_perm(name, asked) is may(given, name, pk, document)
    if document is not None:
        differs = user.has_perm(name, asked) is not user.has_perm(name)
        assert not differs or user.is_limited(name)


@given(narrowing, st.sampled_from(["a", "b", ANN]), likely)
def test_what_a_grant_is_narrowed_to_is_what_the_reference_says(narrowing, pk, document):
    given = {"dcim.view_device": narrowing}
    user = User(ANN, known=True, grants=given)
    assert user.has_perm("dcim.view_device", {**document, "pk": pk}) is may(given, "dcim.view_device", pk, document)


@given(narrowing, st.sampled_from(["a", ANN]), likely, likely)
def test_of_a_change_both_states_must_be_allowed(narrowing, pk, before, after):
    def change(old: str | None, new: str | None) -> ChangeRecord:
        zero = Microseconds(0)
        return ChangeRecord(
            id=ChangeId(1), time=zero, recorded_at=zero, user_name="x", request_id="r", object_type="dcim.device",
            action=ObjectChangeAction.UPDATE, object_pk=pk, object_repr="", change_context="app",
            change_context_detail="", prechange=old, postchange=new,
        )  # fmt: skip

    name = "dcim.view_device"
    user = User(ANN, known=True, grants={name: narrowing})
    texts = [json.dumps(each) for each in (before, after)]
    alone = [user.has_perm(name, StoredObject("dcim.device", pk, text, 1, "x", Microseconds(0))) for text in texts]
    assert user.has_perm(name, change(*texts)) is all(alone)
    assert [user.has_perm(name, change(texts[0], None)), user.has_perm(name, change(None, texts[1]))] == alone


@given(grants, st.booleans(), st.lists(forms, max_size=4), st.lists(forms, max_size=4), names, st.none() | documents)
def test_a_narrower_scope_never_allows_more(given, is_owner, wide, more, name, document):
    user = User(ANN, known=True, is_owner=is_owner, grants=given)
    narrow, wider = user.scoped(wide), user.scoped([*wide, *more])
    answers = [each.has_perm(name, document) for each in (narrow, wider, user)]
    assert answers == sorted(answers)
    assert not narrow.is_owner
    assert user.scoped(None).has_perm(name, document) is answers[2]


@given(st.lists(forms, max_size=4), forms)
def test_scopes_cover_a_form_only_if_they_cover_every_name_of_it(scopes, wanted):
    def reaches(held: list[str], name: str) -> bool:
        return not set(permission_forms(name)).isdisjoint(held)

    every = [f"{app}.{action}_{model}" for app in apps for action in actions for model in models]
    within = [name for name in every if reaches([wanted], name)]
    if covers(scopes, wanted):
        assert all(reaches(scopes, name) for name in within)
    elif not wanted.endswith("*"):
        assert not reaches(scopes, wanted)


@pytest.mark.parametrize("operator", ["gt", "lte", "startswith", "contains", "=", "in", "of a later version"])
@pytest.mark.parametrize("found", [None, True, [], {}, "text", 10**5000, "9" * 5000, 1e308], ids=lambda _: "found")
@pytest.mark.parametrize("wanted", [None, True, [1], {"a": 1}, 5, "x", "9" * 5000], ids=lambda _: "wanted")
def test_whatever_is_compared_a_constraint_answers_and_never_raises(operator, found, wanted):
    user = User(ANN, known=True, grants={"dcim.view_device": [(Constraint("x", operator, wanted),)]})
    assert user.has_perm("dcim.view_device", {"x": found}) in (True, False)


@pytest.mark.parametrize(
    ("row", "met", "not_met"),
    [
        (Constraint("x", "=", "$user"), {"x": "1e1"}, {"x": "10"}),
        (Constraint("x", "=", "$user"), {"x": "1e1"}, {"x": 10}),
        (Constraint("x", "contains", "$user"), {"x": ["1e1"]}, {"x": "a1e1"}),
        (Constraint("x", "contains", "$user"), {"x": [{"name": "1e1"}]}, {"x": ["10"]}),
        (Constraint("pk", "=", "1e1"), {"pk": "1e1"}, {"pk": "10"}),
        (Constraint("pk", "in", ["1e1"]), {"pk": "1e1"}, {"pk": "010"}),
        (Constraint("pk", "=", "a"), {"pk": "a"}, {"x": "no pk at all"}),
    ],
)
def test_names_and_keys_are_text_also_where_they_look_like_numbers(row, met, not_met):
    user = User("1e1", known=True, grants={"dcim.view_device": [(row,)]})
    assert user.has_perm("dcim.view_device", met)
    assert not user.has_perm("dcim.view_device", not_met)


def test_no_constraint_can_ask_for_a_secret():
    held = {"users.view_user": [(Constraint("password_hash", "startswith", "$argon2id"),)]}
    user = User(ANN, known=True, grants={**held, "users.view_token": [(Constraint("hash", "startswith", ""),)]})
    token = TokenRecord(id="1", name="bh_1", user="bob", hash="abc", created_at=Microseconds(0))
    assert not user.has_perm("users.view_user", UserRecord(id="b", name="b", password_hash="$argon2id$v=19$"))
    assert not user.has_perm("users.view_token", token)


@pytest.mark.parametrize(
    "name", ["", "dcim", "dcim.device", "dcim.view_*", "dcim.*", "dcim.View_device", None, 5, "a.b_c "]
)
def test_a_malformed_name_is_told_with_the_right_form(name):
    for user in (User("nobody"), User(ANN, known=True, is_owner=True)):
        with pytest.raises(UsageError, match=r"is no permission. Write app.action_model"):
            user.has_perm(name)


@pytest.mark.parametrize("operator", ["startswith", "endswith", "gt"])
def test_the_asker_is_compared_as_a_whole_name(operator):
    with pytest.raises(RecordConflict, match=r"cannot compare \$user by"):
        check_constraint(Constraint("x", operator, "$user"))
