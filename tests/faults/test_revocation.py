"""Every way to take a device's access away, with its streams in another process and no bus between the two."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from app.local import Valkey
from tests.harness.browser import PASSWORD, Browser
from tests.harness.build import BuildProcess
from tests.harness.crew import Losable, crew, losable
from tests.harness.listener import Listener
from tests.harness.live import Live, serving
from tests.harness.oauth import OAuthClient, pkce, refused, session_of
from tests.harness.people import Person

WITHIN_S = 15.0
"""Three times the promise."""
LATER = "saved after the device was lost"


@dataclass
class Lost:
    """A device that a person let in, and everything that it was given."""

    person: Person
    app: OAuthClient
    code: str
    verifier: str
    given: dict[str, Any]

    @classmethod
    async def make(cls, live: Live, app: OAuthClient, person: Person) -> "Lost":
        """By its code."""
        verifier, challenge = pkce()
        asked = {"code_challenge": challenge, "code_challenge_method": "S256", "scope": "stream items:read"}
        code = await app.code(person, **asked)
        given = await app.redeem(code, code_verifier=verifier, device_name="lost", device_kind="mobile")
        return cls(person, app, code, verifier, given.json())


async def on_the_page(live: Live, lost: Lost) -> None:
    async with Browser.open(live.url) as browser:
        browser.http.cookies.set("starling_session", await session_of(live, lost.person))
        await browser.go("/account")
        await browser.send(f"/account/devices/{lost.given['device_id']}/revoke")
        assert "The device is signed out" in browser.text


async def by_the_device(live: Live, lost: Lost) -> None:
    headers = {"authorization": f"Bearer {lost.given['access_token']}"}
    assert (await live.http.delete(f"/v1/devices/{lost.given['device_id']}", headers=headers)).status_code == 204


async def by_its_token(_: Live, lost: Lost) -> None:
    assert (await lost.app.post("/oauth/revoke", token=lost.given["refresh_token"])).status_code == 200


async def by_its_code(_: Live, lost: Lost) -> None:
    refused(await lost.app.redeem(lost.code, code_verifier=lost.verifier), "invalid_grant")


async def by_a_used_token(_: Live, lost: Lost) -> None:
    second = (await lost.app.refresh(lost.given["refresh_token"])).json()
    assert (await lost.app.refresh(second["refresh_token"])).status_code == 200
    refused(await lost.app.refresh(lost.given["refresh_token"]), "invalid_grant")


Way = Callable[[Live, Lost], Awaitable[None]]
WAYS: tuple[Way, ...] = (on_the_page, by_the_device, by_its_token, by_its_code, by_a_used_token)


@pytest.fixture
async def redis(own_dir: Path, own_valkey: Valkey) -> AsyncIterator[Losable]:
    async with losable(own_valkey, own_dir) as lost:
        yield lost


@pytest.fixture
async def live(redis: Losable, database_url: str, own_dir: Path) -> AsyncIterator[Live]:
    """Where people take access away."""
    async with serving(database_url, own_dir, redis_url=redis.link.url) as running:
        yield running


@pytest.fixture
async def elsewhere(redis: Losable, database_url: str, own_dir: Path) -> AsyncIterator[BuildProcess]:
    """Where the streams are."""
    async with crew(own_dir / "2", database_url, 1, more={"STARLING_REDIS_URL": redis.link.url}) as server:
        yield await server.start()


async def follow(live: Live, server: BuildProcess, token: str) -> Listener:
    live.listeners.append(Listener(server.url, token))
    return await (await live.listeners[-1].open()).until_ready()


async def cut(live: Live, server: BuildProcess, lost: Lost, way: Way) -> float:
    """How long the device's streams lived after that; they and nobody else miss what was saved later."""
    kept = await follow(live, server, (await lost.person.device("kept")).token)
    streams = [await follow(live, server, lost.given["access_token"]) for _ in range(2)]
    assistant = await live.assistant(lost.person)
    await assistant.save(title="before")
    for each in (*streams, kept):
        await each.until_seq(1, WITHIN_S)
    await way(live, lost)
    since = time.monotonic()
    await assistant.save(title=LATER)
    await kept.until_seq(2, WITHIN_S)
    for each in streams:
        await each.until_end(WITHIN_S)
    passed = time.monotonic() - since
    for each in streams:
        assert each.names[-1] == "revoked", way.__name__
        assert [item["title"] for item in each.items] == ["before"], way.__name__
    return passed


async def cut_with_the_account(live: Live, server: BuildProcess, app: OAuthClient) -> float:
    """How long the streams of an account lived after it was deleted."""
    async with Browser.open(live.url) as browser:
        email = await browser.sign_up()
        person = Person(live.starling.database, await live.starling.grants.feed_of(email), email)
        stream = await follow(live, server, (await Lost.make(live, app, person)).given["access_token"])
        await browser.send("/account/delete", password=PASSWORD)
        since = time.monotonic()
        assert browser.path == "/sign-in"
    await stream.until_end(WITHIN_S)
    assert stream.names[-1] == "revoked"
    return time.monotonic() - since


@pytest.mark.case(32, f"a device's access ends in {len(WAYS) + 1} ways, its streams being in another process; no Redis")
async def test_however_access_ends_streams_elsewhere_end_without_redis(
    live: Live, elsewhere: BuildProcess, redis: Losable, saw: Callable[[str], None]
) -> None:
    app = await OAuthClient.make(live, "app", public=True)
    lost = [await Lost.make(live, app, await live.person()) for _ in WAYS]
    async with redis.cut_off(0):
        ends = [cut(live, elsewhere, each, way) for each, way in zip(lost, WAYS, strict=True)]
        took = await asyncio.gather(*ends, cut_with_the_account(live, elsewhere, app))
    saw(f"streams elsewhere cut within {max(took):.1f} s")
