"""How long a token lives, as it is typed."""

import math
from typing import Final

from buttonhook.errors import RecordConflict

MOST_DAYS: Final = 3650


def days_of(text: str) -> float | None:
    """Raises: RecordConflict: it is no number of days."""
    if not text.strip():
        return None
    try:
        days = float(text)
    except ValueError:
        days = math.nan
    if not 0 < days <= MOST_DAYS:
        cure = f"Give a number of days from 1 to {MOST_DAYS}, or leave it empty for one that does not expire."
        raise RecordConflict("token", text[:20], "cannot live so long", cure)
    return days
