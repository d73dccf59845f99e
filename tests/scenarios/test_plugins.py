"""A plugin that cannot be used is reported with culprit, place and cure, and the others load."""

import asyncio

import pytest

from buttonhook import JobResultStatus
from tests.scenarios.story import hook_up, messages_of, only_result, put

GOOD = """
    from buttonhook import JobHookReceiver, hookimpl, register_jobs

    class Good(JobHookReceiver):
        async def receive_job_hook(self, change, action, changed_object):
            self.logger.info("good")

    register_jobs(Good)

    @hookimpl
    def buttonhook_object_types():
        return ["demo.thing"]
"""

HEAD = "from buttonhook import JobButtonReceiver, JobHookReceiver, hookimpl, register_jobs\n"

BROKEN = {
    "a missing dependency": (
        "import there_is_no_such_module\n",
        ["Plugin 'bad' cannot be imported: ModuleNotFoundError: No module named 'there_is_no_such_module'", "line 1"],
    ),
    "a syntax error": ("x = 1\ndef broken(:\n", ["Plugin 'bad' cannot be imported: SyntaxError", "line 2"]),
    "an error at import": ("x = 1\ny = x / 0\n", ["Plugin 'bad' cannot be imported: ZeroDivisionError", "line 2"]),
    "sys.exit at import": ("import sys\nsys.exit(3)\n", ["Plugin 'bad' calls sys.exit(3) when it is imported"]),
    "a misspelt hookimpl": (
        HEAD + "@hookimpl\ndef buttonhook_register_job():\n    return []\n",
        ["Plugin 'bad' has a hookimpl that nobody calls", "buttonhook_register_job", "buttonhook_register_jobs"],
    ),
    "a wrong hookimpl argument": (
        HEAD + "@hookimpl\ndef buttonhook_register_jobs(app):\n    return []\n",
        ["'bad'", "buttonhook_register_jobs", "app"],
    ),
    "a hookimpl that raises": (
        HEAD + "@hookimpl\ndef buttonhook_object_types():\n    raise OSError('no disk')\n",
        ["'bad'", "OSError: no disk"],
    ),
    "a hookimpl that returns no list": (
        HEAD + "@hookimpl\ndef buttonhook_register_jobs():\n    return 7\n",
        ["'bad'", "TypeError"],
    ),
    "a wrong signature": (
        HEAD + "class Wrong(JobHookReceiver):\n    def receive_job_hook(self, change, obj):\n        pass\n"
        "register_jobs(Wrong)\n",
        [
            "Receiver 'bad.Wrong' cannot be called as receive_job_hook(change=..., action=..., changed_object=...)",
            "Write: async def receive_job_hook(self, change, action, changed_object):",
        ],
    ),
    "run() overridden": (
        HEAD + "class Runs(JobButtonReceiver):\n    def run(self, object_pk, object_model_name):\n        pass\n"
        "register_jobs(Runs)\n",
        [
            "Receiver 'bad.Runs' overrides run(), which is never called",
            "Write: async def receive_job_button(self, obj):",
        ],
    ),
    "no method": (
        HEAD + "class Empty(JobHookReceiver):\n    pass\nregister_jobs(Empty)\n",
        ["Receiver 'bad.Empty' does not define receive_job_hook()"],
    ),
    "no receiver at all": (
        HEAD + "class No:\n    pass\nregister_jobs(No)\n",
        ["Receiver 'bad.No' is no receiver class"],
    ),
    "a Meta of a wrong kind": (
        HEAD + "class Odd(JobHookReceiver):\n    class Meta:\n        time_limit = 'long'\n"
        "    def receive_job_hook(self, change, action, changed_object):\n        pass\nregister_jobs(Odd)\n",
        ["Receiver 'bad.Odd' has Meta.time_limit of a wrong kind"],
    ),
    "an object type that is none": (
        HEAD + "@hookimpl\ndef buttonhook_object_types():\n    return ['Not A Type', 7]\n",
        ["Not A Type"],
    ),
    "a type that is there already": (
        HEAD + "@hookimpl\ndef buttonhook_object_types():\n    return ['demo.thing']\n",
        ["Object type 'demo.thing' is declared by both", "'acme'", "'bad'", "Rename one or block one of the plugins"],
    ),
}


@pytest.mark.parametrize("case", BROKEN)
async def test_a_broken_plugin_is_reported_and_the_others_load(stage, case):
    source, wanted = BROKEN[case]
    await asyncio.to_thread(stage.install, "acme", GOOD)
    await asyncio.to_thread(stage.install, "bad", files={"bad/__init__.py": source})
    async with stage.open() as app:
        reports = {report.name: report for report in app.plugins if not report.is_blocked}
        told = "\n".join(reports["bad"].errors)
        assert told
        for part in wanted:
            assert part in told
        assert (reports["acme"].errors, reports["acme"].jobs) == ([], ["acme.Good"])
        await hook_up(app, "Good")
        await put(app, "a")
        result = await only_result(app)
        assert await messages_of(app, result) == ["good"]


