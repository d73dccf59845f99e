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


async def test_the_message_of_a_delete_is_about_the_object_and_counts_what_one_may_see_of_what_went_along(
    served: Served,
):
    session = served.app.session(user="ann")
    await session.objects("dcim.device").create(pk="r1", name="ams01-r1")
    await session.objects("dcim.interface").create(pk="i1", name="hidden-port", device="r1")
    rights = ("dcim.view_device", "dcim.delete_device", "dcim.delete_interface", "dcim.change_interface")
    bob = await served.browser("bob", *rights, "jobs.view_objectchange")
    page = await bob.get("/objects/dcim.device/r1/delete")
    assert page.status_code == 200
    form = {"csrf_token": bob.headers["X-CSRF-Token"]}
    gone = await bob.post("/objects/dcim.device/r1/delete", data=form, follow_redirects=True)
    assert "Deleted ams01-r1." in gone.text
    assert "hidden-port" not in gone.text
    assert "went or changed along" not in gone.text
