"""The account itself: its password, its end."""

import json
import os
from collections.abc import AsyncIterator
from io import BytesIO
from pathlib import Path
from zipfile import ZipFile

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from app.store.accounts import PAGE
from app.store.tables import metadata
from tests.e2e.test_oauth_device import ask, poll
from tests.harness.browser import PASSWORD, Browser
from tests.harness.live import Live
from tests.harness.oauth import OAuthClient, refused
from tests.harness.people import Assistant, Person
from tests.harness.uploads import Uploader

KEPT = {"clients", "throttles", "lineage"}


@pytest.fixture
async def browser(live: Live) -> AsyncIterator[Browser]:
    async with Browser.open(live.url) as opened:
        yield opened


async def rows(database_url: str) -> dict[str, int]:
    """How many each table holds, as its owner sees it."""
    engine = create_async_engine(database_url)
    async with engine.connect() as connection:
        found = {
            table.name: int((await connection.execute(text(f"select count(*) from {table.name}"))).scalar_one())
            for table in metadata.sorted_tables
        }
    await engine.dispose()
    return found


async def test_another_password_signs_other_browsers_out_and_leaves_devices(live: Live, browser: Browser) -> None:
    email = await browser.sign_up()
    device = await Person(live.starling.database, await live.starling.grants.feed_of(email), email).device()
    async with Browser.open(live.url) as other:
        await other.go("/sign-in")
        await other.send("/sign-in", email=email, password=PASSWORD)
        assert other.path == "/account"
        await browser.go("/account")
        assert (await browser.send("/account/password", current="wrong one", new="a new password")).status_code == 403
        assert (await browser.send("/account/password", current=PASSWORD, new="short")).status_code == 422
        await other.go("/account")
        assert other.path == "/account"
        assert (await browser.send("/account/password", current=PASSWORD, new="a new password")).status_code == 200
        assert browser.path == "/account"
        await other.go("/account")
        assert other.path == "/sign-in"
        assert (await other.send("/sign-in", email=email, password=PASSWORD)).status_code == 403
        assert (await other.send("/sign-in", email=email, password="a new password")).status_code == 200
    assert (await live.get("/v1/me", device.token)).status_code == 200


async def test_a_person_takes_everything_along_and_nothing_of_others(live: Live, browser: Browser) -> None:
    stranger = await live.person()
    await (await live.assistant(stranger)).save(title="foreign")
    email = await browser.sign_up()
    person = Person(live.starling.database, await live.starling.grants.feed_of(email), email)
    assistant, device = await live.assistant(person), await person.device()
    saved = [(await assistant.save(title=f"{n}"))["item"] for n in range(PAGE * 2)]
    await assistant.call("DELETE", f"/actions/items/{saved[3]['id']}")
    contents = [b"", os.urandom(3_000_000), b"x"]
    files = [await Uploader.of(live, device).upload(each, name=f"räka {n}.bin") for n, each in enumerate(contents)]
    saved += [each["item"] for each in files]
    answer = await browser.go("/account/export")
    assert answer.headers["content-disposition"] == 'attachment; filename="starling.zip"'
    packed = ZipFile(BytesIO(answer.content))
    assert packed.testzip() is None
    assert packed.namelist() == ["starling.json", *(f"files/{each['id']}/{each['name']}" for each in files)]
    assert [packed.read(name) for name in packed.namelist()[1:]] == contents
    document = packed.read("starling.json").decode()
    taken = json.loads(document)
    assert taken["items"] == saved[:3] + saved[4:]
    assert taken["user"]["email"] == email
    assert [each["id"] for each in taken["devices"]] == [str(device.id)]
    assert taken["security_events"][0]["kind"] == "signed_up"
    assert "foreign" not in document
    assert "hash" not in document
    async with Browser.open(live.url) as nobody:
        await nobody.go("/account/export")
        assert nobody.path == "/sign-in"


async def test_a_deleted_account_leaves_nothing_and_its_streams_end(
    live: Live, browser: Browser, database_url: str, own_dir: Path
) -> None:
    stranger = await live.person()
    other = await stranger.device("other")
    await (await live.assistant(stranger)).save(title="stays")
    shared = await Uploader(live, other.token).upload(b"shared")
    before = await rows(database_url)
    email = await browser.sign_up()
    gpt = await OAuthClient.make(live)
    person = Person(live.starling.database, await live.starling.grants.feed_of(email), email)
    given = await gpt.grant(person)
    await Assistant(live.http, given["access_token"]).save(title="gone")
    device = await person.device()
    for content in (b"own", b"shared"):
        await Uploader(live, device.token).upload(content)
    asked, pending = await ask(live), await gpt.code(person)
    await browser.go("/activate")
    await browser.send("/activate", user_code=asked["user_code"])
    await browser.send("/activate", decision="allow")
    token = (await poll(live, asked)).json()
    stream, kept = await live.listen_with(token["access_token"]), await live.listen(other)
    for each in (stream, kept):
        await each.until_ready()
    await browser.go("/account")
    assert (await browser.send("/account/delete", password="wrong one")).status_code == 403
    assert not stream.ended
    await browser.send("/account/delete", password=PASSWORD)
    assert browser.path == "/sign-in"
    await stream.until_event("revoked", within=6)
    await live.starling.upkeep.run_once()
    assert [path.name for path in (own_dir / "blobs" / "sha256").iterdir()] == [shared["sha256"]]
    after = await rows(database_url)
    assert {name: n for name, n in after.items() if name not in KEPT} == {
        name: n for name, n in before.items() if name not in KEPT
    }
    for each in (given["access_token"], token["access_token"]):
        assert (await live.get("/v1/me", each)).status_code == 401
    refused(await gpt.refresh(given["refresh_token"]), "invalid_grant")
    refused(await gpt.redeem(pending), "invalid_grant")
    assert (await browser.send("/sign-in", email=email, password=PASSWORD)).status_code == 403
    await (await live.assistant(stranger)).save(title="also stays")
    await kept.until_seq(3)
    assert (await Uploader(live, other.token).fetch(shared["id"])).content == b"shared"
