"""The pages of objects, without a browser."""

from tests.api.served import Served


async def test_a_list_of_a_free_type_has_a_column_for_each_plain_key(served: Served):
    await served.app.configuration.declare_type("net.profile")
    await served.app.session(user="ann").objects("net.profile").create(pk="a", name="A", mtu=9000, tags=["x"])
    page = await (await served.owner()).get("/objects/net.profile")
    assert page.status_code == 200
    assert 'data-label="Mtu"' in page.text
    assert 'data-label="Tags"' not in page.text


async def test_the_page_of_an_object_that_was_deleted_leads_to_its_changes(served: Served):
    session = served.app.session(user="ann")
    device = await session.objects("dcim.device").create(pk="r1", name="ams01-r1")
    await device.delete()
    ann = await served.owner()
    page = await ann.get("/objects/dcim.device/r1")
    assert page.status_code == 404
    assert "It was deleted" in page.text
    assert "/changes?object_type=dcim.device&amp;object_pk=r1" in page.text
    never = await ann.get("/objects/dcim.device/r2")
    assert never.status_code == 404
    assert "It was deleted" not in never.text
    bob = await served.user("bob", "dcim.view_device")
    assert "It was deleted" not in (await bob.get("/objects/dcim.device/r1")).text
