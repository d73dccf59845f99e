"""A constraint that a type gains later holds for the objects that were there before."""

import pytest

from buttonhook import TrackedObject, UniqueViolation, open_app


def make_type(**options):
    class Port(TrackedObject, object_type="lab.port", **options):
        name: str
        panel: str = ""

    return Port


async def test_a_constraint_added_later_is_held_for_older_objects(tmp_path):
    path = str(tmp_path / "ports.db")
    async with open_app(path, object_types=[make_type()], load_plugins=False) as app:
        for pk, name in (("a", "one"), ("b", "two"), ("c", "two")):
            await app.objects("lab.port").create(pk=pk, name=name)
    async with open_app(path, object_types=[make_type(unique=("name",))], load_plugins=False) as app:
        (problem,) = (await app.check()).problems
        assert problem.startswith("lab.port 'c' cannot have name = 'two': lab.port 'b' has it already")
        with pytest.raises(UniqueViolation, match="'a' has it already"):
            await app.objects("lab.port").create(pk="d", name="one")
        await (await app.objects("lab.port").get("a")).delete()
        await app.objects("lab.port").create(pk="d", name="one")


async def test_a_constraint_that_is_gone_holds_no_longer(tmp_path):
    path = str(tmp_path / "ports.db")
    async with open_app(path, object_types=[make_type(unique=("name",))], load_plugins=False) as app:
        await app.objects("lab.port").create(pk="a", name="one")
    async with open_app(path, object_types=[make_type(unique=(("name", "panel"),))], load_plugins=False) as app:
        await app.objects("lab.port").create(pk="b", name="one", panel="p")
        with pytest.raises(UniqueViolation):
            await app.objects("lab.port").create(pk="c", name="one", panel="p")
        assert (await app.check()).problems == []
