"""How modules import: absolutely, at the top, never from the package root, never only for types."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.house.source_tree import SourceFile, source_files, source_roots

MAY_IMPORT_LATE = "buttonhook.cli"


def root_imports(source_root: Path) -> Iterator[str]:
    """Yield each import, by a module inside a package, of the root of that package."""
    files = list(source_files(source_root))
    modules = {file.module for file in files}
    for file in files:
        root = file.module.partition(".")[0]
        if file.module == root:
            continue
        for node in ast.walk(file.tree()):
            for name in _imports_of_root(node, root, modules):
                yield f"{file.place(node)} imports {name} from the package root; name its own module."


def _imports_of_root(node: ast.AST, root: str, modules: set[str]) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names if alias.name == root)
    elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module == root:
        yield from (a.name for a in node.names if f"{root}.{a.name}" not in modules)


def relative_imports(source_root: Path) -> Iterator[str]:
    for file in source_files(source_root):
        for node in ast.walk(file.tree()):
            if isinstance(node, ast.ImportFrom) and node.level:
                yield f"{file.place(node)} imports relatively; write the full name."


def late_imports(source_root: Path) -> Iterator[str]:
    for file in source_files(source_root):
        if f"{file.module}.".startswith(f"{MAY_IMPORT_LATE}."):
            continue
        for function in ast.walk(file.tree()):
            if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
                for node in ast.walk(function):
                    if isinstance(node, ast.Import | ast.ImportFrom):
                        yield f"{file.place(node)} imports inside a function; import at the top."


def typing_only_imports(source_root: Path) -> Iterator[str]:
    files = list(source_files(source_root))
    roots = {file.module.partition(".")[0] for file in files} | {"buttonhook"}
    for file in files:
        if file.module == "buttonhook":  # nothing inside imports it, and it gives the app to those alone who ask for it
            continue
        for branch in ast.walk(file.tree()):
            if isinstance(branch, ast.If) and "TYPE_CHECKING" in ast.unparse(branch.test):
                yield from _first_party(file, branch, roots)


def _first_party(file: SourceFile, branch: ast.If, roots: set[str]) -> Iterator[str]:
    for node in ast.walk(branch):
        names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom):
            names = [node.module or ""]
        if any(name.partition(".")[0] in roots for name in names):
            yield (
                f"{file.place(node)} imports our own code under TYPE_CHECKING; move what both need to a lower floor."
            )


CHECKS = [root_imports, relative_imports, late_imports, typing_only_imports]


@pytest.mark.parametrize("check", CHECKS)
def test_the_project_imports_as_agreed(check):
    assert [problem for root in source_roots() for problem in check(root)] == []


FAULTS = [
    (root_imports, "import buttonhook"),
    (root_imports, "from buttonhook import JobHookReceiver"),
    (root_imports, "from buttonhook import ids, JobHookReceiver"),
    (relative_imports, "from . import ids"),
    (relative_imports, "from .ids import JobId"),
    (late_imports, "def late():\n    from buttonhook import ids"),
    (late_imports, "class A:\n    async def late(self):\n        import json"),
    (typing_only_imports, "if TYPE_CHECKING:\n    from buttonhook.ids import JobId"),
    (typing_only_imports, "if typing.TYPE_CHECKING:\n    import buttonhook.ids"),
]


def make_package(folder: Path, text: str, module: str = "errors") -> Path:
    package = folder / "buttonhook"
    file = package / f"{module}.py"
    file.parent.mkdir(parents=True)
    (package / "__init__.py").write_text("from buttonhook.ids import JobId", encoding="utf-8")
    (package / "ids.py").write_text("import json", encoding="utf-8")
    file.write_text(text, encoding="utf-8")
    return folder


@pytest.mark.parametrize(("check", "text"), FAULTS)
def test_a_planted_fault_is_found(tmp_path: Path, check, text: str):
    problems = list(check(make_package(tmp_path, text)))
    assert len(problems) == 1
    assert "buttonhook.errors" in problems[0]


@pytest.mark.parametrize("check", CHECKS)
def test_good_imports_pass(tmp_path: Path, check):
    text = "import json\nfrom buttonhook import ids\nfrom buttonhook.ids import JobId\n"
    assert list(check(make_package(tmp_path, text))) == []


def test_only_the_command_line_may_import_inside_functions(tmp_path: Path):
    text = "def serve():\n    from buttonhook import ids"
    assert list(late_imports(make_package(tmp_path, text, module="cli/main"))) == []
