"""A person lets a program in: from its link over an account to its callback."""

from urllib.parse import urlencode

from tests.harness.browser import PASSWORD
from tests.harness.callback import Program, program
from tests.harness.chromium import Tab
from tests.harness.live import Live
from tests.harness.oauth import OAuthClient, pkce

LOOPBACK = "http://127.0.0.1/callback"
STATE = "a b&c=d/é"


async def notes(live: Live) -> OAuthClient:
    """A program for a computer."""
    return await OAuthClient.make(live, "notes", public=True, redirect_uris=(LOOPBACK,))


def link(live: Live, to: Program, challenge: str) -> str:
    asked = {
        "response_type": "code",
        "client_id": "notes",
        "redirect_uri": to.url,
        "scope": "items:read stream",
        "state": STATE,
        "code_challenge": challenge,
        "code_challenge_method": "S256",
    }
    return f"{live.url}/oauth/authorize?{urlencode(asked)}"


async def test_from_signing_up_over_consent_to_the_program(live: Live, tab: Tab) -> None:
    app, (verifier, challenge) = await notes(live), pkce()
    async with program() as running:
        assert await tab.go(link(live, running, challenge)) == 200
        assert await tab.path() == "/sign-in"
        await tab.click("Make an account", "link")
        await tab.fill("E-mail address", "ada@example.com")
        await tab.fill("Password", PASSWORD)
        await tab.click("Make the account")
        assert await tab.path() == "/oauth/authorize"
        words = await tab.words()
        assert "NOTES" in words
        print(words)
        await tab.click("Allow")
        (came,) = running.came
    assert (came["state"], came["iss"]) == (STATE, live.url)
    given = (await app.redeem(came["code"], redirect_uri=running.url, code_verifier=verifier)).json()
    print(given)
