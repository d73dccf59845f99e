"""Receiver classes: the checks at load, and their Meta."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from buttonhook import JobButtonReceiver, JobHookReceiver, LogLevel, ObjectChangeAction, TrackedObject
from buttonhook.errors import BadReceiver
from buttonhook.receivers.meta import JobMeta
from buttonhook.receivers.registration import check_receiver


def hook(method: Any, **namespace: Any) -> type[JobHookReceiver]:
    return type("Guard", (JobHookReceiver,), {"receive_job_hook": method, **namespace})


def with_meta(**options: Any) -> type[JobHookReceiver]:
    def receive_job_hook(self, change, action, changed_object): ...

    return hook(receive_job_hook, Meta=type("Meta", (), options))


def meta_of(cls: type[Any]) -> tuple[JobMeta, list[str]]:
    receiver, notes = check_receiver(cls, "acme")
    return receiver.meta, notes


# --- signatures -----------------------------------------------------------------------------------


async def right(self, change, action, changed_object): ...
async def keywords_only(self, *, changed_object, change, action): ...
async def all_keywords(self, **kwargs): ...
async def with_defaults(self, change, action, changed_object, more=1, *rest, flag=False, **others): ...
async def other_self(this, change, action, changed_object): ...
def plain(self, change, action, changed_object): ...


@pytest.mark.parametrize("method", [right, keywords_only, all_keywords, with_defaults, other_self, plain])
def test_a_method_that_takes_the_keywords_is_accepted(method: Any):
    receiver, notes = check_receiver(hook(method), "acme")
    assert notes == []
    assert (receiver.kind, receiver.package, receiver.name) == ("hook", "acme", "Guard")
    assert receiver.is_async is (method is not plain)


async def wrong_names(self, object_change, action, changed_object): ...
async def too_few(self, change, action): ...
async def too_many(self, change, action, changed_object, more): ...
async def extra_keyword(self, change, action, changed_object, *, more): ...
async def by_position(self, change, action, changed_object, /): ...
async def no_self(change, action, changed_object): ...
def generator(self, change, action, changed_object):
    yield


async def async_generator(self, change, action, changed_object) -> AsyncIterator[int]:
    yield 1


@pytest.mark.parametrize(
    ("method", "problem"),
    [
        (wrong_names, "cannot be called as receive_job_hook(change=..., action=..., changed_object=...)"),
        (too_few, "unexpected keyword argument 'changed_object'"),
        (too_many, "missing a required argument: 'more'"),
        (extra_keyword, "missing a required argument: 'more'"),
        (by_position, "cannot be called"),
        (no_self, "multiple values for argument 'change'"),
        (staticmethod(right), "is no method"),
        (classmethod(right), "is no method"),
        (generator, "yields"),
        (async_generator, "yields"),
        (5, "is no method"),
        (None, "is no method"),
    ],
)
def test_a_method_that_cannot_be_called_is_refused_with_the_right_form(method: Any, problem: str):
    with pytest.raises(BadReceiver) as refused:
        check_receiver(hook(method), "acme")
    assert problem in str(refused.value)
    assert "Write: async def receive_job_hook(self, change, action, changed_object):" in str(refused.value)
    assert "Guard" in str(refused.value)


def test_a_button_is_called_with_its_object():
    async def receive_job_button(self, thing): ...

    with pytest.raises(BadReceiver, match=r"Write: async def receive_job_button\(self, obj\):"):
        check_receiver(type("Ping", (JobButtonReceiver,), {"receive_job_button": receive_job_button}), "acme")


@pytest.mark.parametrize(
    ("cls", "problem"),
    [
        (object, "is no receiver class"),
        (5, "is no receiver class"),
        (JobHookReceiver, "does not define receive_job_hook"),
        (type("Both", (JobHookReceiver, JobButtonReceiver), {}), "inherits both receiver bases"),
        (type("Empty", (JobHookReceiver,), {}), "does not define receive_job_hook"),
        (
            type("Runs", (JobHookReceiver,), {"run": right}),
            "overrides run(), which is never called, and does not define",
        ),
        (hook(right, run=right), "overrides run(), which is never called"),
        (hook(right, __init__=lambda self, needed: None), "cannot be made without arguments"),
    ],
)
def test_a_class_that_cannot_be_a_receiver_is_refused(cls: Any, problem: str):
    with pytest.raises(BadReceiver) as refused:
        check_receiver(cls, "acme")
    assert problem in str(refused.value)


def test_an_init_with_defaults_is_accepted():
    check_receiver(hook(right, __init__=lambda self, chosen=1, *rest, **more: None), "acme")


def test_a_method_that_a_mix_in_brings_is_accepted():
    mix_in = type("MixIn", (), {"receive_job_hook": right})
    check_receiver(type("Guard", (mix_in, JobHookReceiver), {}), "acme")


# --- Meta -----------------------------------------------------------------------------------------


def test_without_a_meta_the_defaults_hold():
    meta, notes = meta_of(hook(right))
    assert (meta, notes) == (JobMeta(), [])
    assert (meta.soft_time_limit, meta.time_limit, meta.ordering, meta.log_level) == (300, 600, "object", LogLevel.INFO)
    assert meta.actions == (ObjectChangeAction.CREATE, ObjectChangeAction.UPDATE, ObjectChangeAction.DELETE)


def test_options_are_inherited_along_classes_and_along_metas():
    parent = with_meta(name="Parent", retries=3, grouping="g")
    child = type("Child", (parent,), {"Meta": type("Meta", (), {"name": "Child"})})
    grandchild = type("Grandchild", (child,), {"Meta": type("Meta", (child.Meta,), {"retries": 5})})
    assert [(meta.name, meta.retries, meta.grouping) for meta in (meta_of(child)[0], meta_of(grandchild)[0])] == [
        ("Child", 3, "g"),
        ("Child", 5, "g"),
    ]
    assert meta_of(type("Plain", (parent,), {}))[0].name == "Parent"


@pytest.mark.parametrize(
    "options",
    [
        {"name": 5},
        {"hidden": "yes"},
        {"time_limit": "10"},
        {"retries": 1.5},
        {"ordering": "strict"},
        {"log_level": "loud"},
        {"log_level": 26},
        {"actions": ["explode"]},
        {"object_types": [5]},
    ],
)
def test_an_option_of_a_wrong_kind_refuses_the_receiver_and_names_it(options: dict[str, Any]):
    with pytest.raises(BadReceiver, match=f"has Meta.{next(iter(options))}"):
        meta_of(with_meta(**options))


def test_an_unknown_option_is_a_warning_with_the_nearest():
    meta, notes = meta_of(with_meta(retrys=3, name="x", zzz=1))
    assert meta == JobMeta(name="x")
    assert len(notes) == 2
    assert "Meta.retrys is no option and is ignored; did you mean 'retries'?" in notes[0]
    assert "Meta.zzz is no option and is ignored; known: name, " in notes[1]


def test_approval_is_ignored_and_said_so():
    _, notes = meta_of(with_meta(approval_required=True))
    assert len(notes) == 1
    assert "approval_required is ignored" in notes[0]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("debug", LogLevel.DEBUG),
        ("WARNING", LogLevel.WARNING),
        ("Success", LogLevel.SUCCESS),
        (35, LogLevel.FAILURE),
        (LogLevel.ERROR, LogLevel.ERROR),
    ],
)
def test_a_level_is_given_by_word_or_number(given: Any, expected: LogLevel):
    assert meta_of(with_meta(log_level=given))[0].log_level is expected


class Device(TrackedObject, object_type="t.device"):
    name: str


@pytest.mark.parametrize("given", ["t.device", ["t.device"], ("t.device",), Device, [Device]])
def test_object_types_are_given_by_name_or_class_one_or_many(given: Any):
    assert meta_of(with_meta(object_types=given))[0].object_types == ("t.device",)


@pytest.mark.parametrize("given", ["create", ["create"], (ObjectChangeAction.CREATE,), ObjectChangeAction.CREATE])
def test_actions_are_given_one_or_many(given: Any):
    assert meta_of(with_meta(actions=given))[0].actions == (ObjectChangeAction.CREATE,)


def test_a_description_is_made_one_line():
    assert meta_of(with_meta(description="\n    Two\n    lines.\n"))[0].description == "Two lines."
