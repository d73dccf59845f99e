"""Plugin packages for tests: built as real distributions and installed by pip.

Nothing here fakes what it tests: the package gets a pyproject with an entry point, pip builds and
installs it into a folder of its own, and putting that folder on the path is all that "installed"
means to importlib.metadata. The same content is built once in a test session.
"""

import json
import os
import subprocess
import sys
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import pytest

ENTRY_POINT_GROUP = "buttonhook"

_PYPROJECT = """\
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[project]
name = {name}
version = {version}
description = "A plugin made by a test"
dependencies = {dependencies}

[project.entry-points.{group}]
{entry_points}

[tool.hatch.build.targets.wheel]
only-include = ["src"]
sources = ["src"]
bypass-selection = true
"""


@dataclass(frozen=True)
class PluginPackage:
    """One installed distribution; `path` is the folder that pip installed it into."""

    name: str
    version: str
    path: Path
    modules: tuple[str, ...]

    def use(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Put the package on the path of this process until `monkeypatch` is undone.

        Its modules leave `sys.modules` then too, and versions that were imported before come back.
        """
        for module in self.modules:
            # Setting the item makes monkeypatch remember the present state, absence included.
            monkeypatch.setitem(sys.modules, module, sys)
            del sys.modules[module]
        monkeypatch.syspath_prepend(str(self.path))

    def env(self, *others: "PluginPackage") -> dict[str, str]:
        """Return the environment that makes a subprocess see this package and `others`."""
        paths = [str(package.path) for package in (self, *others)]
        return {"PYTHONPATH": os.pathsep.join(paths)}


@dataclass
class PluginPackages:
    """The factory behind the `plugin_package` fixture; call it to get a `PluginPackage`."""

    folder: Path
    _made: dict[str, PluginPackage] = field(default_factory=dict)

    def __call__(
        self,
        name: str = "acme",
        source: str | None = None,
        *,
        version: str = "1.0",
        files: Mapping[str, str] | None = None,
        entry_points: Mapping[str, str] | None = None,
        dependencies: Sequence[str] = (),
    ) -> PluginPackage:
        """Build and install a distribution.

        `source` is the text of its one module, `files` are texts by path (`"acme/__init__.py"`);
        both are dedented. The entry point is `{name: module}` unless given, where the module is the
        name with `_` for `-`; `{}` makes a package without any.
        """
        module = name.replace("-", "_")
        texts = dict(files or {})
        if source is not None:
            texts[f"{module}/__init__.py"] = source
        if not texts:
            raise TypeError("plugin_package() needs source or files.")
        if entry_points is None:
            entry_points = {name: module}
        content = [name, version, texts, dict(entry_points), list(dependencies)]
        key = json.dumps(content, sort_keys=True)
        if key not in self._made:
            home = self.folder / f"{len(self._made) + 1}-{name}-{version}"
            _write(home, content_files(name, version, texts, entry_points, dependencies))
            _install(home, home / "installed")
            self._made[key] = PluginPackage(
                name=name, version=version, path=home / "installed", modules=_modules(texts)
            )
        return self._made[key]


def content_files(
    name: str,
    version: str,
    texts: Mapping[str, str],
    entry_points: Mapping[str, str],
    dependencies: Sequence[str] = (),
) -> dict[str, str]:
    """Return every file of the distribution's source tree by path."""
    pyproject = _PYPROJECT.format(
        name=json.dumps(name),
        version=json.dumps(version),
        dependencies=json.dumps(list(dependencies)),
        group=ENTRY_POINT_GROUP,
        entry_points="\n".join(f"{json.dumps(point)} = {json.dumps(target)}" for point, target in entry_points.items()),
    )
    sources = {f"src/{path}": textwrap.dedent(text) for path, text in texts.items()}
    return {"pyproject.toml": pyproject} | sources


def _write(home: Path, texts: Mapping[str, str]) -> None:
    for path, text in texts.items():
        file = home / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")


def _install(source: Path, target: Path) -> None:
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    command += ["--root-user-action=ignore", "--no-deps", "--no-index", "--no-build-isolation"]
    command += ["--no-compile", "--target", str(target), str(source)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    if done.returncode != 0:
        pytest.fail(f"pip could not install the test's plugin package:\n{done.stderr}")


def _modules(texts: Mapping[str, str]) -> tuple[str, ...]:
    """Return the dotted names of all modules among the files, parents included."""
    names: set[str] = set()
    for path in map(PurePosixPath, texts):
        if path.suffix != ".py":
            continue
        parts = path.parent.parts if path.stem == "__init__" else (*path.parent.parts, path.stem)
        names.update(".".join(parts[: length + 1]) for length in range(len(parts)))
    return tuple(sorted(names))
