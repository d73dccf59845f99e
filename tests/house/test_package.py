"""The shape of the packages: what the root exports, docstrings, names and sizes of files."""

import ast
import importlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.house.source_tree import CORE, source_files, source_roots

VAGUE_NAMES = {"utils", "util", "helpers", "helper", "common", "manager", "managers", "misc"}
MOST_LINES = 400

# path from the root of the repository -> why this file is longer than the rest
LONG_FILES: dict[str, str] = {}


def export_order(name: str) -> tuple[bool, bool, str]:
    """Sort like ruff's RUF022 does: constants, then classes, then the rest."""
    return (not name.isupper(), not name[:1].isupper(), name)


def silent_packages(source_root: Path) -> Iterator[str]:
    for file in source_files(source_root):
        if file.is_package and not ast.get_docstring(file.tree()):
            yield f"{file.module} has no docstring; say what belongs there and what does not."


def vague_modules(source_root: Path) -> Iterator[str]:
    for file in source_files(source_root):
        if file.module.rpartition(".")[2].strip("_") in VAGUE_NAMES:
            yield f"{file.module} has a name that says nothing; name it for what it does."


def long_files(root: Path, allowed: dict[str, str]) -> Iterator[str]:
    """Yield each file over the limit that is not allowed, and each allowance not needed."""
    lengths = {
        str(file.path.relative_to(root)): len(file.path.read_text(encoding="utf-8").splitlines())
        for source_root in source_roots(root)
        for file in source_files(source_root)
    }
    for path, lines in lengths.items():
        if lines > MOST_LINES and path not in allowed:
            yield f"{path} has {lines} lines; split it, or list it in LONG_FILES with a reason."
    for path in allowed:
        if lengths.get(path, 0) <= MOST_LINES:
            yield f"{path} is listed in LONG_FILES, but is not long (any more); take it off."


@pytest.fixture
def exported() -> list[str]:
    if not (CORE / "buttonhook" / "__init__.py").exists():
        return []
    return list(getattr(importlib.import_module("buttonhook"), "__all__", []))


def test_the_root_exports_its_names_sorted_and_once(exported: list[str]):
    assert exported == sorted(set(exported), key=export_order)


def test_every_exported_name_resolves(exported: list[str]):
    root = importlib.import_module("buttonhook") if exported else None
    assert [name for name in exported if not hasattr(root, name)] == []


def test_every_package_says_what_belongs_in_it():
    assert [problem for root in source_roots() for problem in silent_packages(root)] == []


def test_no_module_has_a_vague_name():
    assert [problem for root in source_roots() for problem in vague_modules(root)] == []


def test_long_files_have_a_reason(root_dir: Path):
    assert list(long_files(root_dir, LONG_FILES)) == []


def write(root: Path, path: str, text: str) -> None:
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")


def test_a_package_without_docstring_is_found(tmp_path: Path):
    write(tmp_path, "acme/__init__.py", '"""What belongs here."""\n')
    write(tmp_path, "acme/stores/__init__.py", "")
    assert [problem.split()[0] for problem in silent_packages(tmp_path)] == ["acme.stores"]


@pytest.mark.parametrize("path", ["acme/utils.py", "acme/_helpers.py", "acme/common/__init__.py"])
def test_a_vague_name_is_found(tmp_path: Path, path: str):
    write(tmp_path, path, "")
    assert len(list(vague_modules(tmp_path))) == 1


def test_a_long_file_is_found_and_an_allowance_ends_with_its_need(tmp_path: Path):
    path = "plugins/acme/src/acme.py"
    write(tmp_path, path, "\n" * (MOST_LINES + 1))
    assert len(list(long_files(tmp_path, {}))) == 1
    assert list(long_files(tmp_path, {path: "one table"})) == []
    write(tmp_path, path, "\n" * MOST_LINES)
    assert list(long_files(tmp_path, {})) == []
    assert len(list(long_files(tmp_path, {path: "one table"}))) == 1


def test_the_export_order_is_the_formatters():
    names = ["LOG_LEVELS", "Job", "JobHookReceiver", "hookimpl", "register_jobs"]
    assert sorted(set(names), key=export_order) == names
