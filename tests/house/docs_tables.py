"""Writes the tables of the documentation that are made from the code: `make docs`.

A table stands between two markers, `<!-- made: NAME -->` and `<!-- end -->`; what is around them is written by hand.
"""

import re
from collections.abc import Callable
from pathlib import Path

from buttonhook.permissions import RIGHTS, VIEW, Need

DOCS = Path(__file__).resolve().parent.parent.parent / "core" / "docs"
MARKED = re.compile(r"(<!-- made: ([\w-]+) -->\n).*?(<!-- end -->)", re.DOTALL)


def rights_table() -> str:
    """What each act asks for, one act a line."""
    lines = ["| to | needs |", "|---|---|"]
    lines += [f"| {act} | {'; '.join(map(_in_words, needs))} |" for act, needs in RIGHTS.items()]
    return "\n".join(lines)


def _in_words(need: Need) -> str:
    permission = "`app.view_model`" if need.permission == VIEW else f"`{need.permission}`"
    return f"{permission} on {need.about}{', unless it is your own press' if need.or_own else ''}"


TABLES: dict[str, Callable[[], str]] = {"rights": rights_table}


def filled(text: str) -> str:
    """A page with its tables as the code says them now."""
    return MARKED.sub(lambda found: f"{found[1]}\n{TABLES[found[2]]()}\n\n{found[3]}", text)


def main() -> None:
    for page in sorted(DOCS.glob("*.md")):
        text = page.read_text(encoding="utf-8")
        if filled(text) != text:
            page.write_text(filled(text), encoding="utf-8")


if __name__ == "__main__":
    main()
