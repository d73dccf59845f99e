"""The founding text's own examples run as they stand: nothing but their import lines is changed."""

import re

import pytest

from buttonhook import JobResultStatus
from buttonhook.errors import PermissionDenied
from buttonhook.records import ResultQuery
from tests.scenarios.story import all_changes, all_results, lines_of, log_of, only_result, presser

IMPORTS = {
    "nautobot.apps.jobs": "buttonhook",
    "nautobot.dcim.models": "buttonhook_dcim",
    "nautobot.extras.choices": "buttonhook",
}
CODE_BLOCK = re.compile(r"^```py\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.fixture
def founding_text(shared_dir, stage):
    """Install the text's examples as a package, one module a code block."""
    text = (shared_dir / "reference" / "job-extensions.md").read_text(encoding="utf-8")
    blocks = CODE_BLOCK.findall(text)
    assert len(blocks) == 3
    files = {"founding/__init__.py": ""}
    for number, block in enumerate(blocks, start=1):
        lines = [adapted(line) for line in block.splitlines()]
        files[f"founding/block{number}.py"] = "\n".join(lines) + "\n"
    points = {f"block{number}": f"founding.block{number}" for number in (1, 2, 3)}
    stage.install("founding", files=files, entry_points=points)
    stage.installed.append("dcim")
    return stage


def adapted(line: str) -> str:
    """Change an import line's module; leave every other line as it is."""
    match = re.fullmatch(r"from (\S+) import (.+)", line)
    return f"from {IMPORTS[match[1]]} import {match[2]}" if match else line


async def save_device(app, user="ann", **fields):
    from buttonhook_dcim import Device

    async with app.transaction(user=user):
        return await Device(**fields).save()


async def change_serial(app, name, serial, user="ann"):
    from buttonhook_dcim import Device

    async with app.transaction(user=user):
        device = await Device.objects.get(name=name)
        device.serial = serial
        await device.save()


async def test_all_three_examples_load_without_a_complaint(founding_text):
    async with founding_text.open() as app:
        reports = {report.name: report for report in app.plugins if not report.is_blocked}
        assert [(report.errors, report.warnings) for report in reports.values()] == [([], [])] * 4
        assert sorted(job.name for job in app.configuration.jobs()) == [
            "Example Complex Job Button Receiver",
            "Example Simple Job Button Receiver",
            "ExampleJobHookReceiver",
        ]
        assert not any(job.enabled for job in app.configuration.jobs())


async def test_the_simple_button_logs_about_the_object_it_was_pressed_on(founding_text):
    async with founding_text.open() as app:
        await app.configuration.enable_job("Example Simple Job Button Receiver")
        await app.configuration.add_button("Simple", "Example Simple Job Button Receiver", ["dcim.device"])
        device = await save_device(app, name="ams01-r1")
        (pressed,) = await app.press("Simple", "dcim.device", [device.pk], user=await presser(app, "bob"))
        result = await only_result(app, id=pressed.id)
        assert result.status is JobResultStatus.SUCCESS
        assert result.user_name == "bob"
        (entry,) = await log_of(app, result)
        assert (entry.level.word, entry.message, entry.grouping) == (
            "info",
            "Running Job Button Receiver.",
            "receive_job_button",
        )
        assert (entry.object_type, entry.object_pk, entry.object_repr) == ("dcim.device", device.pk, "ams01-r1")


@pytest.fixture
async def complex_button(founding_text):
    """An app with the button of the text's second example, on objects of three types."""
    from buttonhook_dcim import DeviceType, Location

    async with founding_text.open() as app:
        types = ["dcim.location", "dcim.device", "dcim.devicetype"]
        await app.configuration.enable_job("Example Complex Job Button Receiver")
        await app.configuration.add_button("Complex", "Example Complex Job Button Receiver", types)
        async with app.transaction():
            await Location(name="AMS01", pk="ams01").save()
            await DeviceType(manufacturer="Acme", model="R1", pk="r1").save()
        await save_device(app, name="ams01-r1", pk="ams01-r1")
        yield app


async def press(app, object_type, pk, user):
    (pressed,) = await app.press("Complex", object_type, [pk], user=user)
    result = await only_result(app, id=pressed.id)
    return result, await lines_of(app, result)


@pytest.mark.parametrize(("word", "pk"), [("Location", "ams01"), ("Device", "ams01-r1")])
async def test_the_complex_button_serves_a_user_who_may_and_refuses_one_who_may_not(complex_button, word, pk):
    app, object_type = complex_button, f"dcim.{word.lower()}"
    await presser(app, "may", f"dcim.add_{word.lower()}")
    await presser(app, "may-not")

    result, lines = await press(app, object_type, pk, "may")
    assert result.status is JobResultStatus.SUCCESS
    assert lines == [("info", f"Running {word} Job Button Receiver.")]

    result, lines = await press(app, object_type, pk, "may-not")
    message = f"User does not have permission to add a {word}."
    assert (result.status, result.error) == (JobResultStatus.FAILURE, f"Exception: {message}")
    assert lines == [
        ("error", f"User 'may-not' does not have permission to add a {word}."),
        ("failure", f"Exception: {message}"),
    ]
    with pytest.raises(PermissionDenied, match=r"'nobody-knows' may not press 'Complex': that needs jobs.run_job"):
        await press(app, object_type, pk, "nobody-knows")


async def test_one_who_may_add_devices_only_presses_on_all_types_and_reads_each_outcome_with_its_reason(complex_button):
    app = complex_button
    bob = app.access(await presser(app, "bob", "dcim.add_device"))
    for word, pk in (("location", "ams01"), ("device", "ams01-r1"), ("devicetype", "r1")):
        await bob.runs.press("Complex", f"dcim.{word}", [pk])
    await app.drain()
    # Their own presses are theirs to read: no further permission is needed.
    results = await bob.history.results(ResultQuery(ascending=True))
    told = [
        (each.object_type, each.status.value, [(entry.level.word, entry.message) for entry in await log_of(app, each)])
        for each in results
    ]
    no_location = "User does not have permission to add a Location."
    unsupported = "Job button called on unsupported object type."
    assert told == [
        (
            "dcim.location",
            "failure",
            [
                ("error", "User 'bob' does not have permission to add a Location."),
                ("failure", f"Exception: {no_location}"),
            ],
        ),
        ("dcim.device", "success", [("info", "Running Device Job Button Receiver.")]),
        (
            "dcim.devicetype",
            "failure",
            [("error", "Unable to run Job Button for type DeviceType."), ("failure", f"Exception: {unsupported}")],
        ),
    ]
    assert [len(await bob.history.log_entries(each)) for each in results] == [
        len(await app.log_entries(each)) for each in results
    ]


async def test_the_complex_button_refuses_a_type_it_does_not_know(complex_button):
    result, lines = await press(complex_button, "dcim.devicetype", "r1", "ann")
    assert result.error == "Exception: Job button called on unsupported object type."
    assert lines[0] == ("error", "Unable to run Job Button for type DeviceType.")


@pytest.fixture
async def hooked(founding_text):
    """An app with the text's third example hooked on devices."""
    async with founding_text.open() as app:
        await app.configuration.enable_job("ExampleJobHookReceiver")
        await app.configuration.add_hook("Serials", "ExampleJobHookReceiver", ["dcim.device"])
        yield app


async def test_the_hook_reverts_a_changed_serial_and_fires_no_second_run(hooked):
    app = hooked
    device = await save_device(app, name="ams01-r1", serial="OLD")
    await app.drain()
    await change_serial(app, "ams01-r1", "NEW", user="bob")
    (result,) = [each for each in await all_results(app) if each.user_name == "bob"]

    assert result.status is JobResultStatus.SUCCESS
    assert await lines_of(app, result) == [
        ("info", "DIFF: {'removed': {'serial': 'OLD'}, 'added': {'serial': 'NEW'}}"),
        ("info", "ams01-r1 serial has been changed from OLD to NEW"),
        ("info", "ams01-r1 serial NEW was not valid. Reverted to OLD"),
        ("info", "Serial validation completed for ams01-r1"),
    ]
    assert (await app.objects("dcim.device").get(device.pk)).serial == "OLD"

    *_, changed, reverted = await all_changes(app, object_pk=device.pk)
    assert (changed.change_context, changed.cuts, changed.depth) == ("app", (), 0)
    assert (reverted.change_context, reverted.user_name, reverted.cause) == ("job-hook", "bob", result.id)
    assert [cut.hook for cut in reverted.cuts] == ["Serials"]
    assert await all_results(app, change_id=reverted.id) == []


async def test_the_hook_leaves_a_change_of_something_else_alone(hooked):
    from buttonhook_dcim import Device

    app = hooked
    await save_device(app, name="ams01-r1", serial="OLD")
    async with app.transaction(user="bob"):
        device = await Device.objects.get(name="ams01-r1")
        device.status = "planned"
        await device.save()
    (result,) = [each for each in await all_results(app) if each.user_name == "bob"]
    assert [message for _, message in await lines_of(app, result)] == [
        "DIFF: {'removed': {'status': 'active'}, 'added': {'status': 'planned'}}"
    ]
    assert len(await all_changes(app)) == 2


async def test_the_hook_fails_on_a_create_as_it_does_in_the_original(hooked):
    app = hooked
    device = await save_device(app, name="ams01-r1", serial="NEW")
    result = await only_result(app)
    assert (result.status, result.error) == (
        JobResultStatus.FAILURE,
        "TypeError: 'NoneType' object is not subscriptable",
    )
    assert 'old_serial = snapshots["differences"]["removed"]["serial"]' in result.traceback
    assert (await app.objects("dcim.device").get(device.pk)).serial == "NEW"


async def test_the_hook_returns_at_once_on_a_delete(hooked):
    app = hooked
    device = await save_device(app, name="ams01-r1")
    await app.drain()
    await (await app.objects("dcim.device").get(device.pk)).delete()
    *_, result = await all_results(app)
    assert result.status is JobResultStatus.SUCCESS
    assert await lines_of(app, result) == []
