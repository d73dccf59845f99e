"""What must come of it: a small model of transactions, job hooks and cuts, written from the design, not the code.

Documents of the model have an `n` that only the machine writes and a `mark` that only jobs write.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

Document = dict[str, Any]
Key = tuple[str, str]
Objects = dict[Key, Document]
MAX_DEPTH = 8


class Step(NamedTuple):
    """One write of a transaction: `kind` is create, put, set, drop or delete; only `n` is written."""

    kind: str
    key: Key
    n: int


class Change(NamedTuple):
    """A change as the model expects it, or as it was recorded."""

    action: str
    key: Key
    before: Document | None
    after: Document | None


class Refused(Exception):
    """The transaction breaks a rule: nothing of it may be written."""


def play(objects: Objects, steps: Sequence[Step]) -> list[Change]:
    """The changes a transaction comes to, judged by what is so before and after it."""
    after = dict(objects)
    made: dict[Key, Document] = {}
    for step in steps:
        document = _written(step, after.get(step.key))
        if document is None:
            del after[step.key]
            continue
        after[step.key] = document
        if step.kind in ("create", "put") and step.key not in objects:
            made[step.key] = document
    return [
        change
        for key in dict.fromkeys(step.key for step in steps)
        for change in _changes(key, objects.get(key), after.get(key), made.get(key))
    ]


def _written(step: Step, present: Document | None) -> Document | None:
    if step.kind == "put" or (step.kind == "create" and present is None):
        return {"n": step.n}
    if step.kind == "create" or present is None:
        raise Refused
    if step.kind == "delete":
        return None
    kept = {name: value for name, value in present.items() if name != "n"}
    return kept if step.kind == "drop" else {**kept, "n": step.n}


def _changes(key: Key, old: Document | None, new: Document | None, made: Document | None) -> list[Change]:
    if old is None and new is None:
        return [] if made is None else [Change("create", key, None, made), Change("delete", key, made, None)]
    if old is None:
        return [Change("create", key, None, new)]
    if new is None:
        return [Change("delete", key, old, None)]
    return [] if old == new else [Change("update", key, old, new)]


def applied(objects: Objects, change: Change) -> Objects:
    """The objects after one change."""
    rest = {key: document for key, document in objects.items() if key != change.key}
    return rest if change.after is None else {**rest, change.key: change.after}


@dataclass(frozen=True)
class Hook:
    """A job hook as the machine asked for it."""

    id: str
    name: str
    job: str
    types: tuple[str, ...]
    actions: tuple[str, ...]
    enabled: bool
    condition: str
    allows: bool
    run_as: str

    def overlaps(self, other: "Hook") -> bool:
        return (
            self.job == other.job and bool({*self.types} & {*other.types}) and bool({*self.actions} & {*other.actions})
        )


@dataclass(frozen=True)
class Jobs:
    """Which jobs there are, which may run, and the options that decide about lanes and numbers."""

    installed: frozenset[str]
    enabled: frozenset[str] = frozenset()
    options: dict[str, dict[str, Any]] = field(default_factory=dict)

    def option(self, job: str, name: str) -> Any:
        return self.options.get(job, {}).get(name)

    def refusal(self, job: str) -> str | None:
        if job not in self.installed:
            return "is not installed"
        return None if job in self.enabled else "is disabled"


@dataclass(frozen=True)
class Setup:
    """The set-up that holds at one moment."""

    jobs: Jobs
    hooks: dict[str, Hook] = field(default_factory=dict)

    def with_hook(self, hook: Hook) -> "Setup":
        return replace(self, hooks={**self.hooks, hook.id: hook})

    def without(self, hook_id: str) -> "Setup":
        return replace(self, hooks={id_: hook for id_, hook in self.hooks.items() if id_ != hook_id})

    def is_free(self, wanted: Hook) -> bool:
        """Whether a hook may be added or edited so: no other has its name, none overlaps with it."""
        others = [hook for hook in self.hooks.values() if hook.id != wanted.id]
        return all(hook.name != wanted.name and not hook.overlaps(wanted) for hook in others)


class Cause(NamedTuple):
    """What stands behind a change: nothing, or the run that made it."""

    depth: int = 0
    is_hooks: bool = False
    chain: tuple[str, ...] = ()


class Verdicts(NamedTuple):
    """What the hooks say to one change: (hook id, lane) of those that fire, (hook id, word) of those that are cut."""

    fired: tuple[tuple[str, str | None], ...]
    cut: tuple[tuple[str, str], ...]


CUT_WORDS = ("made by a job hook", "runs deep", "in this chain", "is not installed", "is disabled", "condition")


def cut_word(reason: str) -> str:
    """Which of the reasons a cut tells."""
    return next(word for word in CUT_WORDS if word in reason)


def judge(setup: Setup, change: Change, user: str, cause: Cause) -> Verdicts:
    """Which hooks a change fires, in the order of their names, and why the others that cover it are cut."""
    fired, cut = [], []
    for hook in sorted(setup.hooks.values(), key=lambda each: each.name):
        if not hook.enabled or change.key[0] not in hook.types or change.action not in hook.actions:
            continue
        word = _why_cut(setup, hook, change, user, cause)
        if word is None:
            fired.append((hook.id, lane_of(setup.jobs, hook.job, hook.id, change.key)))
        else:
            cut.append((hook.id, word))
    return Verdicts(tuple(fired), tuple(cut))


def lane_of(jobs: Jobs, job: str, hook_id: str, key: Key) -> str | None:
    """The queue a hook's result waits in."""
    if jobs.option(job, "is_singleton"):
        return f"job:{job}"
    return None if jobs.option(job, "ordering") == "none" else f"{hook_id}:{key[0]}:{key[1]}"


def link(job: str, key: Key) -> str:
    return f"{job} {key[0]} {key[1]}"


def _why_cut(setup: Setup, hook: Hook, change: Change, user: str, cause: Cause) -> str | None:
    if cause.is_hooks and not hook.allows:
        return "made by a job hook"
    if cause.depth >= MAX_DEPTH:
        return "runs deep"
    if link(hook.job, change.key) in cause.chain:
        return "in this chain"
    refusal = setup.jobs.refusal(hook.job)
    if refusal is not None:
        return refusal
    return None if holds(hook.condition, change, user) else "condition"


CONDITIONS: dict[str, list[dict[str, Any]]] = {
    "": [],
    "n is 1": [{"type": "preset", "preset": "field_compare", "values": {"field": "n", "operator": "=", "value": 1}}],
    "n changed": [{"type": "preset", "preset": "field_changed", "values": {"field": "n"}}],
    "not ann": [{"type": "preset", "preset": "user_is", "values": {"username": "ann"}, "negate": True}],
}


def holds(condition: str, change: Change, user: str) -> bool:
    """The model's own reading of `CONDITIONS`."""
    data = change.after if change.after is not None else change.before or {}
    if condition == "n is 1":
        return data.get("n") == 1
    if condition == "n changed":
        return change.action == "update" and (change.before or {}).get("n") != data.get("n")
    return user != "ann" if condition == "not ann" else True


def one_of(candidates: Iterable[Setup], change: Change, user: str, cause: Cause, seen: Verdicts) -> bool:
    """Whether the verdicts are those of a set-up that held while the change was committed."""
    return any(judge(setup, change, user, cause) == seen for setup in candidates)