async def test_an_entry_point_that_names_a_missing_module_is_reported(stage):
    await asyncio.to_thread(stage.install, "acme", GOOD)
    await asyncio.to_thread(
        stage.install,
        "lost",
        "X = 1",
        entry_points={"lost": "lost.nowhere", "attribute": "lost:Nothing", "no": "lost:X"},
    )
    async with stage.open() as app:
        reports = {report.name: report for report in app.plugins}
        assert "No module named 'lost.nowhere'" in reports["lost"].errors[0]
        assert "Nothing" in reports["attribute"].errors[0]
        assert reports["no"].errors == ["Entry point 'no' must name a module, not 1."]
        assert reports["acme"].jobs == ["acme.Good"]


async def test_a_misspelt_meta_name_is_a_warning_that_suggests_the_right_one(stage):
    await asyncio.to_thread(
        stage.install,
        "acme",
        GOOD.replace(
            "class Good(JobHookReceiver):",
            "class Good(JobHookReceiver):\n        class Meta:\n"
            "            descrpition = 'x'\n            approval_required = True\n",
        ),
    )
    async with stage.open() as app:
        (report,) = (report for report in app.plugins if not report.is_blocked)
        assert report.errors == []
        assert report.warnings == [
            "acme.Good: Meta.descrpition is no option and is ignored; did you mean 'description'?",
            "acme.Good: Meta.approval_required is ignored: approval of receivers is not supported",
        ]


async def test_a_job_that_two_packages_bring_is_refused_naming_both(stage):
    shared = {"shared_jobs.py": GOOD.replace("register_jobs(Good)", "")}
    entry = HEAD + "import shared_jobs\n@hookimpl\ndef buttonhook_register_jobs():\n    return [shared_jobs.Good]\n"
    await asyncio.to_thread(stage.install, "first-audit", files={**shared, "first_audit/__init__.py": entry})
    await asyncio.to_thread(stage.install, "second-audit", files={"second_audit/__init__.py": entry})
    async with stage.open() as app:
        reports = {report.name: report for report in app.plugins if not report.is_blocked}
        assert reports["first-audit"].jobs == ["shared_jobs.Good"]
        (error,) = reports["second-audit"].errors
        assert error.startswith("Job 'shared_jobs.Good' is registered by both 'first-audit' and 'second-audit'.")
        assert error.endswith("Rename one or block one of the plugins.")
        assert len(app.configuration.jobs()) == 1


async def test_only_allowed_plugins_are_even_imported_and_blocked_ones_are_not(stage):
    bomb = "raise SystemExit('imported')\n"
    await asyncio.to_thread(stage.install, "acme", GOOD)
    await asyncio.to_thread(stage.install, "bomb", files={"bomb/__init__.py": bomb})
    async with stage.open(plugins=["acme"]) as app:
        reports = {report.name: report for report in app.plugins}
        assert (reports["bomb"].is_blocked, reports["bomb"].errors) == (True, [])
        assert [job.id for job in app.configuration.jobs()] == ["acme.Good"]
    async with stage.open(blocked_plugins=("bomb",)) as app:
        reports = {report.name: report for report in app.plugins}
        assert (reports["bomb"].is_blocked, reports["bomb"].errors) == (True, [])


async def test_single_files_of_a_folder_are_plugins_too_and_one_named_like_a_module_is_told_to_change(stage):
    import textwrap

    folder = stage.folder / "tryout"
    folder.mkdir()
    (folder / "my_hooks.py").write_text(textwrap.dedent(GOOD))
    (folder / "json.py").write_text(textwrap.dedent(GOOD))
    (folder / "_draft.py").write_text("1 / 0")
    (folder / "broken.py").write_text("import nothing_of_that_name")
    async with stage.open(plugins_dir=str(folder)) as app:
        reports = {report.name: report for report in app.plugins if not report.is_blocked}
        assert sorted(reports) == ["broken", "json", "my_hooks"]
        assert reports["my_hooks"].jobs == ["my_hooks.Good"]
        assert "File 'json.py' has the name of an installed module" in reports["json"].errors[0]
        assert reports["json"].errors[0].endswith("Rename the file.")
        assert "No module named 'nothing_of_that_name'" in reports["broken"].errors[0]
        await hook_up(app, "Good")
        await put(app, "a")
        assert (await only_result(app)).status is JobResultStatus.SUCCESS
    import json

    assert json.dumps([1]) == "[1]"


async def test_a_new_version_of_a_package_is_what_runs_after_the_next_start(stage, monkeypatch):
    with pytest.MonkeyPatch.context() as patch:
        stage.packages("acme", GOOD, version="1.0").use(patch)
        async with stage.open(plugins=["acme"]) as app:
            await hook_up(app, "Good")
    stage.packages("acme", GOOD.replace('"good"', '"better"'), version="2.0").use(monkeypatch)
    async with stage.open(plugins=["acme"]) as app:
        (report,) = (report for report in app.plugins if not report.is_blocked)
        assert report.version == "2.0"
        await put(app, "a")
        assert await messages_of(app, await only_result(app)) == ["better"]


async def test_what_a_broken_plugin_says_of_a_secret_is_told_redacted(stage):
    stage.install("bad", "raise RuntimeError('refused with password=hunter2-hunter3')\n")
    async with stage.open() as app:
        (report,) = [each for each in app.plugins if each.name == "bad"]
    assert "password=[redacted]" in report.errors[0]
    assert report.traceback is not None
    assert "password=[redacted]" in report.traceback
    assert "hunter2" not in repr(report)
