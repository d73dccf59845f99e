"""The table of stories names tests that exist."""

import re
from pathlib import Path

from tests.house.source_tree import tracked_files

NAMED = re.compile(r"\[(test_\w+)\]")
FILED = re.compile(r"`((?:tests/\w+/)?test_\w+\.py)`[^`\n|]*?\[(test_\w+)\]")


def test_every_test_that_the_table_of_stories_names_exists_where_it_says(root_dir: Path):
    text = (root_dir / "tests" / "scenarios" / "README.md").read_text(encoding="utf-8")
    tests = {
        str(path.relative_to(root_dir)): set(re.findall(r"def (test_\w+)", path.read_text(encoding="utf-8")))
        for path in tracked_files(root_dir)
        if path.name.startswith("test_") and path.suffix == ".py"
    }
    every = set().union(*tests.values())
    named = set(NAMED.findall(text))
    assert len(named) > 50
    assert [name for name in sorted(named) if not any(each.startswith(name) for each in every)] == []
    wrong = []
    for file, name in FILED.findall(text):
        there = tests.get(file if "/" in file else f"tests/scenarios/{file}", set())
        if not any(each.startswith(name) for each in there):
            wrong.append(f"{file}: {name}")
    assert wrong == []
