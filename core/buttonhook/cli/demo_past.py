"""Moving what was just recorded back into the last hour, so that the demo has a past. For a closed database only.

What happened in one spell of seconds is stretched over the minutes it is moved to: its runs then take as long as runs
that talk to something do.
"""

import json
import sqlite3
from bisect import bisect_right
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Final

from msgspec import Struct

TIMES: Final = (
    ("object", ("updated_at",)),
    ("object_change", ("time", "recorded_at")),
    ("job_result", ("created_at", "started_at", "ended_at", "due_at")),
    ("job_log_entry", ("time",)),
    ("audit_entry", ("time",)),
    ("request", ("recorded_at",)),
)
CONFIG_TIMES: Final = ("edited_at", "created_at", "password_changed_at", "secret_changed_at")


class Spell(Struct, frozen=True):
    """What began at a moment belongs at another, and went on so many times longer. Moments are microseconds."""

    began: int
    belongs: int
    factor: float


def move_back(database: Path, spells: Sequence[Spell]) -> None:
    """Move every time in a closed database to where its spell belongs; `spells` in order."""
    begins = [each.began for each in spells]

    def moved(moment: int | None) -> int | None:
        if moment is None:
            return None
        spell = spells[max(0, bisect_right(begins, moment) - 1)]
        return int(spell.belongs + (moment - spell.began) * spell.factor)

    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        connection.create_function("moved", 1, moved, deterministic=True)
        connection.execute("BEGIN IMMEDIATE")
        for table, columns in TIMES:
            named = ", ".join(f"{each} = moved({each})" for each in columns)
            connection.execute(f"UPDATE {table} SET {named}")  # noqa: S608 - names of our own
        for kind, id_, text in connection.execute("SELECT kind, id, document FROM config").fetchall():
            document = json.loads(text)
            for name in CONFIG_TIMES:
                if document.get(name):
                    document[name] = moved(document[name])
            told = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
            connection.execute("UPDATE config SET document = ? WHERE kind = ? AND id = ?", (told, kind, id_))
        connection.execute("COMMIT")
