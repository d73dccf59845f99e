"""What is public is documented as it is: hookspecs, Meta options, settings, operators, errors, words."""

import ast
import inspect
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest

from buttonhook import errors, hookspecs
from buttonhook.configuration import OVERRIDABLE
from buttonhook.ids import JobResultStatus, LogLevel, ObjectChangeAction
from buttonhook.objects.query import QUERY_OPERATORS
from buttonhook.people import SourceRecord
from buttonhook.receivers.meta import JobMeta
from buttonhook.records import ChangeRecord, Job, JobButton, JobHook, JobLogEntry, JobResult
from buttonhook.settings import PREFIX, Settings

ROOT = Path(__file__).resolve().parent.parent.parent
DOCS = ROOT / "core" / "docs"
HOOKSPECS: Final = {
    name: function for name, function in vars(hookspecs).items() if hasattr(function, f"{hookspecs.PROJECT}_spec")
}


def page(name: str) -> str:
    return (DOCS / name).read_text(encoding="utf-8")


def signature_of(function: Callable[..., Any]) -> str:
    """The signature as it stands in the source."""
    source = ast.parse(inspect.getsource(function))
    definition = source.body[0]
    assert isinstance(definition, ast.FunctionDef)
    returns = f" -> {ast.unparse(definition.returns)}" if definition.returns is not None else ""
    return f"def {definition.name}({ast.unparse(definition.args)}){returns}"


def rows_of(text: str) -> Iterator[list[str]]:
    """The rows of a page's tables."""
    for line in text.splitlines():
        if line.startswith("| "):
            yield [cell.strip() for cell in line.strip().strip("|").split("|")]


# --- hookspecs ------------------------------------------------------------------------------------


def test_there_are_hookspecs():
    assert set(HOOKSPECS) == {name for name in vars(hookspecs) if name.startswith("buttonhook_")}
    assert HOOKSPECS


@pytest.mark.parametrize("name", HOOKSPECS)
def test_a_hookspec_has_a_docstring_of_one_line(name: str):
    text = inspect.getdoc(HOOKSPECS[name]) or ""
    assert text.endswith(".")
    assert "\n" not in text


@pytest.mark.parametrize("name", HOOKSPECS)
def test_a_hookspec_is_documented_with_its_exact_signature_and_an_example(name: str):
    text = page("plugins.md")
    assert f"### `{name}`" in text
    section = text.partition(f"### `{name}`")[2].partition("\n#")[0]
    assert f"```python signature\n{signature_of(HOOKSPECS[name])}: ...\n```" in section
    assert "@hookimpl" in text.partition(f"### `{name}`")[2].partition("\n### ")[0]


def test_no_hookspec_is_documented_that_does_not_exist():
    assert set(re.findall(r"^### `(buttonhook_\w+)`$", page("plugins.md"), re.MULTILINE)) == set(HOOKSPECS)


@pytest.mark.parametrize("name", HOOKSPECS)
def test_a_hookspec_is_used_by_a_shipped_plugin_or_tried_by_a_test(name: str):
    files = [*ROOT.glob("plugins/*/src/**/*.py"), *ROOT.glob("tests/**/*.py")]
    uses = [path for path in files if path != Path(__file__) and f"def {name}(" in path.read_text(encoding="utf-8")]
    assert uses


# --- Meta -----------------------------------------------------------------------------------------


def meta_rows() -> dict[str, list[str]]:
    return {cells[0].strip("`"): cells for cells in rows_of(page("meta.md")) if cells[0].startswith("`")}


def test_every_meta_option_is_documented_once():
    listed = [cells[0].strip("`") for cells in rows_of(page("meta.md")) if cells[0].startswith("`")]
    assert sorted(listed) == sorted(JobMeta.__struct_fields__)


@pytest.mark.parametrize("field", msgspec.structs.fields(JobMeta), ids=lambda field: field.name)
def test_a_meta_option_is_documented_with_its_true_default(field: msgspec.structs.FieldInfo):
    told = meta_rows()[field.name][2]
    if field.name == "actions":
        assert told == "all three"
        assert set(field.default) == set(ObjectChangeAction)
    elif isinstance(field.default, LogLevel):
        assert told == f"`{field.default.name}`"
    else:
        assert ast.literal_eval(told.strip("`")) == (list(field.default) if field.default == () else field.default)


SHOWN_ONLY: Final = {"description", "grouping", "hidden"}
"""Nothing asks for these but what shows them, commands and API, which is all they are for."""
ASKED = re.compile(r"\b(?:meta|_?options|options\([^()]*\))\.(\w+)")
"""A place that asks for an option: of the class, or as its job overrides it."""


