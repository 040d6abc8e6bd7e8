"""A browser's EventSource by itself: it comes back after every end with its last id; nothing is lost or repeated."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.conformance.conftest import OpenBrowser
from tests.harness.live import Live, serving
from tests.harness.people import TestDevice


async def ticket(live: Live, device: TestDevice) -> str:
    url: str = (await live.http.post("/v1/stream/tickets", headers=device.headers)).json()["url"]
    return url


@pytest.fixture
async def rotating(database_url: str, own_dir: Path) -> AsyncIterator[Live]:
    async with serving(database_url, own_dir, stream_lifetime_s=2) as live:
        yield live


async def test_rotations_are_survived_without_gap_or_repeat(rotating: Live, browse: OpenBrowser) -> None:
    person = await rotating.person()
    assistant = await rotating.assistant(person)
    browser = await browse(await ticket(rotating, await person.device()))
    written = 0
    async with asyncio.timeout(60):
        while len(browser.all("ready")) < 3:  # also while it is away
            await assistant.save()
            written += 1
            await asyncio.sleep(0.05)
    await browser.until(lambda seen: len(seen.seqs) >= written)
    assert browser.seqs == list(range(1, written + 1))
    assert browser.all("reset") == []
    assert len(browser.all("bye")) >= 2
    assert not any(event["closed"] for event in browser.all("error"))


async def test_a_revoked_device_is_told_and_its_eventsource_gives_up(live: Live, browse: OpenBrowser) -> None:
    device = await (await live.person()).device()
    browser = await browse(await ticket(live, device))
    await browser.until(lambda seen: bool(seen.all("ready")))
    await live.http.delete(f"/v1/devices/{device.id}", headers=device.headers)
    await browser.until(lambda seen: bool(seen.all("revoked")))
    await browser.until(lambda seen: any(event["closed"] for event in seen.all("error")))
