"""The job record: found anew at every start, following its class but where somebody decided otherwise.

Numbers such as 8.7 are those of the original's test cases; README.md here holds the whole table.
"""

import asyncio
import textwrap
from contextlib import asynccontextmanager

import pytest

from buttonhook import JobResultStatus
from buttonhook.configuration import OVERRIDABLE
from buttonhook.errors import RecordConflict, RecordNotFound
from tests.scenarios.story import all_results, hook_up, owner, put

HEAD = """
from buttonhook import JobButtonReceiver, JobHookReceiver, hookimpl, register_jobs

@hookimpl
def buttonhook_object_types():
    return ["demo.thing"]
"""
BODY = """
    async def receive_job_hook(self, change, action, changed_object):
        pass
"""


def receiver(cls, base="JobHookReceiver", body=BODY, **meta):
    lines = "".join(f"        {key} = {value!r}\n" for key, value in meta.items())
    inner = f"    class Meta:\n{lines}" if meta else ""
    return f"class {cls}({base}):\n{inner}{body}\nregister_jobs({cls})\n"


def source(*receivers):
    return HEAD + "\n".join(receivers)


@pytest.fixture
def stage_of(stage):
    """Open the database with this source installed as `demo`, as if the package had been upgraded to it."""

    @asynccontextmanager
    async def opened(*receivers):
        package = await asyncio.to_thread(stage.packages, "demo", textwrap.dedent(source(*receivers)))
        package.use(stage.patch)
        async with stage.open(plugins=["demo"]) as app:
            yield app

    return opened


def names(app):
    return {job.id.rpartition(".")[2]: job.name for job in app.configuration.jobs()}


async def test_8_7_a_new_receiver_becomes_a_disabled_job_that_equals_its_class(stage_of):
    async with stage_of(receiver("A", name="Job A", retries=3, time_limit=9), receiver("B")) as app:
        job = app.configuration.get_job("Job A")
        assert (job.id, job.kind, job.package) == ("demo.A", "hook", "demo")
        assert (job.enabled, job.installed, job.overrides) == (False, True, {})
        options = app.registry.options(job.id)
        assert options is app.configuration.receiver_of(job).meta
        assert (options.retries, options.time_limit, options.hidden) == (3, 9, False)
        assert names(app) == {"A": "Job A", "B": "B"}


async def test_8_7_receivers_are_found_anew_at_every_start_added_changed_and_gone(stage_of):
    async with stage_of(receiver("A"), receiver("B", description="old")) as app:
        await hook_up(app, "A")
        await hook_up(app, "B")
    async with stage_of(receiver("B", description="new"), receiver("C")) as app:
        jobs = {job.id: (job.enabled, job.installed) for job in app.configuration.jobs()}
        assert jobs == {"demo.A": (True, False), "demo.B": (True, True), "demo.C": (False, True)}
        assert app.registry.options("demo.B").description == "new"
        await put(app, "a")
        assert [result.job for result in await all_results(app)] == ["demo.B"]


async def test_8_3_a_receiver_that_disappears_keeps_its_job_and_comes_back_as_it_was(stage_of):
    async with stage_of(receiver("A", name="Job A"), receiver("B")) as app:
        await app.configuration.edit_job("A", name="Mine", retries=2)
        await hook_up(app, "Mine")
        before = app.configuration.get_job("Mine")
    async with stage_of(receiver("B")) as app:
        job = app.configuration.get_job("Mine")
        assert (job.installed, job.enabled, job.overrides) == (False, True, before.overrides)
        for edit in (app.configuration.enable_job("Mine"), app.configuration.edit_job("Mine", retries=1)):
            with pytest.raises(RecordConflict, match=r"'Mine' is not installed. Install the package 'demo' first"):
                await edit
        assert not (await app.configuration.disable_job("Mine")).enabled
    async with stage_of(receiver("A", name="Job A"), receiver("B")) as app:
        job = app.configuration.get_job("Mine")
        assert (job.installed, job.enabled, job.overrides) == (True, False, {"name": "Mine", "retries": 2})


# --- overrides ------------------------------------------------------------------------------------


