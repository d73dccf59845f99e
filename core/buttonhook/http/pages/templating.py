"""The templates of the pages: everything is escaped, a missing name is an error, no template comes from a user."""

import json
from datetime import UTC
from typing import Any, Final
from urllib.parse import quote, urlencode

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from buttonhook import documents, times
from buttonhook.ids import LogLevel, now

JSON_TYPES: Final = (dict, list)


def when(moment: int | None, form: str = "full") -> Markup:
    """A moment, in UTC until the browser's script writes it in the viewer's zone.

    `form`: full, short, clock, milli (a clock with milliseconds) or ago.
    """
    if moment is None:
        return Markup('<span class="none">never</span>')
    at = times.to_datetime(moment).astimezone(UTC)
    exact = times.to_text(moment)
    told = f"{at:%H:%M:%S}.{at.microsecond // 1000:03d}" if form == "milli" else f"{at:%Y-%m-%d %H:%M:%S} UTC"
    return Markup('<time datetime="{}" title="{}" data-form="{}">{}</time>').format(exact, exact, form, told)


def path(*steps: object) -> str:
    """A path of our own pages, each step encoded: `path("objects", "dcim.device", pk)`."""
    return "/" + "/".join(quote(str(each), safe="") for each in steps)


def query(**given: object) -> str:
    """A query string with what is given, empty where nothing is."""
    kept = {name: value for name, value in given.items() if value not in (None, "", ())}
    return "?" + urlencode(kept, doseq=True) if kept else ""


def pretty(value: Any) -> str:
    """A value as indented JSON."""
    return json.dumps(value, indent=2, ensure_ascii=False)


def short(value: Any, most: int = 80) -> str:
    """A value on one line, as in a table's cell."""
    text = value if isinstance(value, str) else documents.encode(value)
    line = " ".join(text.split())
    return line if len(line) <= most else line[: most - 1] + "…"


def cut(text: str, most: int) -> str:
    """A text, cut off where it is too long to be shown here."""
    return text if len(text) <= most else text[: most - 1] + "…"


def took(began: int | None, ended: int | None) -> str:
    """How long something lasted, in two or three digits."""
    if began is None or ended is None:
        return ""
    seconds = max(0, ended - began) / 1_000_000
    if seconds < 1:
        return f"{seconds * 1000:.3g} ms"
    if seconds < 100:
        return f"{seconds:.3g} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def size(count: int) -> str:
    """A number of bytes as people read it: `1.5 MB`."""
    value = float(count)
    for word in ("B", "kB", "MB", "GB"):
        if value < 1000:
            return f"{value:.3g} {word}" if word != "B" else f"{count} B"
        value /= 1000
    return f"{value:.3g} TB"


def label(key: str) -> str:
    """A field's key as people write it: `device_type` becomes Device type."""
    words = key.replace("_", " ").replace("-", " ").strip()
    return words[:1].upper() + words[1:] if words else key


def level_word(level: int) -> str:
    """The word of a log level."""
    return LogLevel.at_most(level).word


def _environment() -> Environment:
    made = Environment(
        loader=PackageLoader("buttonhook.http", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    made.globals.update(when=when, path=path, query=query, took=took, moment=now)
    made.filters.update(pretty=pretty, short=short, cut=cut, label=label, level_word=level_word, size=size)
    made.tests["nested"] = lambda value: isinstance(value, JSON_TYPES)
    return made


ENVIRONMENT: Final = _environment()


def render(template: str, **context: Any) -> str:
    """A template filled in."""
    return ENVIRONMENT.get_template(template).render(context)
