"""What people write is never taken for markup or for a template: it is escaped, and templates are files of ours."""

import re

from tests.house.source_tree import CORE

TRUSTED = {"macros/icons.html": "the shapes of our own icons"}
"""Templates that put something in unescaped, and what."""


def test_no_template_puts_in_what_is_not_escaped():
    folder = CORE / "buttonhook" / "http" / "templates"
    templates = list(folder.rglob("*.html"))
    assert len(templates) > 30
    raw = {
        path.relative_to(folder).as_posix()
        for path in templates
        if re.search(r"\|\s*safe\b|autoescape\s+false", path.read_text(encoding="utf-8"))
    }
    assert raw == set(TRUSTED)


def test_no_template_is_made_of_text():
    sources = {path: path.read_text(encoding="utf-8") for path in CORE.rglob("*.py")}
    made = re.compile(r"from_string\(|jinja2\.Template\(|string\.Template\(|\.render_async\(|Markup\((?!['\"])")
    assert [str(path) for path, text in sources.items() if made.search(text)] == []
