"""How people write receivers in the wild: what works as it stands, and what the user is told where it does not."""

import pytest

from buttonhook import JobResultStatus
from tests.scenarios.story import all_results, hook_up, lines_of, messages_of, only_result, put, whole_log_of

SOURCE = """
    import asyncio, logging, threading, time
    from buttonhook import (
        JobHookReceiver, ObjectChangeAction, ObjectChangeActionChoices, hookimpl, register_jobs
    )
    name = "Wild jobs"

    class Case(JobHookReceiver):
        def receive_job_hook(self, change, action, changed_object):
            return getattr(self, "case_" + change.object_pk)(change, action, changed_object)

        def case_old_api(self, change, action, changed_object):
            self.log_info("Nautobot 1.x")

        def case_request(self, change, action, changed_object):
            return self.request.user

        def case_meta(self, change, action, changed_object):
            return changed_object._meta.label_lower

        def case_content_type(self, change, action, changed_object):
            return change.changed_object_type.app_label

        def case_removed(self, change, action, changed_object):
            return change.get_snapshots()["differences"]["removed"]["serial"]

        def case_missing(self, change, action, changed_object):
            return changed_object.serial

        def case_validated_save(self, change, action, changed_object):
            changed_object.custom_field_data = {"seen": True}
            changed_object.validated_save()

        def case_coroutine(self, change, action, changed_object):
            return self.later(change.object_pk)

        async def later(self, text):
            await asyncio.sleep(0)
            self.logger.info("awaited for it")
            return text

        def case_own_loop(self, change, action, changed_object):
            return asyncio.run(self.later("own loop"))

        def case_text(self, change, action, changed_object):
            return f"launched template 7 for {changed_object.pk}"

        def case_print(self, change, action, changed_object):
            print("to standard output")

        def case_print_style(self, change, action, changed_object):
            self.logger.info("serial", changed_object)
            self.logger.warning("all done", 5)

        def case_f_string(self, change, action, changed_object):
            self.logger.info(f"100% of {changed_object}", extra={"object": changed_object})

        def case_not_text(self, change, action, changed_object):
            self.logger.info(None)
            self.logger.info(ValueError("an exception"))
            self.logger.info([1, {"a": changed_object}])

        def case_skips(self, change, action, changed_object):
            self.logger.info("not kept", extra={"skip_db_logging": True})
            self.logger.info("kept", extra={"grouping": "checks"})

        def case_threads(self, change, action, changed_object):
            def work(n):
                logging.getLogger("nornir.core").warning("device %d", n)
                self.logger.info("done %d", n)
            for n in (1, 2):
                thread = threading.Thread(target=work, args=(n,))
                thread.start()
                thread.join()

        def case_broken_thread(self, change, action, changed_object):
            thread = threading.Thread(target=lambda: 1 / 0)
            thread.start()
            thread.join()
            self.logger.info("the thread's exception is its own")

        def case_action(self, change, action, changed_object):
            return [
                action == "create",
                action == ObjectChangeAction.CREATE,
                action == ObjectChangeActionChoices.ACTION_CREATE,
                action == ObjectChangeActionChoices.ACTION_UPDATE,
                action == "interface_updated",
                change.action == action,
                f"{action}",
            ]

        def case_state(self, change, action, changed_object):
            self.count = getattr(self, "count", 0) + 1
            return self.count

        def case_blocks(self, change, action, changed_object):
            time.sleep(0.05)
            return "blocked a thread, not the loop"

        def case_swallows(self, change, action, changed_object):
            try:
                raise OSError("device away")
            except Exception:
                self.logger.exception("could not reach it")
            return "went on"

        def case_asserts(self, change, action, changed_object):
            assert not changed_object, "there should be no object"

        def case_raises_class(self, change, action, changed_object):
            raise RuntimeError

    class Keywords(JobHookReceiver):
        class Meta:
            object_type = "demo.thing"
            enabled = True
            commit_default = True
            descrpition = "misspelt"
            approval_required = False

        def receive_job_hook(self, **kwargs):
            return sorted(kwargs)

    class Extra(JobHookReceiver):
        async def receive_job_hook(self, change, action, changed_object=None, *args, dry_run=False, **kwargs):
            return [len(args), sorted(kwargs)]

    class Guarded(JobHookReceiver):
        def receive_job_hook(self, change, action, changed_object):
            if changed_object is None:
                self.logger.info("gone: %s", change.object_data["n"])
                return
            changed_object.n += 1

    class Unguarded(JobHookReceiver):
        def receive_job_hook(self, change, action, changed_object):
            changed_object.n += 1

    register_jobs(Case, Keywords, Extra, Guarded, Unguarded)

    @hookimpl
    def buttonhook_object_types():
        return ["demo.thing"]
"""


@pytest.fixture
def demo(stage):
    stage.install("demo", SOURCE)
    return stage


