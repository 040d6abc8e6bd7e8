"""GET /v1/me: who the token's holder is, and where the feed stands."""

from app.model import DEVICE_SCOPES, Scope
from tests.harness.live import Live
from tests.harness.problems import problem


async def test_a_device_learns_its_user_itself_and_its_feed(live: Live) -> None:
    person = await live.person()
    device = await person.device("laptop")
    await (await live.assistant(person)).save()
    response = await live.get("/v1/me", device.token)

    assert response.status_code == 200
    me = response.json()
    assert list(me) == ["user", "device", "client", "scopes", "feed"]
    assert me["user"]["email"] == person.email
    assert me["user"].keys() == {"id", "email", "created_at"}
    assert me["device"] == (await live.get("/v1/devices", device.token)).json()["devices"][0]
    assert me["client"] == "starling"
    assert set(me["scopes"]) == set(DEVICE_SCOPES)
    epoch = me["feed"]["epoch"]
    assert me["feed"] == {"epoch": epoch, "head": 1, "cursor": f"{epoch}.1"}


async def test_the_cursor_is_where_a_stream_can_go_on(live: Live) -> None:
    person = await live.person()
    device = await person.device()
    assistant = await live.assistant(person)
    await assistant.save()
    cursor = (await live.get("/v1/me", device.token)).json()["feed"]["cursor"]
    await assistant.save()
    listener = await (await live.listen(device, cursor)).until_ready()
    assert listener.seqs == [2]
    assert "reset" not in listener.names


async def test_a_client_that_is_no_device_has_none_and_any_scope_will_do(live: Live) -> None:
    person = await live.person()
    await person.device()
    for scope in Scope:
        me = (await live.get("/v1/me", await person.token("claude", [scope]))).json()
        assert (me["device"], me["client"], me["scopes"]) == (None, "claude", [scope.value])


async def test_without_a_token_nobody_is_anybody(live: Live) -> None:
    problem(await live.http.get("/v1/me"), 401, "unauthorized")
