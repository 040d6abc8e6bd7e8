"""People on the pages, over HTTP: signing up and in, consent, letting devices in, taking access back."""

from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlencode

import pytest

from app.auth import people
from tests.e2e.test_oauth_device import ask, poll
from tests.harness.browser import PASSWORD, Browser
from tests.harness.live import Live, serving
from tests.harness.oauth import CALLBACK, OAuthClient, query_of, refused


@pytest.fixture
async def browser(live: Live) -> AsyncIterator[Browser]:
    async with Browser.open(live.url) as opened:
        yield opened


def authorize(**asked: str) -> str:
    return "/oauth/authorize?" + urlencode(
        {"response_type": "code", "client_id": "gpt", "redirect_uri": CALLBACK, **asked}
    )


async def test_signing_up_out_and_in(browser: Browser) -> None:
    await browser.go("/account")
    assert browser.path == "/sign-in"
    email = await browser.sign_up()
    assert browser.path == "/account"
    assert email in browser.text
    await browser.send("/sign-out")
    assert browser.path == "/sign-in"
    await browser.go("/account")
    assert browser.path == "/sign-in"
    assert (await browser.send("/sign-in", email=email, password="wrong password")).status_code == 403
    assert "wrong" in browser.text
    assert browser.form("/sign-in")["email"] == email
    assert "password" not in browser.form("/sign-in") or browser.form("/sign-in")["password"] == ""
    assert (await browser.send("/sign-in", email=f" {email.upper()} ", password=PASSWORD)).status_code == 200
    assert browser.path == "/account"


@pytest.mark.parametrize(
    ("email", "password"),
    [
        ("nobody", PASSWORD),
        ("", PASSWORD),
        ("a b@example.com", PASSWORD),
        ("x" * 250 + "@example.com", PASSWORD),
        ("a@b", "short"),
        ("a@b", "x" * 1025),
    ],
)
async def test_what_is_no_address_or_password_is_said(browser: Browser, email: str, password: str) -> None:
    await browser.go("/sign-up")
    assert (await browser.send("/sign-up", email=email, password=password)).status_code == 422
    assert browser.form("/sign-up")["email"] == email


async def test_an_address_that_is_taken_is_said(live: Live, browser: Browser) -> None:
    person = await live.person()
    await browser.go("/sign-up")
    assert (await browser.send("/sign-up", email=person.email, password=PASSWORD)).status_code == 409
    await browser.go("/sign-in")
    assert (await browser.send("/sign-in", email=person.email, password=PASSWORD)).status_code == 403


async def test_signing_up_can_be_closed(database_url: str, own_dir: Path) -> None:
    async with serving(database_url, own_dir, sign_up="closed") as live, Browser.open(live.url) as browser:
        assert (await browser.go("/sign-up")).status_code == 403
        await browser.go("/sign-in")
        assert "Make an account" not in browser.text
        form = {**browser.form("/sign-in"), "email": "a@example.com", "password": PASSWORD}
        assert (await browser.http.post("/sign-up", data=form)).status_code == 403


