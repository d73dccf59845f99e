"""Two documents side by side: what is told of each kind of value, and that it stays bounded."""

import time
from typing import Any

from buttonhook.http.pages.differences import MOST_FOLDED, MOST_ROWS, Row, compare
from buttonhook.http.pages.text_differences import MOST_LINES, Work, line_hunks, word_pieces


def within(row: Row) -> list[Row]:
    return [each for run in row.runs for each in run.rows]


def members(before: Any, after: Any) -> list[Row]:
    """The rows within one value."""
    (row,) = compare({"v": before}, {"v": after}).rows
    return within(row)


def test_what_differs_comes_first_and_what_does_not_behind_it():
    compared = compare({"a": 1, "b": 2, "gone": True}, {"a": 1, "b": 3, "new": None})
    assert [(each.label, each.fate) for each in compared.rows] == [
        ("b", "changed"),
        ("new", "added"),
        ("gone", "removed"),
        ("a", "same"),
    ]
    assert (compared.differing, compared.count) == (3, 4)


def test_a_created_and_a_deleted_document_are_all_added_and_all_removed():
    assert {each.fate for each in compare(None, {"a": 1, "b": {}}).rows} == {"added"}
    assert {each.fate for each in compare({"a": 1, "b": {}}, None).rows} == {"removed"}


def test_nested_documents_are_compared_at_every_depth():
    (row,) = members({"x": {"y": 1, "z": 2}}, {"x": {"y": 1, "z": 3}})
    assert [(each.label, each.fate) for each in within(row)] == [("z", "changed"), ("y", "same")]


def test_null_is_a_value_and_true_is_not_one():
    assert compare({"a": None}, {}).rows[0].fate == "removed"
    assert compare({"a": True}, {"a": 1}).rows[0].fate == "changed"
    assert compare({"a": 1}, {"a": 1.0}).rows[0].fate == "same"


def test_a_value_that_became_another_kind_stands_whole():
    (row,) = compare({"a": {"b": 1}}, {"a": [1]}).rows
    assert (row.fate, row.runs, row.before, row.after) == ("changed", (), {"b": 1}, [1])


def test_members_of_lists_are_paired_so_a_neighbour_more_is_one_that_was_added():
    rows = members(["a", "b", "c"], ["a", "new", "b", "c"])
    assert [(each.label, each.fate) for each in rows if each.fate != "same"] == [("1", "added")]
    rows = members(["a", "b", "c"], ["a", "c"])
    assert [(each.label, each.fate) for each in rows] == [("0", "same"), ("1", "removed"), ("1", "same")]


def test_a_member_that_was_changed_is_told_by_its_fields():
    before = [{"name": "x", "speed": 1}, {"name": "y", "speed": 1}]
    after = [{"name": "y", "speed": 2}]
    rows = members(before, after)
    assert [each.fate for each in rows] == ["removed", "changed"]
    assert [(each.label, each.fate) for each in within(rows[1])] == [("speed", "changed"), ("name", "same")]


def test_a_list_in_another_order_is_told_as_moved():
    fates = [each.fate for each in members(["a", "b", "c"], ["c", "a", "b"])]
    assert "moved" in fates
    assert set(fates) <= {"moved", "same"}


def test_long_texts_are_compared_by_lines_with_what_is_far_away_folded():
    before = "\n".join(f"line {n}" for n in range(40))
    hunks = line_hunks(before, before.replace("line 20", "line twenty"), Work())
    assert [each.is_folded for each in hunks] == [True, False, True]
    (pair,) = [each for each in hunks[1].pairs if not each.is_same]
    assert (pair.before_number, pair.after_number) == (21, 21)
    assert [each.text for each in pair.before if each.is_marked] == ["20"]


def test_lines_that_came_and_went_stand_on_one_side():
    hunks = line_hunks("a\nb\nc", "a\nc\nd", Work())
    told = [(each.before_number, each.after_number) for hunk in hunks for each in hunk.pairs]
    assert told == [(1, 1), (2, None), (3, 2), (None, 3)]


def test_short_texts_are_marked_by_words_and_others_stand_whole():
    pieces = word_pieces("noc@example.net", "noc-ams@example.net", Work())
    assert pieces is not None
    assert [each.text for each in pieces[1] if each.is_marked] == ["-ams"]
    assert word_pieces("entirely other", "qqqq 1234 zz", Work()) is None


def test_documents_of_any_size_are_compared_soon_and_said_to_be_cut():
    long = {str(n): n for n in range(30_000)}
    text = "\n".join(f"same {n % 3}" for n in range(20_000))
    before = {"fields": long, "list": list(range(30_000)), "text": text, "one": 1}
    after = {"fields": {**long, "0": "x"}, "list": list(range(30_000, 0, -1)), "text": text[::-1], "one": 2}
    began = time.monotonic()
    compared = compare(before, after)
    assert time.monotonic() - began < 3
    assert compared.is_cut
    assert sum(each.differing for each in compared.rows) <= MOST_ROWS
    shown = [pair for each in compared.rows for hunk in each.hunks for pair in hunk.pairs]
    assert 0 < len(shown) <= MOST_LINES
    assert next(each for each in compared.rows if each.label == "one").fate == "changed"


def test_many_texts_share_one_bound():
    before = {str(n): "\n".join(f"{n} {i}" for i in range(300)) for n in range(200)}
    after = {key: "\n".join(reversed(text.split("\n"))) for key, text in before.items()}
    began = time.monotonic()
    assert compare(before, after).is_cut
    assert time.monotonic() - began < 3


def test_a_long_list_with_a_few_changes_is_told_by_those():
    before = [{"name": f"port {n}", "speed": 1} for n in range(1500)]
    after = [{**each, "speed": 2} if n % 100 == 0 else each for n, each in enumerate(before)][3:]
    compared = compare({"ports": before}, {"ports": after})
    assert not compared.is_cut
    (row,) = compared.rows
    assert [each.fate for each in within(row) if each.fate != "same"] == ["removed"] * 3 + ["changed"] * 14
    assert sum(each.is_same and len(each.rows) for each in row.runs) <= MOST_FOLDED
    assert row.count == 1500
