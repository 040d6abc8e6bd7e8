"""Floods at the doors of identity: one device by all its credentials, one address under many names."""

from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from uuid import uuid4

import pytest

from app.auth import people
from tests.faults.test_floods import PER_DEVICE, SPOOFS
from tests.harness.browser import PASSWORD, Browser
from tests.harness.live import Live, serving
from tests.harness.oauth import OAuthClient

MOST = 200
"""Requests after which every limit on an address must have been reached."""


@pytest.mark.case(26, "streams of one device by its token, a refreshed token and tickets of both")
async def test_all_credentials_of_a_device_share_its_cap(live: Live) -> None:
    app, person = await OAuthClient.make(live, "app", public=True), await live.person()
    first = await app.grant(person, scope="stream items:read", device_name="laptop")
    second = (await app.refresh(first["refresh_token"])).json()
    statuses = Counter[int]()
    for given in (first, second) * 2:
        headers = {"authorization": f"Bearer {given['access_token']}"}
        ticket = (await live.http.post("/v1/stream/tickets", headers=headers)).json()["ticket"]
        for stream in (
            await live.listen_with(given["access_token"]),
            await live.listen_with(None, query=f"?ticket={ticket}"),
        ):
            statuses[stream.status] += 1
    assert statuses == {200: PER_DEVICE, 429: 8 - PER_DEVICE}
    other = await live.person()
    await (await live.listen(await other.device())).until_ready()


Door = Callable[[Browser, dict[str, str]], Awaitable[int]]


async def sign_in(browser: Browser, headers: dict[str, str]) -> int:
    form = {**browser.form("/sign-in"), "email": f"{uuid4()}@example.com", "password": PASSWORD}
    return (await browser.http.post("/sign-in", data=form, headers=headers)).status_code


async def register(browser: Browser, headers: dict[str, str]) -> int:
    sent = {"redirect_uris": ["https://app.example/done"]}
    return (await browser.http.post("/oauth/register", json=sent, headers=headers)).status_code


async def ask(browser: Browser, headers: dict[str, str]) -> int:
    form = {"client_id": "starling", "device_name": "x"}
    return (await browser.http.post("/oauth/device_authorization", data=form, headers=headers)).status_code


async def spoofed(live: Live, door: Door) -> set[int]:
    """What spoofed addresses get once the limit on one's own is reached."""
    async with Browser.open(live.url) as browser:
        await browser.go("/sign-in")
        tries = 0
        while await door(browser, {}) != 429:
            tries += 1
            assert tries < MOST
        return {await door(browser, headers) for headers in SPOOFS}


@pytest.fixture(autouse=True)
def few_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each takes a fifth of a second."""
    monkeypatch.setattr(people, "PER_ADDRESS", 3)


@pytest.mark.case(26, f"tries to sign in, to register, to ask for a device: {len(SPOOFS)} spoofed addresses for each")
@pytest.mark.parametrize("door", [sign_in, register, ask])
async def test_a_spoofed_address_buys_no_try(live: Live, door: Door) -> None:
    assert await spoofed(live, door) == {429}


@pytest.mark.control(26, "a server that trusts its neighbours as proxies")
async def test_control_a_server_that_trusts_its_neighbours_gives_tries_away(database_url: str, own_dir: Path) -> None:
    async with serving(database_url, own_dir, trusted_proxies=("127.0.0.1",)) as live:
        assert await spoofed(live, register) != {429}