def asked_for() -> set[str]:
    package = ROOT / "core" / "buttonhook"
    source = "".join(path.read_text(encoding="utf-8") for path in package.rglob("*.py") if path.parent.name != "cli")
    return set(ASKED.findall(source)) & set(JobMeta.__struct_fields__)


def test_an_option_is_told_to_be_in_force_exactly_when_the_code_asks_for_it():
    in_force, _, rest = page("meta.md").partition("## Read, checked, and not yet in force")
    told = {cells[0].strip("`") for cells in rows_of(in_force) if cells[0].startswith("`")}
    asked = asked_for() - SHOWN_ONLY
    assert told - SHOWN_ONLY == asked, "move the option to the other table of meta.md, and tell what it does"
    not_yet = rest.partition("\n## ")[0]
    assert {cells[0].strip("`") for cells in rows_of(not_yet) if cells[0].startswith("`")} == (
        set(JobMeta.__struct_fields__) - told
    )


def test_the_options_that_can_be_overridden_are_told():
    text = page("meta.md").partition("These can be overridden: ")[2].partition(".")[0]
    assert tuple(re.findall(r"`(\w+)`", text)) == OVERRIDABLE


# --- settings, operators, errors, words -----------------------------------------------------------


def test_every_setting_is_documented_with_its_variable_and_its_true_default():
    told = {
        cells[0].strip("`"): (cells[1].strip("`"), ast.literal_eval(cells[3].strip("`")))
        for cells in rows_of(page("settings.md"))
        if cells[0].startswith("`")
    }
    expected = {
        field.name: (f"{PREFIX}{field.name.upper()}", field.default) for field in msgspec.structs.fields(Settings)
    }
    assert told == {**expected, "plugins": (f"{PREFIX}PLUGINS__NAME__FIELD", {})}


def test_every_operator_is_documented():
    text = page("object-types.md").partition("| operator | matches |")[2]
    told = [word for cells in rows_of(text) for word in re.findall(r"`([^`]+)`", cells[0])]
    assert sorted(told) == sorted(QUERY_OPERATORS)


def test_the_closed_words_are_in_the_glossary():
    text = page("words.md")
    for words in (JobResultStatus, ObjectChangeAction):
        assert [word.value for word in words if f"`{word.value}`" not in text] == []
    assert [level for level in LogLevel if f"`{level.word}` ({level.value})" not in text] == []


@pytest.mark.parametrize(
    ("name", "struct", "left_out"),
    [
        ("change", ChangeRecord, set()),
        ("result", JobResult, {"chain"}),
        ("log entry", JobLogEntry, {"number", "id"}),
        ("job hook", JobHook, set()),
        ("job button", JobButton, set()),
        ("job", Job, set()),
        ("source", SourceRecord, {"secret"}),
    ],
)
def test_the_json_of_a_record_is_documented_with_all_its_fields(name: str, struct: Any, left_out: set[str]):
    row = next(cells for cells in rows_of(page("command-line.md")) if cells[0] == name)
    told = set(re.findall(r"`(\w+)`", row[1])) - ({"meta"} if name == "job" else set())
    assert told == set(struct.__struct_fields__) - left_out


def error_classes() -> dict[str, type[errors.ButtonhookError]]:
    return {
        name: cls
        for name, cls in vars(errors).items()
        if isinstance(cls, type) and issubclass(cls, errors.ButtonhookError)
    }


def drawn_tree() -> dict[str, str | None]:
    """Each class of the drawing with the one it hangs on."""
    parents: list[str] = []
    tree: dict[str, str | None] = {}
    for line in (errors.__doc__ or "").splitlines():
        found = re.match(r"    ((?:[│ ]   )*)(?:[├└]── )?(\w+)", line)
        if found is None or found[2] not in error_classes():
            continue
        depth = 0 if found[2] == "ButtonhookError" else len(found[1]) // 4 + 1
        parents[depth:] = [found[2]]
        tree[found[2]] = parents[depth - 1] if depth else None
    return tree


def test_every_error_hangs_where_the_tree_draws_it():
    actual = {
        name: None if cls is errors.ButtonhookError else cls.__bases__[0].__name__
        for name, cls in error_classes().items()
    }
    assert drawn_tree() == actual


def test_every_error_makes_its_message_from_what_it_keeps():
    sample = errors.DuplicateJob("audit.SerialGuard", "audit", "audit-fork")
    assert (sample.job, sample.first, sample.second) == ("audit.SerialGuard", "audit", "audit-fork")
    assert all(word in str(sample) for word in ("'audit.SerialGuard'", "'audit'", "'audit-fork'"))
