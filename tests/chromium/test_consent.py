"""A person lets a program in: from its link over an account to its callback, with the keyboard alone, too."""

from collections.abc import AsyncIterator
from urllib.parse import urlencode

import pytest

from tests.harness.browser import PASSWORD
from tests.harness.chromium import Tab
from tests.harness.elsewhere import Program, program
from tests.harness.live import Live
from tests.harness.oauth import OAuthClient, pkce

LOOPBACK = "http://127.0.0.1/callback"
EMAIL = "ada@example.com"
STATE = "a b&c=d/é"


@pytest.fixture
async def running() -> AsyncIterator[Program]:
    """The program that asks."""
    async with program() as made:
        yield made


@pytest.fixture
async def app(live: Live) -> OAuthClient:
    """As the server knows it."""
    return await OAuthClient.make(live, "notes", public=True, redirect_uris=(LOOPBACK,))


def link(live: Live, to: str, challenge: str, client: str = "notes", scope: str = "items:read stream") -> str:
    """Where the program sends a person."""
    asked = {
        "response_type": "code",
        "client_id": client,
        "redirect_uri": to,
        "scope": scope,
        "state": STATE,
        "code_challenge": challenge,
        "code_challenge_method": "S256",
    }
    return f"{live.url}/oauth/authorize?{urlencode(asked)}"


async def test_from_signing_up_over_consent_to_the_program(
    live: Live, tab: Tab, app: OAuthClient, running: Program
) -> None:
    verifier, challenge = pkce()
    assert await tab.go(link(live, running.url, challenge)) == 200
    assert await tab.path() == "/sign-in"
    await tab.click("Make an account", "link")
    await tab.fill("E-mail address", EMAIL)
    await tab.fill("Password", PASSWORD)
    await tab.click("Make the account")
    assert await tab.path() == "/oauth/authorize"
    words = await tab.words()
    for said in (
        "Let NOTES in?",
        "Read everything that you have saved, and see your devices",
        "Get everything that you save as it happens, as one of your devices",
        "a program on this device (127.0.0.1:",
        f"Signed in as {EMAIL}",
    ):
        assert said in words
    assert "Save, change and delete" not in words
    assert "has not checked this program" not in words
    assert running.came == []
    await tab.click("Allow")
    assert "You are back" in await tab.words()
    (came,) = running.came
    assert running.referrers == []
    assert came.keys() == {"code", "state", "iss"}
    assert (came["state"], came["iss"]) == (STATE, live.url)
    named = {"device_name": "laptop", "device_kind": "desktop"}
    given = await app.redeem(came["code"], redirect_uri=running.url, code_verifier=verifier, **named)
    me = (await live.get("/v1/me", given.json()["access_token"])).json()
    assert (me["user"]["email"], me["device"]["name"], set(me["scopes"])) == (EMAIL, "laptop", {"items:read", "stream"})


async def test_a_person_who_does_not_allow_it_is_taken_back_too(
    live: Live, tab: Tab, app: OAuthClient, running: Program
) -> None:
    await tab.sign_in(live)
    await tab.go(link(live, running.url, pkce()[1]))
    await tab.click("Do not allow")
    assert "You are back" in await tab.words()
    (came,) = running.came
    assert (came["error"], came["state"], came["iss"]) == ("access_denied", STATE, live.url)
    assert "code" not in came


async def test_with_the_keyboard_alone(live: Live, tab: Tab, app: OAuthClient, running: Program) -> None:
    person = await tab.sign_up(live)
    await tab.click("Sign out")
    await tab.go(link(live, running.url, pkce()[1]))
    await tab.until_focused("E-mail address")
    await tab.type(person.email)
    assert await tab.next_focused() == "Password"
    await tab.type(PASSWORD)
    assert await tab.key("Enter", until="load") == 200
    assert [await tab.next_focused() for _ in range(4)] == ["Starling", "Sign out", "Allow", "Do not allow"]
    assert await tab.next_focused() == "your account's page"
    await tab.key("Shift+Tab")
    await tab.key("Shift+Tab")
    assert await tab.focused() == "Allow"
    await tab.key("Enter", until="load")
    assert running.came[0].keys() == {"code", "state", "iss"}


async def test_who_registers_itself_is_told_apart(live: Live, tab: Tab, running: Program) -> None:
    asked = {"redirect_uris": [LOOPBACK], "client_name": "ChatGPT", "token_endpoint_auth_method": "none"}
    made = (await live.http.post("/oauth/register", json=asked)).json()
    await tab.sign_in(live)
    await tab.go(link(live, running.url, pkce()[1], made["client_id"], "items:write"))
    words = await tab.words()
    assert "Let ChatGPT in?" in words
    assert "it gave itself its name" in words
    await tab.click("Allow")
    assert "code" in running.came[0]