FAILS = {
    "old_api": "AttributeError: 'Case' object has no attribute 'log_info'",
    "request": "AttributeError: 'Case' object has no attribute 'request'",
    "meta": "AttributeError: ",
    "content_type": "AttributeError: 'ObjectChange' object has no attribute 'changed_object_type'",
    "removed": "TypeError: 'NoneType' object is not subscriptable",
    "missing": "AttributeError: ",
    "validated_save": "AttributeError: ",
    "asserts": "AssertionError: there should be no object",
    "raises_class": "RuntimeError",
}


@pytest.mark.parametrize("case", FAILS)
async def test_what_cannot_work_fails_with_its_message_and_the_line_in_the_traceback(demo, case):
    async with demo.open() as app:
        await hook_up(app, "Case")
        await put(app, case)
        result = await only_result(app)
        assert result.status is JobResultStatus.FAILURE
        assert result.error.startswith(FAILS[case])
        assert f"in case_{case}" in result.traceback
        assert "buttonhook/runner.py" not in result.traceback
        assert (await lines_of(app, result))[-1] == ("failure", result.error)


RETURNS = {
    "coroutine": '"coroutine"',
    "own_loop": '"own loop"',
    "text": '"launched template 7 for text"',
    "action": '[true,true,true,false,false,true,"create"]',
    "state": "1",
    "blocks": '"blocked a thread, not the loop"',
    "swallows": '"went on"',
}


@pytest.mark.parametrize("case", RETURNS)
async def test_what_is_unusual_and_works_runs_as_its_author_meant(demo, case):
    async with demo.open() as app:
        await hook_up(app, "Case")
        await put(app, case)
        await put(app, case, n=2)
        for result in (await all_results(app))[:1]:
            assert (result.error, result.result or "null") == (None, RETURNS[case])


LOGS = {
    "print": [],
    "print_style": [
        "serial (FreeObject('demo.thing', pk='print_style', {}),) (the log call does not fit its arguments",
        "all done (5,) (the log call does not fit its arguments",
    ],
    "f_string": ["100% of demo.thing f_string"],
    "not_text": ["None", "an exception", "[1, {'a': "],
    "skips": ["kept"],
    "threads": ["device 1", "done 1", "device 2", "done 2"],
    "broken_thread": ["the thread's exception is its own"],
}


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize("case", LOGS)
async def test_each_way_to_say_something_makes_one_line_and_never_fails_the_run(demo, case):
    async with demo.open() as app:
        await hook_up(app, "Case")
        await put(app, case)
        result = await only_result(app)
        assert result.status is JobResultStatus.SUCCESS
        said = await messages_of(app, result)
        assert len(said) == len(LOGS[case])
        for message, beginning in zip(said, LOGS[case], strict=True):
            assert message.startswith(beginning)


async def test_a_caught_exception_brings_its_traceback_into_the_log(demo):
    async with demo.open() as app:
        await hook_up(app, "Case")
        await put(app, "swallows")
        (line,) = await messages_of(app, await only_result(app))
        assert line.startswith("could not reach it\nTraceback (most recent call last):")
        assert line.endswith("OSError: device away")


async def test_invented_and_misspelt_options_are_told_at_load_and_the_job_runs(demo):
    async with demo.open() as app:
        (report,) = [each for each in app.plugins if each.name == "demo"]
        notes = "\n".join(report.warnings)
        assert "demo.Keywords: Meta.object_type is no option and is ignored; did you mean 'object_types'?" in notes
        assert "demo.Keywords: Meta.enabled is no option and is ignored; " in notes
        assert "demo.Keywords: Meta.commit_default is no option and is ignored; known: name, " in notes
        assert "demo.Keywords: Meta.descrpition is no option and is ignored; did you mean 'description'?" in notes
        assert "Meta.approval_required is ignored" in notes
        await hook_up(app, "Keywords")
        await put(app, "a")
        assert (await only_result(app)).result == '["action","change","changed_object"]'


async def test_more_parameters_than_are_given_are_left_to_their_defaults(demo):
    async with demo.open() as app:
        await hook_up(app, "Extra")
        await put(app, "a")
        assert (await only_result(app)).result == "[0,[]]"


async def test_a_delete_hands_over_none_and_the_state_before_is_in_the_change(demo):
    async with demo.open() as app:
        await put(app, "a", n=7)
        await hook_up(app, "Guarded", actions=["delete"])
        await hook_up(app, "Unguarded", actions=["delete"])
        await (await app.objects("demo.thing").get("a")).delete()
        guarded, unguarded = await all_results(app)
        assert await messages_of(app, guarded) == ["gone: 7"]
        assert unguarded.error == "AttributeError: 'NoneType' object has no attribute 'n'"


async def test_the_lines_of_a_group_are_those_of_the_function_that_logs_unless_named(demo):
    async with demo.open() as app:
        await hook_up(app, "Case")
        await put(app, "f_string")
        await put(app, "skips")
        first, second = await all_results(app)
        assert [each.grouping for each in await whole_log_of(app, first)][1:-1] == ["case_f_string"]
        assert [each.grouping for each in await whole_log_of(app, second)][1:-1] == ["checks"]
