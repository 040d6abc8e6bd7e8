"""Every page in all its states: for everybody to use, in both themes, on a phone. `SHOTS=directory` keeps pictures."""

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from urllib.parse import urlencode

import pytest
from sqlalchemy import text

from app.auth import people
from app.model import Scope
from tests.chromium.test_consent import LOOPBACK
from tests.e2e.test_oauth_device import ask
from tests.e2e.test_pages import authorize
from tests.e2e.test_provider import joined
from tests.harness.browser import PASSWORD
from tests.harness.chromium import Tab
from tests.harness.live import Live
from tests.harness.oauth import OAuthClient
from tests.harness.provider import RealProvider, real_provider

TEMPLATES = Path(__file__).parents[2] / "app" / "web" / "templates"
EMAIL = "ada@example.com"
CLAIMS = urlencode({"sub": "1", "email": EMAIL, "email_verified": "true"})
LONG = "Grandmother's old tablet in the kitchen, next to the window with the geraniums (please do not turn it off)"[
    :100
]
UNBROKEN = "x" * 100
Looks = Callable[[Live, Tab], Awaitable[None]]
LOOKS: dict[str, Looks] = {}


@pytest.fixture(scope="module")
async def provider() -> AsyncIterator[RealProvider]:
    async with real_provider() as started:
        yield started


@pytest.fixture
async def live(provider: RealProvider, database_url: str, own_dir: Path) -> AsyncIterator[Live]:
    """A server with all that a page can offer."""
    async with joined(provider, database_url, own_dir) as running:
        yield running


def of(template: str) -> Callable[[Looks], Looks]:
    """What opens a template's page in all states and has each judged."""

    def keep(looks: Looks) -> Looks:
        LOOKS[template] = looks
        return looks

    return keep


@pytest.mark.parametrize("template", sorted(path.stem for path in TEMPLATES.glob("*.html") if path.stem != "base"))
async def test_everybody_can_use_the_page(live: Live, tab: Tab, template: str) -> None:
    await LOOKS[template](live, tab)


@of("sign_in")
async def sign_in(live: Live, tab: Tab) -> None:
    await tab.go(f"{live.url}/sign-in")
    await tab.judge("sign_in")
    await tab.fill("E-mail address", EMAIL)
    await tab.fill("Password", "wrong password")
    assert await tab.click("Sign in") == 403
    await tab.judge("sign_in-wrong")
    hit = live.starling.services.people._throttles.hit
    for _ in range(people.TRIES):
        await hit("sign-in", f"{EMAIL} 127.0.0.1", limit=people.TRIES + 1, period=people.PERIOD)
    await tab.fill("Password", "wrong password")
    assert await tab.click("Sign in") == 429
    await tab.judge("sign_in-throttled")


@of("sign_up")
async def signing_up(live: Live, tab: Tab) -> None:
    await tab.go(f"{live.url}/sign-up")
    await tab.judge("sign_up")
    await tab.fill("E-mail address", (await live.person()).email)
    await tab.fill("Password", PASSWORD)
    assert await tab.click("Make the account") == 409
    await tab.judge("sign_up-taken")


@of("join")
async def join(live: Live, tab: Tab) -> None:
    tab.expected.append("NAME_NOT_RESOLVED")  # of a font for the provider's own pages
    await live.starling.services.people.sign_up(EMAIL, PASSWORD, "192.0.2.7")
    await tab.go(f"{live.url}/sign-in")
    await tab.click("Sign in with Example", "link")
    await tab.call(["locator", "input[name=login]"], ["fill", CLAIMS])
    await tab.call(["locator", "input[name=password]"], ["fill", "any"])
    await tab.click("Sign-in")
    await tab.click("Continue")
    await tab.judge("join")
    await tab.fill("Password of the account", "wrong password")
    assert await tab.click("Join the two") == 403
    await tab.judge("join-wrong")
    await tab.fill("Password of the account", PASSWORD)
    assert await tab.click("Join the two") == 200
    await tab.unfold("Sign in with the password only")
    await tab.judge("account-joined")


