"""A person lets a device in by the code that it shows."""

import pytest
from sqlalchemy import text

from app.web.words import moment
from tests.chromium.test_consent import EMAIL
from tests.e2e.test_oauth_device import ask, poll
from tests.harness.browser import PASSWORD
from tests.harness.chromium import Tab
from tests.harness.live import Live
from tests.harness.oauth import refused

CODE = "Code that the device shows"


async def type_code(live: Live, tab: Tab, code: str) -> int:
    """As a person does; the page's status."""
    await tab.go(f"{live.url}/activate")
    await tab.until_focused(CODE)
    await tab.type(code)
    return int(await tab.key("Enter", until="load"))


async def asked_at(live: Live) -> str:
    """When the only request came, in a person's words."""
    async with live.starling.database.transaction() as connection:
        return moment((await connection.execute(text("select created_at from device_codes"))).scalar_one())


@pytest.mark.case(28, "the same in Chromium: typed, with name, kind, place and time before anything is allowed")
async def test_a_device_is_let_in_by_the_code_that_is_typed(live: Live, tab: Tab) -> None:
    asked = await ask(live, device_name="<b>Ada's</b> phone")
    await tab.sign_in(live)
    assert await type_code(live, tab, asked["user_code"].lower().replace("-", " ")) == 200
    words = await tab.words()
    for said in (
        "Add <b>Ada's</b> phone?",
        "Phone or tablet",
        "127.0.0.1 (where you are, too)",
        f"{await asked_at(live)} (just now)",
        "Allow it only if the device is in front of you",
        "Save, change and delete items",
    ):
        assert said in words
    refused(await poll(live, asked), "authorization_pending")
    assert await tab.click("Allow") == 200
    assert "The device is signed in" in await tab.words()
    token = (await poll(live, asked)).json()
    await (await live.listen_with(token["access_token"])).until_ready()
    await tab.click("Go to your account", "link")
    assert "online now" in await tab.words()


@pytest.mark.case(28, "the same in Chromium: the link from a QR code, opened before anybody is signed in")
async def test_a_link_with_the_code_only_fills_it_in(live: Live, tab: Tab) -> None:
    asked = await ask(live)
    await tab.go(asked["verification_uri_complete"])
    assert await tab.path() == "/sign-in"
    await tab.click("Make an account", "link")
    await tab.fill("E-mail address", EMAIL)
    await tab.fill("Password", PASSWORD)
    await tab.click("Make the account")
    assert await tab.path() == "/activate"
    assert await tab.value(CODE) == asked["user_code"]
    refused(await poll(live, asked), "authorization_pending")
    await tab.click("Next")
    assert (await poll(live, asked)).json()["error"] in ("authorization_pending", "slow_down")
    await tab.click("Do not allow")
    assert "The device stays out" in await tab.words()
    refused(await poll(live, asked), "access_denied")


async def test_a_code_that_has_ended_is_no_code(live: Live, tab: Tab) -> None:
    asked = await ask(live)
    await tab.sign_in(live)
    await type_code(live, tab, asked["user_code"])
    async with live.starling.database.transaction() as connection:
        await connection.execute(text("update device_codes set expires_at = now()"))
    assert await tab.click("Allow") == 404
    assert "it has ended" in await tab.words()
    assert await tab.value(CODE) == ""
    refused(await poll(live, asked), "expired_token")
