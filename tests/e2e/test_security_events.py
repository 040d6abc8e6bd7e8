"""The account's page tells what happened to its access."""

from app.store.security import SecurityEvents
from tests.harness.browser import PASSWORD, Browser
from tests.harness.live import Live
from tests.harness.oauth import OAuthClient, refused
from tests.harness.people import Person
from tests.harness.waiting import eventually


async def test_each_event_is_told_to_its_person_alone(live: Live) -> None:
    events = SecurityEvents(live.starling.database)
    app = await OAuthClient.make(live, "app", public=True)
    async with Browser.open(live.url) as browser:
        email = await browser.sign_up()
        person = Person(live.starling.database, await live.starling.grants.feed_of(email), email)
        await browser.send("/sign-out")
        for _ in range(3):
            await browser.send("/sign-in", email=email, password="wrong one")

        async def are_told() -> bool:
            return sum(each.times for each in await events.latest(person.feed_id, 20)) == 4

        await eventually(are_told, 30, "the wrong passwords")
        await browser.send("/sign-in", email=email, password=PASSWORD)
        await browser.send("/account/password", current=PASSWORD, new="a new password")
        given = await app.grant(person, scope="stream", device_name="phone")
        for _ in range(2):
            await app.refresh(given["refresh_token"])
        refused(await app.refresh(given["refresh_token"]), "invalid_grant")
        assert (await app.post("/oauth/revoke", token=(await app.grant(person))["access_token"])).status_code == 200
        device = await person.device()
        await live.http.delete(f"/v1/devices/{device.id}", headers=device.headers)
        told = await events.latest(person.feed_id, 20)
        assert [event.kind for event in told][::-1] == [
            "signed_up",
            "sign_in_failed",
            "signed_in",
            "password_changed",
            "allowed",
            "reused",
            "allowed",
            "revoked",
            "device_revoked",
        ]
        assert {event.address for event in told} == {"127.0.0.1", None}
        await browser.go("/account")
        assert "Somebody typed a wrong password, 3 times on that day" in browser.text
        assert "as a thief would: its access was taken back : app" in browser.text.replace("back: app", "back : app")
    stranger = await live.person()
    assert await events.latest(stranger.feed_id, 20) == []
