"""What must not stand in the repository: package hosts and paths of somebody's machine."""

import re
from pathlib import Path

import pytest

from tests.house.source_tree import tracked_files

# One letter of each stands in brackets, so that this file does not find itself.
FORBIDDEN = re.compile(
    r"""
      [p]ypi\.(?:org|python\.org) | [p]ythonhosted\.org | registry\.[n]pmjs | registry\.[y]arnpkg
    | deb\.[d]ebian\.org | --(?:extra-)?[i]ndex-url | --[f]ind-links | ^\s*[i]ndex-url
    | (?<![\w.}-])/(?:[r]oot|[w]ork|[t]mp|[h]ome|[U]sers)/\w
    """,
    re.VERBOSE | re.MULTILINE,
)


def machine_words(path: Path, root: Path) -> list[str]:
    """Return `file:line: what was found` for each host or machine path in a text file."""
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return []
    return [
        f"{path.relative_to(root)}:{text.count(chr(10), 0, found.start()) + 1}: {found[0].strip()}"
        for found in FORBIDDEN.finditer(text)
    ]


def test_no_file_names_a_package_host_or_a_path_of_one_machine(root_dir: Path):
    files = tracked_files(root_dir)
    assert root_dir / "pyproject.toml" in files
    assert [word for path in files for word in machine_words(path, root_dir)] == []


@pytest.mark.parametrize(
    "line",
    [
        "see https://{p}ypi.org/project/acme".replace("{p}", "p"),
        "pip install --{i}ndex-url x".replace("{i}", "i"),
        "cd /{w}ork/main".replace("{w}", "w"),
        'path = "/{t}mp/x.db"'.replace("{t}", "t"),
        "sqlite:////{h}ome/ann/x.db".replace("{h}", "h"),
    ],
)
def test_a_planted_one_is_found(tmp_path: Path, line: str):
    file = tmp_path / "README.md"
    file.write_text(f"# Title\n{line}\n", encoding="utf-8")
    assert [word.split(": ")[0] for word in machine_words(file, tmp_path)] == ["README.md:2"]


def test_ordinary_paths_and_addresses_pass(tmp_path: Path):
    file = tmp_path / "README.md"
    file.write_text(
        "/etc/buttonhook.toml https://example.com/home/ann sqlite:///t.db ../work/x $HOME/tmp/x\n",
        encoding="utf-8",
    )
    assert machine_words(file, tmp_path) == []
