"""A person looks after devices, assistants and the account itself."""

from tests.harness.browser import PASSWORD
from tests.harness.chromium import Tab
from tests.harness.live import Live
from tests.harness.oauth import OAuthClient, refused

LATER = "a better password"


async def test_a_device_gets_another_name_and_is_signed_out(live: Live, tab: Tab) -> None:
    device = await (await tab.sign_in(live)).device("laptop")
    stream = await (await live.listen(device)).until_ready()
    await tab.go(f"{live.url}/account")
    await tab.unfold("Rename laptop")
    await tab.fill("New name", "<i>desk</i>")
    await tab.click("Save")
    words = await tab.words()
    assert "The device has its new name." in words
    assert "<i>desk</i>" in words
    assert "online now" in words
    await tab.click("Sign out <i>desk</i>")
    await stream.until_event("revoked", within=6)
    words = await tab.words()
    assert "The device is signed out." in words
    assert "None yet." in words
    assert (await live.get("/v1/me", device.token)).status_code == 401


async def test_access_is_taken_back_from_an_assistant(live: Live, tab: Tab) -> None:
    person, gpt = await tab.sign_in(live), await OAuthClient.make(live)
    given = await gpt.grant(person)
    await tab.go(f"{live.url}/account")
    await tab.click("Take access back from GPT")
    assert "The assistant has no access any more." in await tab.words()
    assert (await live.get("/v1/me", given["access_token"])).status_code == 401
    refused(await gpt.refresh(given["refresh_token"]), "invalid_grant")


async def test_the_password_is_changed_and_the_data_taken_along(live: Live, tab: Tab) -> None:
    person = await tab.sign_up(live)
    await tab.unfold("Change the password")
    for current, status in (("wrong password", 403), (PASSWORD, 200)):
        await tab.fill("Password now", current)
        await tab.fill("New password", LATER)
        assert await tab.click("Change it") == status
    assert "The password is changed." in await tab.words()
    assert await tab.click("Take everything along", "link", until="download") == "starling.zip"
    await tab.click("Sign out")
    await tab.fill("E-mail address", person.email)
    await tab.fill("Password", LATER)
    assert await tab.click("Sign in") == 200
    assert await tab.path() == "/account"


async def test_the_account_is_deleted(live: Live, tab: Tab) -> None:
    person = await tab.sign_up(live)
    device = await person.device()
    stream = await (await live.listen(device)).until_ready()
    await tab.unfold("Delete the account")
    await tab.fill("Password, to be sure", PASSWORD)
    await tab.click("Delete the account and everything in it")
    assert await tab.path() == "/sign-in"
    await stream.until_event("revoked", within=6)
    await tab.fill("E-mail address", person.email)
    await tab.fill("Password", PASSWORD)
    assert await tab.click("Sign in") == 403
