"""The project's own source files, as the house tests read them."""

import ast
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
CORE = ROOT / "core"


@dataclass(frozen=True)
class SourceFile:
    """A Python file below a source root, with its dotted module name."""

    path: Path
    module: str

    @property
    def is_package(self) -> bool:
        return self.path.name == "__init__.py"

    def tree(self) -> ast.Module:
        return ast.parse(self.path.read_text(encoding="utf-8"), filename=str(self.path))

    def place(self, node: ast.AST) -> str:
        return f"{self.path.name}:{getattr(node, 'lineno', 1)} ({self.module})"


def source_files(source_root: Path) -> Iterator[SourceFile]:
    """Yield every Python file below `source_root` in the order of their paths."""
    for path in sorted(source_root.rglob("*.py")):
        parts = path.relative_to(source_root).with_suffix("").parts
        if parts[-1] == "__init__":
            parts = parts[:-1]
        yield SourceFile(path, ".".join(parts))


def source_roots(root: Path = ROOT) -> list[Path]:
    """Return the folders that hold packages: core and each plugin's src."""
    return [root / "core", *sorted(root.glob("plugins/*/src"))]


def tracked_files(root: Path = ROOT) -> list[Path]:
    """Return the files that git tracks or would add: what a clone holds, and what a commit may."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=root,
        capture_output=True,
        text=True,
        check=True,
    )
    paths = (root / name for name in listed.stdout.split("\0") if name)
    return [path for path in paths if path.is_file() and not path.is_symlink()]