@of("consent")
async def consent(live: Live, tab: Tab) -> None:
    await OAuthClient.make(live)
    await tab.sign_in(live)
    await tab.go(live.url + authorize(scope="items:read items:write"))
    await tab.judge("consent")
    asked = {"redirect_uris": [LOOPBACK], "client_name": LONG, "token_endpoint_auth_method": "client_secret_basic"}
    made = await live.http.post("/oauth/register", json={**asked, "scope": " ".join(Scope)})
    pkce = {"code_challenge": "x" * 43, "code_challenge_method": "S256", "scope": " ".join(Scope)}
    await tab.go(live.url + authorize(client_id=made.json()["client_id"], redirect_uri=LOOPBACK, **pkce))
    await tab.judge("consent-registered-itself")
    described = "https://a-rather-long-name-of-a-subdomain.program.example/client.json"
    await OAuthClient.make(live, described, public=True, redirect_uris=(LOOPBACK,))
    await tab.go(live.url + authorize(client_id=described, redirect_uri=LOOPBACK, **pkce))
    await tab.judge("consent-described")


@of("activate")
async def activate(live: Live, tab: Tab) -> None:
    await tab.sign_in(live)
    await tab.go(f"{live.url}/activate")
    await tab.judge("activate")
    for _ in range(5):
        await tab.fill("Code that the device shows", "BBBB-BBBB")
        assert await tab.click("Next") == 404
    await tab.judge("activate-unknown")
    assert await tab.click("Next") == 429
    await tab.judge("activate-throttled")


@of("device")
async def device(live: Live, tab: Tab) -> None:
    await tab.sign_in(live)
    for name, kind in (("Ada's phone", "mobile"), (UNBROKEN, "cli")):
        asked = await ask(live, device_name=name, device_kind=kind)
        await tab.go(asked["verification_uri_complete"])
        assert await tab.click("Next") == 200
        await tab.judge(f"device-{kind}")


@of("account")
async def account(live: Live, tab: Tab) -> None:
    person = await tab.sign_up(live)
    await tab.judge("account-empty")
    devices = [await person.device(name, kind) for name, kind in (("Phone", "mobile"), (LONG, "browser"))]
    await person.device(UNBROKEN, "cli")
    await (await live.listen(devices[0])).until_ready()
    assistant = await live.assistant(person)
    for _ in range(3):
        await assistant.save()
    await (await OAuthClient.make(live)).grant(person)
    await OAuthClient.make(live, "notes", public=True)
    await (await OAuthClient.make(live, UNBROKEN)).grant(person, scope="items:read")
    async with live.starling.database.transaction(person.feed_id) as connection:
        seen = text("update devices set last_seen = now() - interval '3 days' where id = :id")
        await connection.execute(seen, {"id": devices[1].id})
    await tab.go(f"{live.url}/account")
    await tab.judge("account")
    for summary in ("Rename Phone", "Change the password", "Delete the account"):
        await tab.unfold(summary)
    await tab.judge("account-open")
    await tab.fill("Password now", "wrong password")
    await tab.fill("New password", PASSWORD)
    assert await tab.click("Change it") == 403
    await tab.until_focused("Password now")
    await tab.judge("account-wrong")
    await tab.unfold("Delete the account")
    await tab.fill("Password, to be sure", "wrong password")
    assert await tab.click("Delete the account and everything in it") == 403
    await tab.until_focused("Password, to be sure")
    await tab.judge("account-not-deleted")


@of("privacy")
async def privacy(live: Live, tab: Tab) -> None:
    await tab.go(f"{live.url}/privacy")
    await tab.judge("privacy")


@of("message")
async def message(live: Live, tab: Tab) -> None:
    await tab.sign_in(live)
    await tab.go(live.url + authorize(client_id="nobody"))
    await tab.judge("message-client")
    for answer in ("Allow", "Do not allow"):
        await tab.go((await ask(live))["verification_uri_complete"])
        await tab.click("Next")
        assert await tab.click(answer) == 200
        await tab.judge(f"message-{answer.split()[0]}")
    await tab.go(f"{live.url}/activate")
    await tab.call(["context"], ["clearCookies", {"name": "starling_form"}])
    await tab.fill("Code that the device shows", "BBBB-BBBB")
    assert await tab.click("Next") == 403
    await tab.judge("message-expired")
