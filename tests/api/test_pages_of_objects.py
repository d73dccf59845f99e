"""The pages of objects, without a browser."""

from tests.api.served import Served


async def test_a_list_of_a_free_type_has_a_column_for_each_plain_key(served: Served):
    await served.app.configuration.declare_type("net.profile")
    await served.app.session(user="ann").objects("net.profile").create(pk="a", name="A", mtu=9000, tags=["x"])
    page = await (await served.owner()).get("/objects/net.profile")
    assert page.status_code == 200
    assert 'data-label="Mtu"' in page.text
    assert 'data-label="Tags"' not in page.text
