"""References, judged by what is so before and after a transaction.

Whoever refers to an object that is deleted is asked for on the index of references. By what their fields say they are
deleted too, cleared, or forbid it; those that are deleted are looked at in the same way until nothing is added. Only
then is it judged who is still referred to: a transaction may delete in any order, and circles go at once.
"""

from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from typing import Final, NoReturn

from buttonhook.errors import BrokenReference, CascadeTooLarge, StillReferenced
from buttonhook.ids import ObjectKey
from buttonhook.objects.session import Write
from buttonhook.objects.types import ObjectType
from buttonhook.recorder.effects import Effect, Overlay
from buttonhook.registry import Registry
from buttonhook.stores.base import REFERRERS_PAGE, Found, Needs, ReferenceKey, Referrer, ReferrersAfter, Rows

MAX_CASCADE: Final = 10_000
"""How many objects one transaction deletes or clears beyond those it names."""
AT_ONCE: Final = 100
"""Of how many objects the referrers are asked for in one go."""
MAX_NAMED: Final = 5
"""How many referrers an error names."""

Effects = dict[ObjectKey, Effect]


class Cascade:
    """The deletes of one transaction, with all that goes or is cleared along with them."""

    def __init__(self, effects: Effects, overlay: Overlay, registry: Registry) -> None:
        self._effects, self._overlay, self._registry = effects, overlay, registry
        self._named = dict.fromkeys(effects)
        self._cause: dict[ObjectKey, tuple[ObjectKey, str]] = {}
        """Of each object that goes along: what it refers to, and by which field."""
        self._referring: dict[ObjectKey, dict[ObjectKey, None]] = {}
        """By object that goes: all that refer to it, in the order of the index."""
        self._clear: dict[ObjectKey, dict[Referrer, None]] = {}
        self._cleared: set[ObjectKey] = set()
        self._forbid: dict[ObjectKey, dict[Referrer, None]] = {}
        self._came: dict[ObjectKey, list[Referrer]] = {}
        """By target, who refers to it in this transaction's own documents."""

    def follow(self) -> Generator[Needs, Found, Effects]:
        """The effects with those of the cascade among them, each before the effect it follows from.

        Raises:
            StillReferenced, CascadeTooLarge: nothing may be deleted.
        """
        targets = self._registry.reference_targets
        level = roots = [each.key for each in self._effects.values() if each.is_delete and each.key[0] in targets]
        if not roots:
            return self._effects
        self._note_own()
        while level:
            following: list[ObjectKey] = []
            for start in range(0, len(level), AT_ONCE):
                following.extend((yield from self._look_at_some(level[start : start + AT_ONCE])))
            yield from self._delete(following)
            level = [key for key in following if key[0] in targets]
        if not self._referring:
            return self._effects
        self._judge(roots)
        yield from self._clear_fields()
        return self._ordered()

    def _note_own(self) -> None:
        for effect in self._effects.values():
            if effect.type.references:
                for key in effect.references(effect.after):
                    self._came.setdefault(key[:2], []).append(key[2:])

    def _look_at_some(self, targets: Sequence[ObjectKey]) -> Generator[Needs, Found, list[ObjectKey]]:
        """Sort those who refer to objects that go; returns those that newly go along."""
        pages = {key: self._overlay.referrers[key] for key in targets if key in self._overlay.referrers}
        unknown = [ReferrersAfter(key) for key in targets if key not in pages]
        if unknown:
            pages.update((yield Needs(referrers=unknown)).referrers)
        following: list[ObjectKey] = []
        for target in targets:
            page = pages.get(target, [])
            following.extend(self._sort_page(target, [*page, *self._added(target, page)]))
            while len(page) == REFERRERS_PAGE:
                asked = ReferrersAfter(target, page[-1])
                page = (yield Needs(referrers=[asked])).referrers.get(target, [])
                following.extend(self._sort_page(target, page))
        return following

    def _added(self, target: ObjectKey, page: Sequence[Referrer]) -> list[Referrer]:
        """Who refers to an object since this batch or this transaction."""
        changed = self._overlay.references.get(target, {})
        came = {each for each, is_there in changed.items() if is_there}
        return sorted(came.union(self._came.get(target, ())).difference(page))

    def _sort_page(self, target: ObjectKey, page: Sequence[Referrer]) -> list[ObjectKey]:
        following: list[ObjectKey] = []
        changed = self._overlay.references.get(target, {})
        for referrer in page:
            if not self._refers(target, referrer, changed):
                continue
            key = referrer[:2]
            self._referring.setdefault(target, {})[key] = None
            if self._sort(target, referrer) and key not in self._cause:
                self._cause[key] = (target, referrer[2])
                following.append(key)
        if len(self._forbid.get(target, ())) > MAX_CASCADE:  # more than could still go along
            self._refuse(target)
        if len(self._cause) + len(self._cleared) > MAX_CASCADE:
            raise CascadeTooLarge(*self._path(target)[0][:2], MAX_CASCADE)
        return following

    def _refers(self, target: ObjectKey, referrer: Referrer, changed: Mapping[Referrer, bool]) -> bool:
        """Whether a referrer refers after this transaction, as far as it is decided."""
        effect = self._effects.get(referrer[:2])
        if effect is None:
            return changed.get(referrer, True)
        return (*target, *referrer) in effect.references(effect.after)

    def _sort(self, target: ObjectKey, referrer: Referrer) -> bool:
        """Whether a referrer goes along with its target; others are noted as to be cleared, or as forbidding it."""
        type_ = self._registry.find_type(referrer[0])
        reference = None if type_ is None else type_.references.get(referrer[2])
        if reference is not None and reference.on_delete == "cascade":
            return True
        if reference is not None and reference.on_delete == "clear":
            self._clear.setdefault(target, {})[referrer] = None
            self._cleared.add(referrer[:2])
        else:
            self._forbid.setdefault(target, {})[referrer] = None
        return False

    def _delete(self, keys: Sequence[ObjectKey]) -> Generator[Needs, Found, None]:
        for effect in (yield from self._effects_on(keys)):
            effect.after = None
            effect.writes += 1

    def _effects_on(self, keys: Iterable[ObjectKey]) -> Generator[Needs, Found, list[Effect]]:
        """The effects on objects, new ones begun from their rows."""
        wanted = list(dict.fromkeys(keys))
        overlay = self._overlay
        unknown = [key for key in wanted if key not in self._effects and key not in overlay.rows]
        if unknown:
            overlay.rows.update(dict.fromkeys(unknown))
            overlay.take((yield Needs(objects=unknown)))
        for key in wanted:
            if key not in self._effects:
                self._effects[key] = Effect(key, self._registry.get_type(key[0]), overlay.rows[key])
        return [self._effects[key] for key in wanted]

    def _goes(self, key: ObjectKey) -> bool:
        effect = self._effects.get(key)
        return effect is not None and effect.after is None

    def _judge(self, roots: Sequence[ObjectKey]) -> None:
        """Refuse where somebody who stays forbids it."""
        for target in (*roots, *self._cause):
            if not all(self._goes(each[:2]) for each in self._forbid.get(target, ())):
                self._refuse(target)

    def _refuse(self, target: ObjectKey) -> NoReturn:
        staying = [each for each in self._forbid[target] if not self._goes(each[:2])]
        more = max(0, len(staying) - MAX_NAMED)
        raise StillReferenced(self._path(target), staying[:MAX_NAMED], more, is_capped=len(staying) > MAX_CASCADE)

    def _path(self, target: ObjectKey) -> list[tuple[str, str, str]]:
        """How a delete leads to an object: (object type, pk, field by which it goes along), what was named first."""
        path = []
        while target in self._cause:
            cause, field = self._cause[target]
            path.append((*target, field))
            target = cause
        return [(*target, ""), *reversed(path)]

    def _clear_fields(self) -> Generator[Needs, Found, None]:
        """Empty the fields that are to be cleared, of those objects that stay."""
        wanted = [each for referrers in self._clear.values() for each in referrers if not self._goes(each[:2])]
        cleared = set((yield from self._effects_on(each[:2] for each in wanted)))
        for object_type, pk, field in wanted:
            effect = self._effects[object_type, pk]
            document = dict(effect.after or {})
            if effect.type.references[field].takes_null:
                document[field] = None
            else:
                document.pop(field, None)
            effect.after = document
        for effect in cleared:
            effect.writes += 1

    def _ordered(self) -> Effects:
        """The effects in the order of their changes: what goes along or is cleared before what it refers to."""
        ordered: list[ObjectKey] = []
        begun: set[ObjectKey] = set()
        for named in self._named:
            stack = [(named, False)]
            while stack:
                key, is_done = stack.pop()
                if is_done:
                    ordered.append(key)
                elif key not in begun:
                    begun.add(key)
                    stack.append((key, True))
                    others = [each for each in self._referring.get(key, ()) if each not in self._named]
                    stack.extend((each, False) for each in reversed(others))
        return {key: self._effects[key] for key in ordered}


