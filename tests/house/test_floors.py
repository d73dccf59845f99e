"""The floors of pyproject.toml hold: import-linter finds every contract kept."""

import subprocess
import sys
from pathlib import Path

LINTER = Path(sys.executable).parent / "lint-imports"


def run_import_linter(folder: Path, source_root: Path) -> subprocess.CompletedProcess[str]:
    command = [str(LINTER), "--no-logo", "--no-cache", "--config", str(folder / "pyproject.toml")]
    return subprocess.run(
        command,
        cwd=folder,
        env={"PYTHONPATH": str(source_root)},
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_every_module_has_a_floor_and_imports_only_from_below(root_dir: Path):
    done = run_import_linter(root_dir, root_dir / "core")
    assert done.returncode == 0, done.stdout + done.stderr


def make_package(folder: Path, root_dir: Path, **modules: str) -> Path:
    """Write a package with the same modules, all empty but those given, and the project's contracts beside it."""
    source = root_dir / "core" / "buttonhook"
    for path in source.rglob("*.py"):
        target = folder / "buttonhook" / path.relative_to(source)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.touch()
    for name, text in modules.items():
        (folder / "buttonhook" / f"{name}.py").write_text(text, encoding="utf-8")
    contracts = (root_dir / "pyproject.toml").read_text(encoding="utf-8")
    (folder / "pyproject.toml").write_text(contracts, encoding="utf-8")
    return folder


def test_the_floors_accept_an_import_from_below(tmp_path: Path, root_dir: Path):
    folder = make_package(tmp_path, root_dir, ids="", errors="from buttonhook import ids\n")
    done = run_import_linter(folder, folder)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_floors_refuse_an_import_from_above(tmp_path: Path, root_dir: Path):
    folder = make_package(tmp_path, root_dir, ids="from buttonhook import errors\n", errors="")
    done = run_import_linter(folder, folder)
    assert done.returncode == 1
    assert "buttonhook.ids -> buttonhook.errors" in done.stdout


def test_the_floors_refuse_strangers_on_one_floor(tmp_path: Path, root_dir: Path):
    folder = make_package(tmp_path, root_dir, diffs="from buttonhook import settings\n", settings="")
    done = run_import_linter(folder, folder)
    assert done.returncode == 1
    assert "buttonhook.diffs -> buttonhook.settings" in done.stdout


def test_the_floors_refuse_a_module_without_a_floor(tmp_path: Path, root_dir: Path):
    folder = make_package(tmp_path, root_dir, ids="", attic="")
    done = run_import_linter(folder, folder)
    assert done.returncode == 1
    assert "attic" in done.stdout


def test_the_floors_refuse_an_import_of_the_package_root(tmp_path: Path, root_dir: Path):
    folder = make_package(tmp_path, root_dir, ids="from buttonhook import Anything\n")
    done = run_import_linter(folder, folder)
    assert done.returncode == 1
    assert "buttonhook.ids -> buttonhook" in done.stdout
