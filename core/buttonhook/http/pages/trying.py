"""The try-out of a job hook: on which of the last changes it would have fired, and why not on the others."""

from collections.abc import Sequence
from typing import Final

import anyio
from msgspec import Struct

from buttonhook.access.access import TriedChange
from buttonhook.errors import PermissionDenied, QueryTooSlow
from buttonhook.http.asking import access_of
from buttonhook.http.pages.condition_words import in_words
from buttonhook.http.reading import Request
from buttonhook.ids import ObjectChangeAction
from buttonhook.records import JobHook

LAST: Final = 100
SECONDS: Final = 2.0
"""How long the changes that one may see are looked for."""


class Step(Struct, frozen=True):
    """How many of the changes are left after one more thing that is asked of them."""

    text: str
    left: int


_DONE: Final = {
    ObjectChangeAction.CREATE: "created",
    ObjectChangeAction.UPDATE: "updated",
    ObjectChangeAction.DELETE: "deleted",
}


class Reason(Struct, frozen=True):
    """Why some changes would not have fired it. With `is_row` it is a condition that does not hold."""

    text: str
    is_row: bool
    tried: Sequence[TriedChange]


class TryOut(Struct, frozen=True, kw_only=True):
    """A try-out as it is shown; `refused` says why there is none."""

    fired: Sequence[TriedChange] = ()
    steps: Sequence[Step] = ()
    reasons: Sequence[Reason] = ()
    strip: Sequence[TriedChange] = ()
    """All of them, the oldest first."""
    notes: Sequence[str] = ()
    refused: str = ""


async def try_out(request: Request, hook: JobHook, notes: Sequence[str] = ()) -> TryOut:
    """Try a job hook, saved or not, on the last changes of its types that one may see. Nothing runs."""
    access = access_of(request)
    if not hook.object_types:
        return TryOut(refused="Choose an object type: then its last changes are tried here.")
    try:
        with anyio.fail_after(SECONDS):
            tried = await access.try_out_on(hook, None, LAST)
    except PermissionDenied as exc:
        return TryOut(refused=f"You lack {exc.permission}, so there are no changes to try it on.")
    except (QueryTooSlow, TimeoutError):
        return TryOut(refused="There are too many changes that you may not see to look for those that you may.")
    return TryOut(
        fired=[each for each in tried if each.trial.would_fire],
        steps=_steps(hook, tried),
        reasons=_reasons(hook, tried),
        strip=list(reversed(tried)),
        notes=notes,
    )


def _steps(hook: JobHook, tried: Sequence[TriedChange]) -> list[Step]:
    """What is left of the changes after the types and actions, and after each condition, in their order."""
    left = [each for each in tried if each.trial.would_fire or _reason(hook, each)[1]]
    has_cuts = len(left) < sum(each.change.action in hook.actions for each in tried)
    done = " or ".join(_DONE[each] for each in hook.actions) or "nothing"
    steps = [Step(f"{done}, and not cut off by what caused it" if has_cuts else done, len(left))]
    for at, row in enumerate(hook.conditions):
        left = [each for each in left if each.trial.rows[at].passed]
        steps.append(Step(in_words(row), len(left)))
    return steps


def _reasons(hook: JobHook, tried: Sequence[TriedChange]) -> list[Reason]:
    """The changes that would not have fired it, by the reason that is told first; the most frequent first."""
    found: dict[tuple[str, bool], list[TriedChange]] = {}
    for each in tried:
        if not each.trial.would_fire:
            found.setdefault(_reason(hook, each), []).append(each)
    return sorted((Reason(text, row, found[text, row]) for text, row in found), key=lambda each: -len(each.tried))


def _reason(hook: JobHook, tried: TriedChange) -> tuple[str, bool]:
    failed = next((at for at, row in enumerate(tried.trial.rows) if not row.passed), None)
    if failed is None or not tried.trial.reason.startswith(f"condition {hook.conditions[failed].preset} "):
        return tried.trial.reason, False
    return in_words(hook.conditions[failed]), True