async def test_8_7_an_option_follows_the_class_unless_overridden_and_again_after_a_reset(stage_of):
    async with stage_of(receiver("A", retries=1, description="one", grouping="g")) as app:
        edited = await app.configuration.edit_job("A", retries=5, description="mine")
        assert edited.overrides == {"retries": 5, "description": "mine"}
        options = app.registry.options("demo.A")
        assert (options.retries, options.description, options.grouping) == (5, "mine", "g")
    async with stage_of(receiver("A", retries=2, description="two", grouping="h")) as app:
        options = app.registry.options("demo.A")
        assert (options.retries, options.description, options.grouping) == (5, "mine", "h")
        edited = await app.configuration.edit_job("A", retries=None)
        assert edited.overrides == {"description": "mine"}
        options = app.registry.options("demo.A")
        assert (options.retries, options.description) == (2, "mine")
        await app.configuration.edit_job("A", description=None)
        assert app.registry.options("demo.A") == app.configuration.receiver_of(edited).meta


async def test_each_option_that_can_be_overridden_is_kept_and_comes_back_to_the_class(stage_of):
    values = {
        "name": "Another name",
        "description": "text",
        "grouping": "audit",
        "hidden": True,
        "soft_time_limit": 1.5,
        "time_limit": 0,
        "is_singleton": True,
        "retries": 2,
        "retry_backoff": 0.5,
        "max_concurrency": 4,
        "ordering": "none",
    }
    assert tuple(sorted(values)) == tuple(sorted(OVERRIDABLE))
    async with stage_of(receiver("A")) as app:
        defaults = app.registry.options("demo.A")
        for option, value in values.items():
            assert getattr(defaults, option) != value
            await app.configuration.edit_job("A", **{option: value})
    async with stage_of(receiver("A")) as app:
        options = app.registry.options("demo.A")
        assert {option: getattr(options, option) for option in values} == values
        assert app.configuration.get_job("demo.A").name == "Another name"
        await app.configuration.edit_job("demo.A", **dict.fromkeys(values))
        assert app.registry.options("demo.A") == defaults
        assert app.configuration.get_job("demo.A").name == "A"


REFUSED = [
    ({"retries": "many"}, "Job 'A' cannot have retries: expected `int`, got `str`"),
    ({"retries": -1}, "Job 'A' cannot have retries: expected `int` >= 0"),
    ({"max_concurrency": -1}, "Job 'A' cannot have max_concurrency: expected `int` >= 0"),
    ({"time_limit": float("nan")}, "Job 'A' cannot have time_limit: expected `float` >= 0"),
    ({"hidden": "yes"}, "Job 'A' cannot have hidden: expected `bool`, got `str`"),
    ({"ordering": "sideways"}, "Job 'A' cannot have ordering: Invalid enum value 'sideways'"),
    ({"name": ""}, "Job '' has an unfit name"),
    ({"name": " A "}, "Job ' A ' has an unfit name"),
    ({"name": "x" * 256}, "has an unfit name. Use 1 to 255 characters without outer blanks."),
    ({"name": "B"}, "Job 'B' exists already. Choose another name."),
    ({"retries": 2, "rerun_on_crash": False}, "Job 'A' cannot override 'rerun_on_crash'. Known: name, "),
    ({"object_types": ["demo.thing"]}, "Job 'A' cannot override 'object_types'"),
    ({"retrys": 2}, "Job 'A' cannot override 'retrys'"),
]


async def test_8_7_an_override_that_cannot_be_is_refused_whole(stage_of):
    async with stage_of(receiver("A"), receiver("B")) as app:
        for overrides, message in REFUSED:
            with pytest.raises(RecordConflict) as refused:
                await app.configuration.edit_job("A", **overrides)
            assert message in str(refused.value)
            assert app.configuration.get_job("A").overrides == {}
            assert app.registry.options("demo.A").retries == 0


