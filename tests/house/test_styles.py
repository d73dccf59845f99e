"""The stylesheets of the pages: loaded, strangers to each other, and made of the values of the design."""

import re
from collections import defaultdict
from pathlib import Path

import pytest

UI = Path("core/buttonhook/http/static/ui")
HEAD = Path("core/buttonhook/http/templates/head.html")
PRINT = re.compile(r"@media[^{]*print[^{]*\{(?:[^{}]|\{[^{}]*\})*\}")


@pytest.fixture
def styles(root_dir: Path) -> dict[str, str]:
    """The stylesheets without their comments, and without what is for paper only."""
    return {
        path.stem: PRINT.sub("", re.sub(r"/\*.*?\*/", "", path.read_text(encoding="utf-8"), flags=re.DOTALL))
        for path in sorted((root_dir / UI).glob("*.css"))
    }


def test_every_stylesheet_is_loaded_by_the_pages(styles: dict[str, str], root_dir: Path):
    head = (root_dir / HEAD).read_text(encoding="utf-8")
    listed = re.findall(r'"([a-z]+)"', head.partition("{% for name in")[2].partition("%}")[0])
    assert sorted(listed) == sorted(styles)


def test_no_two_stylesheets_mean_different_things_by_one_class(styles: dict[str, str]):
    """A class that stands alone in two of them would look as the later one says, on the pages of both."""
    homes: dict[str, set[str]] = defaultdict(set)
    for name, text in styles.items():
        for selectors in re.findall(r"([^{}]+)\{", text):
            for selector in selectors.split(","):
                alone = re.fullmatch(r"\s*\.([a-z0-9-]+)\s*", selector)
                if alone:
                    homes[alone[1]].add(name)
    assert {each: sorted(found) for each, found in homes.items() if len(found) > 1} == {}


def test_every_value_that_is_used_is_defined(styles: dict[str, str]):
    text = "".join(styles.values())
    defined = set(re.findall(r"(--[a-z0-9-]+)\s*:", text))
    used = set(re.findall(r"var\((--[a-z0-9-]+)\)", text))
    assert used - defined == set()