async def test_a_form_that_is_refused_says_when_to_come_back(browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    await browser.sign_up()
    for name in ("TRIES", "PER_ADDRESS", "SIGN_UPS"):
        monkeypatch.setattr(people, name, 0)

    def is_told(minutes: int) -> bool:
        response = browser.response
        return (response.status_code, 0 < int(response.headers["retry-after"]) <= minutes * 60) == (429, True)

    await browser.send("/account/password", current=PASSWORD, new=PASSWORD)
    assert is_told(15)
    await browser.send("/account/delete", password=PASSWORD)
    assert is_told(15)
    await browser.send("/sign-out")
    await browser.send("/sign-in", email="ada@example.com", password=PASSWORD)
    assert is_told(15)
    await browser.go("/sign-up")
    await browser.send("/sign-up", email="ada@example.com", password=PASSWORD)
    assert is_told(60)


async def test_the_whole_way_of_a_gpt(live: Live, browser: Browser) -> None:
    gpt = await OAuthClient.make(live)
    await browser.go(authorize(state="a b&c=d/é", scope="items:read items:write"))
    assert browser.path == "/sign-in"
    await browser.go(f"/sign-up?next={browser.form('/sign-in')['next']}".replace("&", "%26"))
    await browser.go("/sign-up?" + urlencode({"next": authorize(state="a b&c=d/é", scope="items:read items:write")}))
    await browser.send("/sign-up", email="ada@example.com", password=PASSWORD)
    assert browser.path == "/oauth/authorize"
    assert "Let GPT in?" in browser.text
    assert "chatgpt.com" in browser.text
    assert "Save, change and delete items" in browser.text
    assert "Rename your devices" not in browser.text
    assert "https://chatgpt.com" in browser.response.headers["content-security-policy"]
    denied = await browser.send("/oauth/authorize", decision="deny")
    assert query_of(denied.headers["location"])["error"] == "access_denied"
    await browser.go(authorize(state="a b&c=d/é", scope="items:read items:write"))
    allowed = await browser.send("/oauth/authorize", decision="allow")
    location = allowed.headers["location"]
    assert location.startswith(CALLBACK + "?")
    assert (query_of(location)["state"], query_of(location)["iss"]) == ("a b&c=d/é", live.url)
    given = (await gpt.redeem(query_of(location)["code"])).json()
    me = (await live.get("/v1/me", given["access_token"])).json()
    assert me["user"]["email"] == "ada@example.com"
    await browser.go("/account")
    assert "GPT" in browser.text
    action = next(
        line.split('action="')[1].split('"')[0] for line in browser.response.text.splitlines() if "/assistants/" in line
    )
    await browser.send(action)
    assert "GPT" not in browser.text
    assert (await live.get("/v1/me", given["access_token"])).status_code == 401
    refused(await gpt.refresh(given["refresh_token"]), "invalid_grant")


async def test_what_cannot_go_back_to_the_client_is_told_to_the_person(live: Live, browser: Browser) -> None:
    await OAuthClient.make(live)
    for asked in ({"client_id": "nobody"}, {"redirect_uri": "https://evil.example/"}):
        answer = await browser.go(authorize(**asked))
        assert answer.status_code == 400
        assert "location" not in answer.headers
    answer = await browser.go(authorize(response_type="token"))
    assert answer.headers["location"].startswith(f"{CALLBACK}?error=unsupported_response_type")
    for query in ("%00", "client_id=%ff", "a=1&" * 60):
        assert (await browser.go(f"/oauth/authorize?{query}")).status_code == 400


@pytest.mark.case(28, "the link with the code only fills it in; the page tells who asks, whence and when")
async def test_a_device_is_let_in_by_its_code(live: Live, browser: Browser) -> None:
    asked = await ask(live, device_name="<b>Ada's</b> phone")
    link = asked["verification_uri_complete"].removeprefix(live.url)
    await browser.go(link)
    assert browser.path == "/sign-in"
    await browser.sign_up()
    await browser.go(link)
    assert browser.form("/activate")["user_code"] == asked["user_code"]
    refused(await poll(live, asked), "authorization_pending")
    await browser.send("/activate", user_code=asked["user_code"].lower())
    for words in ("<b>Ada's</b> phone", "Phone or tablet", "Starling", "127.0.0.1", "UTC"):
        assert words in browser.text
    assert "<b>" not in browser.response.text
    assert "access_token" not in (await poll(live, asked)).text
    await browser.send("/activate", decision="allow")
    token = (await poll(live, asked)).json()
    stream = await live.listen_with(token["access_token"])
    await stream.until_ready()
    await browser.go("/account")
    assert "online now" in browser.text
    await browser.send(f"/account/devices/{token['device_id']}/rename", name="Ada's tablet")
    assert "Ada's tablet" in browser.text
    assert (await browser.send(f"/account/devices/{token['device_id']}/rename", name=" ")).status_code == 422
    await browser.send(f"/account/devices/{token['device_id']}/revoke")
    await stream.until_event("revoked", within=6)
    assert "Ada's tablet" not in browser.text


async def test_a_device_can_be_kept_out(live: Live, browser: Browser) -> None:
    asked = await ask(live)
    await browser.sign_up()
    await browser.go("/activate")
    assert (await browser.send("/activate", user_code="BBBB-BBBB")).status_code == 404
    await browser.send("/activate", user_code=asked["user_code"])
    await browser.send("/activate", decision="deny")
    refused(await poll(live, asked), "access_denied")


async def test_a_stranger_cannot_touch_devices_or_assistants(live: Live, browser: Browser) -> None:
    person, gpt = await live.person(), await OAuthClient.make(live)
    device, given = await person.device(), await gpt.grant(person)
    grant = (await live.starling.services.ledgers.assistants(person.feed_id))[0]["id"]
    await browser.sign_up()
    form = {"csrf": browser.form("/sign-out")["csrf"], "name": "mine"}
    for path in (f"devices/{device.id}/rename", f"devices/{device.id}/revoke", f"assistants/{grant}/revoke"):
        assert (await browser.http.post(f"/account/{path}", data=form)).status_code == 404
    assert (await live.get("/v1/me", given["access_token"])).status_code == 200
    assert (await live.get("/v1/me", device.token)).json()["device"]["name"] == "laptop"


async def test_the_person_sees_whether_the_asking_program_gave_itself_its_name(live: Live) -> None:
    asked = {"client_name": "Starling", "redirect_uris": ["http://127.0.0.1/callback"], "scope": "stream items:read"}
    made = await live.http.post("/oauth/register", json={**asked, "token_endpoint_auth_method": "none"})
    async with Browser.open(live.url) as browser:
        await browser.sign_up()
        for client_id, is_told in ((made.json()["client_id"], True), ("starling", False)):
            begun = await live.http.post("/oauth/device_authorization", data={"client_id": client_id})
            await browser.go("/activate")
            await browser.send("/activate", user_code=begun.json()["user_code"])
            assert "Asked from" in browser.text
            assert ("it gave itself its name" in browser.text) is is_told
