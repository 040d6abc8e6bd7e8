"""SIGTERM with a thousand open streams: each is told to come back, each at its own time, and the process ends."""

import asyncio
import json
import resource
from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest

from app.store.database import Database
from tests.harness.build import BuildProcess
from tests.harness.listener import Listener
from tests.harness.mcp import ERAS, Wire
from tests.harness.people import Assistant, Person

STREAMS = 1000
AT_ONCE = 50
UNREAD = 5


@pytest.fixture
async def server(database_url: str, own_dir: Path) -> AsyncIterator[BuildProcess]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    settings = {"DATABASE_URL": database_url, "UNSAFE_DURABILITY": "true"}
    caps = {"STREAMS_PER_DEVICE": "2000", "STREAMS_PER_USER": "2000"}
    environment = {f"STARLING_{name}": value for name, value in {**settings, **caps}.items()}
    process = await BuildProcess(own_dir, environment=environment).start()
    yield process
    if process.process is not None:
        process.kill()
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


async def opened(server: BuildProcess, token: str, count: int) -> list[Listener]:
    listeners = [Listener(server.url, token) for _ in range(count)]
    for begin in range(0, count, AT_ONCE):
        await asyncio.gather(*(each.open() for each in listeners[begin : begin + AT_ONCE]))
    for each in listeners:
        await each.until_ready()
    return listeners


async def test_every_stream_is_told_to_come_back(server: BuildProcess, database: Database) -> None:
    device = await (await Person.make(database)).device()
    listeners = await opened(server, device.token, STREAMS)
    assert await server.stop(within=30) == 0
    for each in listeners:
        await each.until_end()
        assert each.names == ["hello", "ready", "bye"]
        assert json.loads(each.events[-1].data) == {"reason": "drain"}
        assert each.events[-1].id == each.events[0].id
        assert not each.dropped
    retries = [each.events[-1].retry or 0 for each in listeners]
    assert all(1500 <= retry <= 4500 for retry in retries)
    assert len(set(retries)) > STREAMS / 10
    await asyncio.gather(*(each.close() for each in listeners))


async def test_clients_that_do_not_read_cannot_hold_it_up(server: BuildProcess, database: Database) -> None:
    person = await Person.make(database)
    device = await person.device()
    unread = await opened(server, device.token, UNREAD)
    for each in unread:
        each.pause()
    reading = (await opened(server, device.token, 1))[0]
    async with httpx2.AsyncClient(base_url=server.url, timeout=30) as http:
        assistant = Assistant(http, await person.token())
        for n in range(120):
            await assistant.save(title=str(n), text="x" * 100_000)
    await reading.until_seq(120)
    assert await server.stop(within=30) == 0
    await reading.until_end()
    assert reading.names[-1] == "bye"
    for each in [*unread, reading]:
        await each.close()


async def test_a_long_poll_cannot_hold_it_up(server: BuildProcess, database: Database) -> None:
    device = await (await Person.make(database)).device()
    async with httpx2.AsyncClient(base_url=server.url, timeout=60, headers=device.headers) as http:
        waiting = asyncio.create_task(http.get("/v1/changes?wait=30"))
        reading = (await opened(server, device.token, 1))[0]
        assert await server.stop(within=30) == 0
        response = await waiting
        assert response.status_code == 200
        assert response.json()["items"] == []
    await reading.close()


async def test_an_assistant_that_waits_for_receipts_cannot_hold_it_up(server: BuildProcess, database: Database) -> None:
    person = await Person.make(database)
    reading = (await opened(server, (await person.device()).token, 1))[0]
    async with httpx2.AsyncClient(base_url=server.url, timeout=60) as http:
        token = await person.token()
        waiting = [
            asyncio.create_task(Wire(http, token, era).done("saveItem", title=era, wait_for_delivery=5)) for era in ERAS
        ]
        await reading.until_seq(2)
        assert await server.stop(within=30) == 0
        for answer in await asyncio.gather(*waiting):
            assert answer["item"]["origin"]["via"] == "mcp"
    await reading.until_end()
    assert reading.names[-1] == "bye"
    await reading.close()
