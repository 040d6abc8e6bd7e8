"""What other sites try on a person's browser. They are of another origin but of the same site: cookies are sent."""

from collections.abc import Awaitable, Callable
from html import escape

import pytest

from app.api import visits
from app.api.oauth import read_form
from app.api.visits import Visit
from tests.e2e.test_oauth_device import ask, poll
from tests.e2e.test_pages import authorize
from tests.harness.browser import PASSWORD
from tests.harness.chromium import Tab
from tests.harness.elsewhere import program
from tests.harness.live import Live
from tests.harness.oauth import OAuthClient

Attack = Callable[[Live, Tab], Awaitable[bool]]


async def is_framed(live: Live, tab: Tab) -> bool:
    """Whether a site can show the consent page within its own, under something that people like to click."""
    await OAuthClient.make(live)
    await tab.sign_in(live)
    tab.expected += ["frame-ancestors", "ERR_BLOCKED_BY_RESPONSE"]
    async with program(f'<iframe src="{escape(live.url + authorize())}" title="A game"></iframe>') as site:
        await tab.go(site.url)
        return bool(await tab.call(["frameLocator", "iframe"], ["getByRole", "button"], ["count"]))


async def send_form(tab: Tab, action: str, **fields: str) -> int:
    """A site has the browser send a form; the status of what comes of it."""
    inputs = "".join(f'<input name="{name}" value="{escape(value)}">' for name, value in fields.items())
    async with program(f'<form method="post" action="{action}">{inputs}<button>Play</button></form>') as site:
        await tab.go(site.url)
        return int(await tab.click("Play"))


async def lets_itself_in(live: Live, tab: Tab) -> bool:
    """Whether a site can have a person's browser allow what it asked for."""
    asked = await ask(live)
    await tab.sign_in(live)
    await tab.go(f"{live.url}/activate")
    await send_form(tab, f"{live.url}/activate", user_code=asked["user_code"], decision="allow")
    return "access_token" in (await poll(live, asked)).text


async def signs_in(live: Live, tab: Tab) -> bool:
    """Whether a site can sign a person's browser in to its own account."""
    attacker = await tab.sign_up(live)
    await tab.click("Sign out")
    await send_form(tab, f"{live.url}/sign-in", email=attacker.email, password=PASSWORD)
    await tab.go(f"{live.url}/account")
    return await tab.path() == "/account"


@pytest.mark.case(34, "the consent page in another site's frame, in Chromium")
async def test_the_consent_page_cannot_be_framed(live: Live, tab: Tab) -> None:
    assert not await is_framed(live, tab)


@pytest.mark.control(34, "pages without the headers that forbid frames")
async def test_control_a_page_that_forgets_to_forbid_frames(
    live: Live, tab: Tab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(visits._SAFE, "x-frame-options")
    monkeypatch.setattr(visits, "_POLICY", visits._POLICY.replace("frame-ancestors 'none'; ", ""))
    assert await is_framed(live, tab)


@pytest.mark.case(34, "forms that another site has Chromium send: letting a device in, signing in to its account")
@pytest.mark.parametrize("attack", [lets_itself_in, signs_in])
async def test_forms_of_another_site_do_nothing(live: Live, tab: Tab, attack: Attack) -> None:
    assert not await attack(live, tab)


@pytest.fixture
def gullible(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages that take any form."""

    async def form(self: Visit) -> dict[str, str]:
        return dict(await read_form(self._request))

    monkeypatch.setattr(Visit, "form", form)


@pytest.mark.control(34, "forms without tokens")
@pytest.mark.parametrize("attack", [lets_itself_in, signs_in])
@pytest.mark.usefixtures("gullible")
async def test_control_pages_that_take_any_form(live: Live, tab: Tab, attack: Attack) -> None:
    assert await attack(live, tab)