def named_targets(write: Write, type_: ObjectType) -> Iterator[ObjectKey]:
    """What the references of a write's own values lead to."""
    values = write.document or {}
    if write.changes is not None:
        values = {key: wanted for key, (_, wanted) in write.changes.items()}
    return ((reference.target, pk) for reference, pk in type_.targets(values))


def judge_targets(effects: Iterable[Effect], overlay: Overlay, rows: Rows) -> Generator[Needs, Found, None]:
    """Refuse new references to what does not exist; the references that came and went are added to `rows`.

    Raises:
        BrokenReference: naming the field and what it refers to.
    """
    referring = [effect for effect in effects if effect.type.references]
    if not referring:
        return
    after = {effect.key: effect.after is not None for effect in effects}
    came: list[ReferenceKey] = []
    for effect in referring:
        held = dict.fromkeys(effect.references(effect.stored_before))
        wanted = dict.fromkeys(effect.references(effect.after))
        rows.references_removed.extend(key for key in held if key not in wanted)
        came.extend(key for key in wanted if key not in held)
    unknown = {key[:2]: None for key in came if key[:2] not in after and overlay.exists(key[:2]) is None}
    if unknown:
        overlay.present.update(dict.fromkeys(unknown, False))
        overlay.take((yield Needs(present=list(unknown))))
    broken = [key for key in came if not (after[key[:2]] if key[:2] in after else overlay.exists(key[:2]))]
    if broken:
        target_type, target_pk, object_type, pk, field = broken[0]
        error = BrokenReference(object_type, pk, field, target_type, target_pk)
        error.broken = frozenset(key[2:4] for key in broken)
        raise error
    rows.references_added.extend(came)
