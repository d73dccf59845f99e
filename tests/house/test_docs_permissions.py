"""The page on permissions holds: its table is made from the code, its forms and constraints do what it says."""

import json
import re
from pathlib import Path

from buttonhook.conditions import OPERATORS
from buttonhook.grants import check_constraint, check_permission
from buttonhook.people import Constraint
from buttonhook.permissions import RIGHTS
from buttonhook.receivers.user import User
from tests.house.docs_tables import DOCS, MARKED, TABLES, filled

PAGE = (DOCS / "permissions.md").read_text(encoding="utf-8")


def section(heading: str) -> str:
    return PAGE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]


def test_the_tables_of_all_pages_are_as_the_code_makes_them():
    pages = {page.name: page.read_text(encoding="utf-8") for page in DOCS.glob("*.md")}
    assert [name for name, text in pages.items() if filled(text) != text] == [], "run: make docs"
    assert {found[2] for text in pages.values() for found in MARKED.finditer(text)} == set(TABLES)


def test_every_act_stands_in_the_table():
    assert all(f"\n| {act} |" in PAGE for act in RIGHTS)


def test_every_form_of_the_page_can_be_granted_and_gives_what_it_says():
    rows = re.findall(r"^\| `([^`]+)` \| [^|]+ \| `([^`]+)` \| `([^`]+)` \|$", section("Names"), re.MULTILINE)
    assert len(rows) == 3
    for form, given, not_given in rows:
        user = User("bob", known=True, grants={check_permission(form): [()]})
        assert user.has_perm(given)
        assert not user.has_perm(not_given)


def test_every_constraint_of_the_page_can_be_given_and_decides_as_it_says():
    rows = re.findall(r"^\| `([^`]+)` \| [^|]+ \| `([^`]+)` \| `([^`]+)` \|$", section("Constraints"), re.MULTILINE)
    assert len(rows) >= 5
    for text, yes, no in rows:
        path, operator, value = text.split(" ", 2)
        assert operator in OPERATORS
        row = check_constraint(Constraint(path, operator, json.loads(value)))
        user = User("bob", known=True, grants={"dcim.change_device": [(row,)]})
        assert user.has_perm("dcim.change_device", json.loads(yes)), text
        assert not user.has_perm("dcim.change_device", json.loads(no)), text


def test_every_test_that_the_page_names_exists():
    root = Path(__file__).resolve().parent.parent.parent
    for name in re.findall(r"`(tests/[\w/]+\.py)`", PAGE):
        assert (root / name).is_file(), name