async def test_an_override_holds_from_the_next_run_on_and_a_rerun_has_all_its_retries_again(stage_of):
    body = """
    async def receive_job_hook(self, change, action, changed_object):
        raise OSError("out of reach")
"""
    async with stage_of(receiver("A", body=body)) as app:
        await hook_up(app, "A")
        await put(app, "a")
        await app.drain()
        await app.configuration.edit_job("A", retries=1, retry_backoff=0)
        await put(app, "b")
        results = await all_results(app)
        assert [(result.attempt, result.failures, result.status) for result in results] == [
            (1, 0, JobResultStatus.FAILURE),
            (2, 1, JobResultStatus.FAILURE),
        ]
        again = await (await owner(app, "ann")).runs.rerun(results[1].id)
        (rerun,) = await all_results(app, id=again.id)
        assert (rerun.attempt, rerun.failures, rerun.rerun_of) == (2, 1, results[1].id)


# --- names ----------------------------------------------------------------------------------------


async def test_8_7_jobs_of_one_display_name_are_made_distinct_and_stay_so(stage_of):
    twins = [receiver(cls, name="Twin") for cls in ("A", "B", "C")]
    async with stage_of(*twins) as app:
        assert sorted(names(app).values()) == ["Twin", "Twin (2)", "Twin (3)"]
        first = names(app)
        await app.configuration.enable_job("Twin (2)")
        await app.configuration.edit_job("Twin (2)", description="of two")
        assert names(app) == first
    async with stage_of(*reversed(twins)) as app:
        assert names(app) == first
        assert app.configuration.get_job("Twin (2)").enabled


async def test_a_renamed_class_default_renames_the_job_but_not_one_that_was_given_a_name(stage_of):
    async with stage_of(receiver("A", name="Old A"), receiver("B", name="Old B"), receiver("C", name="Old")) as app:
        await app.configuration.edit_job("Old B", name="Mine")
    async with stage_of(receiver("A", name="New A"), receiver("B", name="New B"), receiver("C", name="Mine")) as app:
        assert names(app) == {"A": "New A", "B": "Mine", "C": "Mine (2)"}
        assert (await app.configuration.edit_job("Mine", name=None)).name == "New B"
    async with stage_of(receiver("A", name="New"), receiver("B", name="New B"), receiver("C", name="Mine")) as app:
        assert names(app)["A"] == "New"


async def test_a_class_name_in_brackets_is_a_name_like_any_other(stage_of):
    async with stage_of(receiver("A", name="Guard (old)")) as app:
        assert names(app) == {"A": "Guard (old)"}
    async with stage_of(receiver("A", name="Guard")) as app:
        assert names(app) == {"A": "Guard"}


async def test_8_7_classes_of_one_name_in_two_modules_are_two_jobs(stage):
    part = "from buttonhook import JobHookReceiver, register_jobs\n" + receiver("Guard")
    files = {"demo/__init__.py": "from . import one\nfrom .inner import two\n" + HEAD}
    files |= {"demo/one.py": part, "demo/inner/__init__.py": "", "demo/inner/two.py": part}
    await asyncio.to_thread(stage.install, "demo", files=files)
    async with stage.open() as app:
        assert {job.id: job.name for job in app.configuration.jobs()} == {
            "demo.one.Guard": "Guard",
            "demo.inner.two.Guard": "Guard (2)",
        }
        assert app.configuration.get_job("Guard (2)").id == "demo.inner.two.Guard"
        assert app.configuration.get_job("demo.one.Guard").name == "Guard"


async def test_8_1_4_and_8_2_a_receivers_kind_says_what_may_start_it(stage_of):
    press = "\n    def receive_job_button(self, obj):\n        pass\n"
    async with stage_of(receiver("A"), receiver("P", "JobButtonReceiver", press)) as app:
        kinds = {job.id: (job.kind, app.registry.options(job.id).hidden) for job in app.configuration.jobs()}
        assert kinds == {"demo.A": ("hook", False), "demo.P": ("button", False)}
        with pytest.raises(RecordConflict, match="is a job button receiver"):
            await app.configuration.add_hook("x", "P", ["demo.thing"])
        with pytest.raises(RecordConflict, match="is a job hook receiver"):
            await app.configuration.add_button("x", "A", ["demo.thing"])
        with pytest.raises(RecordNotFound, match="No job 'Z' exists"):
            await app.configuration.enable_job("Z")
