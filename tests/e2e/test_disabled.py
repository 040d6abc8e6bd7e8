"""A disabled account: nothing of it is accepted, open streams are cut at once, and enabling takes all of it back."""

import pytest

from app.hub.watch import Watch
from app.store.users import Users
from tests.harness.browser import PASSWORD, Browser
from tests.harness.live import Live
from tests.harness.oauth import OAuthClient, pkce, refused
from tests.harness.people import Person
from tests.harness.problems import problem


@pytest.fixture
def blind(monkeypatch: pytest.MonkeyPatch) -> None:
    """The check of the heads finds nothing: it has to be told."""

    async def check(_: Watch) -> None:
        pass

    monkeypatch.setattr(Watch, "check", check)


async def disable(live: Live, email: str) -> None:
    """As the command does: on the database alone, and no bus hears of it."""
    assert await Users(live.starling.writing).disable(email)


@pytest.mark.usefixtures("blind")
async def test_streams_are_cut_at_once_and_tokens_and_tickets_are_refused(live: Live) -> None:
    person, other = await live.person(), await live.person()
    device, bystander = await person.device(), await other.device()
    stream, kept = await live.listen(device), await live.listen(bystander)
    for each in (stream, kept):
        await each.until_ready()
    headers = device.headers
    ticket = (await live.http.post("/v1/stream/tickets", headers=headers)).json()["ticket"]
    gpt = await person.token()
    assert (await live.get("/actions/items", gpt)).status_code == 200

    await disable(live, person.email)
    await stream.until_end(within=3)
    assert stream.names[-1] == "revoked"
    for path, token in (("/v1/me", device.token), ("/v1/stream", device.token), ("/actions/items", gpt)):
        problem(await live.get(path, token), 401, "unauthorized")
    problem(await live.http.get(f"/v1/stream?ticket={ticket}"), 401, "unauthorized")
    await (await live.assistant(other)).save()
    await kept.until_seq(1)

    assert await Users(live.starling.writing).enable(person.email)
    assert (await live.get("/v1/me", gpt)).status_code == 200
    await (await live.listen(device)).until_ready()
    await (await live.listen_with(device.token)).until_ready()


@pytest.mark.usefixtures("blind")
async def test_control_a_server_that_is_not_told_goes_on(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.store.revocations._read", lambda _: None)
    person = await live.person()
    stream = await live.listen(await person.device())
    await stream.until_ready()
    await disable(live, person.email)
    with pytest.raises(TimeoutError):
        await stream.until_end(within=3)


async def test_refresh_tokens_and_codes_are_refused_and_not_used_up(live: Live) -> None:
    person, gpt = await live.person(), await OAuthClient.make(live)
    app = await OAuthClient.make(live, "app", public=True)
    of_app, of_gpt = await app.grant(person, scope="stream", device_name="laptop"), await gpt.grant(person)
    verifier, challenge = pkce()
    code = await app.code(person, code_challenge=challenge, code_challenge_method="S256")
    await disable(live, person.email)
    for _ in range(3):
        refused(await app.refresh(of_app["refresh_token"]), "invalid_grant")
        refused(await gpt.refresh(of_gpt["refresh_token"]), "invalid_grant")
    refused(await app.redeem(code, code_verifier=verifier), "invalid_grant")
    told = await gpt.post("/oauth/introspect", token=of_gpt["access_token"])
    assert told.json() == {"active": False}

    await Users(live.starling.writing).enable(person.email)
    assert (await app.redeem(code, code_verifier=verifier)).status_code == 200
    assert (await gpt.refresh(of_gpt["refresh_token"])).status_code == 200
    again = await app.refresh(of_app["refresh_token"])
    assert again.json()["device_id"] == of_app["device_id"]


async def test_the_person_is_signed_out_and_not_let_in(live: Live) -> None:
    async with Browser.open(live.url) as browser, Browser.open(live.url) as second:
        email = await browser.sign_up()
        await disable(live, email)
        await browser.go("/account")
        assert browser.path == "/sign-in"
        await second.go("/sign-in")
        await second.send("/sign-in", email=email, password="wrong " + PASSWORD)
        assert second.response.status_code == 403
        assert "disabled" not in second.text, "who does not know the password learns nothing"
        await second.send("/sign-in", email=email, password=PASSWORD)
        assert second.response.status_code == 403
        assert "disabled" in second.text

        await Users(live.starling.writing).enable(email)
        await browser.go("/account")
        assert browser.path == "/account"
        assert "disabled by whoever runs this server" in browser.text
        assert "enabled again" in browser.text


async def test_a_device_that_was_let_in_before_waits(live: Live, person: Person) -> None:
    asked = (await live.http.post("/oauth/device_authorization", data={"client_id": "starling"})).json()
    async with Browser.open(live.url) as browser:
        email = await browser.sign_up()
        await browser.go("/activate")
        await browser.send("/activate", user_code=asked["user_code"])
        await browser.send("/activate", decision="allow")
    await disable(live, email)
    form = {"grant_type": "urn:ietf:params:oauth:grant-type:device_code", "device_code": asked["device_code"]}
    own = OAuthClient(live, "starling", None)
    refused(await own.post("/oauth/token", **form), "authorization_pending")
    await Users(live.starling.writing).enable(email)
    assert (await own.post("/oauth/token", **form)).status_code == 200
