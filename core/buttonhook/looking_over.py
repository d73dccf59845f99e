"""Looking the whole database over: what is wrong with it, and what will not work as it is set up."""

from collections.abc import AsyncIterator

from buttonhook.app import App
from buttonhook.old_data import find_old
from buttonhook.stores.base import CheckReport


async def look_over(app: App) -> tuple[CheckReport, list[str]]:
    """Problems and figures of the store; and warnings, each a sentence without its stop."""
    report = await app.check()
    return report, [*_set_up_warnings(app), *[each async for each in _old_warnings(app)]]


def _set_up_warnings(app: App) -> list[str]:
    """What keeps a hook or button from working, and plugins that are not whole."""
    warnings = [f"Plugin {each.name}: {error}" for each in app.plugins for error in each.errors]
    jobs = {each.id: each for each in app.configuration.jobs()}
    for noun, records in (("hook", app.configuration.hooks()), ("button", app.configuration.buttons())):
        for record in records:
            job = jobs.get(record.job)
            if job is None or not job.installed:
                warnings.append(f"Job {noun} {record.name!r} runs {record.job}, which is not installed")
            unknown = [name for name in record.object_types if not app.registry.is_installed(name)]
            warnings.extend(f"Job {noun} {record.name!r} is for {name}, which no plugin declares" for name in unknown)
    return warnings


async def _old_warnings(app: App) -> AsyncIterator[str]:
    """Objects that their type no longer accepts, those that a plugin mends, types that nobody declares."""
    async for old in find_old(app.registry, app.reader):
        name = old.type.name
        if not old.type.is_installed:
            yield (
                f"Type {name} is not installed, but has {_objects(old.objects)}: they can be read and deleted. "
                "Install the package that declares it"
            )
        for pk, faults in old.shown:
            yield f"{name} {pk!r} is no longer valid: {'; '.join(map(str, faults))}"
        if old.invalid > len(old.shown):
            more = _objects(old.invalid - len(old.shown), "more object")
            yield f"{name}: {more} no longer valid, {old.invalid:,} in all"
        if old.mendable:
            yield (
                f"{name}: {_objects(old.mendable)} of an earlier version, mended whenever read. "
                f"Save them for good with: buttonhook objects upgrade {name}"
            )


def _objects(count: int, noun: str = "object") -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
