"""The server dies with many streams open: devices come back one after another, and soon all of them are up to date."""

import asyncio
import os
import signal
import statistics
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from app.hub import sse
from app.hub.sse import RETRY_MS
from app.store.database import Database
from tests.harness.build import BuildProcess
from tests.harness.counts import times
from tests.harness.journal import Journal
from tests.harness.live import Live
from tests.harness.people import Assistant, Person
from tests.harness.survivors import Device, Replica, background
from tests.harness.waiting import eventually

PEOPLE = times(4, full=40)
DEVICES = 50
STREAMS = PEOPLE * DEVICES
WORKERS = times(2, full=4)
POOL = 10
CURRENT_S = 60.0
_CONNECTIONS = text("select count(*) from pg_stat_activity where application_name like 'starling %'")


@pytest.fixture
async def server(database_url: str, own_dir: Path) -> AsyncIterator[BuildProcess]:
    """A server with POOL connections to read by, two to write by, and one to listen; ended whatever happens."""
    environment = {
        "STARLING_DATABASE_URL": database_url,
        "STARLING_DATABASE_POOL": str(POOL),
        "STARLING_UNSAFE_DURABILITY": "true",
    }
    process = BuildProcess(own_dir, environment=environment)
    yield process
    if process.process is not None:
        process.kill()


async def watch_connections(database_url: str, most: list[int]) -> None:
    """Keeps the highest number of the server's connections to the database."""
    engine = create_async_engine(database_url)
    try:
        async with engine.connect() as connection:
            while True:
                most[0] = max(most[0], (await connection.execute(_CONNECTIONS)).scalar_one())
                await connection.rollback()
                await asyncio.sleep(0.05)
    finally:
        await engine.dispose()


async def save_for_all(server: BuildProcess, tokens: list[str]) -> None:
    async with httpx2.AsyncClient(base_url=server.url, timeout=60) as http:
        for token in tokens:
            await Assistant(http, token).save()


def spread(journal: Journal, since: float) -> float:
    """Seconds in which the middle eight of ten reconnects came."""
    deciles = statistics.quantiles([entry.at for entry in journal.of("opened") if entry.at > since], n=10)
    return deciles[-1] - deciles[0]


def are_spread(told: list[float]) -> bool:
    """Whether devices were told to come back at times of their own."""
    deciles = statistics.quantiles(told, n=10)
    return deciles[-1] - deciles[0] > (RETRY_MS[1] - RETRY_MS[0]) / 1000 / 2


async def crowd(server: BuildProcess, database: Database) -> tuple[list[Device], list[str]]:
    """PEOPLE with DEVICES each, and a token of each person."""
    journal, devices, tokens = Journal(), list[Device](), list[str]()
    for number in range(PEOPLE):
        person = await Person.make(database)
        tokens.append(await person.token())
        for place in range(DEVICES):
            token = (await person.device(str(place))).token
            devices.append(Device(server.url, token, Replica(f"{number}/{place}", journal)))
    return devices, tokens


@asynccontextmanager
async def following(server: BuildProcess, devices: list[Device], tokens: list[str]) -> AsyncIterator[Journal]:
    """All of them are connected, and have an item."""
    journal = devices[0].replica.journal
    async with background(*(asyncio.create_task(device.run()) for device in devices)):
        await eventually(lambda: len(journal.of("opened")) >= STREAMS, 180, "all streams")
        await save_for_all(server, tokens)
        await eventually(lambda: all(device.replica.seq == 1 for device in devices), 90, "the first item everywhere")
        assert are_spread([device.replica.retry_s for device in devices])
        yield journal
    assert not journal.of("reset")
    assert [entry.seq for entry in journal.of("item")].count(2) == STREAMS


async def second_item(server: BuildProcess, devices: list[Device], tokens: list[str]) -> None:
    """Returns when everybody has it."""
    await save_for_all(server, tokens)
    await eventually(lambda: all(d.replica.seq == 2 for d in devices), 3 * CURRENT_S, "the second item everywhere")


@pytest.mark.case(17, f"kill -9 of a server with {STREAMS} streams of {PEOPLE} people")
async def test_after_the_servers_death_all_streams_come_back_spread_out_and_current(
    server: BuildProcess, database: Database, database_url: str, saw: Callable[[str], None]
) -> None:
    devices, tokens = await crowd(server, database)
    await server.start()
    async with following(server, devices, tokens) as journal:
        most = [0]
        watching = asyncio.create_task(watch_connections(database_url, most))
        async with background(watching):
            died = time.time()
            server.kill()
            await server.start()
            await second_item(server, devices, tokens)
            took = time.time() - died
        assert 0 < most[0] <= POOL + 3
        saw(f"all current after {took:.0f} s, 80 % of reconnects in {spread(journal, died):.1f} s")
        saw(f"at most {most[0]} connections to Postgres")


@pytest.mark.case(17, f"kill -9 of one of {WORKERS} workers with {STREAMS} streams of {PEOPLE} people")
async def test_a_workers_death_ends_its_own_streams_alone(
    server: BuildProcess, database: Database, saw: Callable[[str], None]
) -> None:
    server.workers = WORKERS
    devices, tokens = await crowd(server, database)
    await server.start()
    async with following(server, devices, tokens) as journal:
        died = time.time()
        os.kill(server.worker_pids[0], signal.SIGKILL)
        await eventually(lambda: server.told("worker.died") == 1, 30, "the worker's death")
        await second_item(server, devices, tokens)
        came_back = [entry for entry in journal.of("opened") if entry.at > died]
        assert 0 < len(came_back) < STREAMS
        assert len({entry.who for entry in came_back}) == len(came_back)
        saw(f"one of {WORKERS} workers: {len(came_back)} streams ended, all current after {time.time() - died:.0f} s")


@pytest.mark.control(17, "a hub that tells all devices the same time")
async def test_control_a_hub_that_calls_all_at_once_is_found_out(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse, "RETRY_MS", (2000, 2000))
    person, told = await live.person(), list[float]()
    for number in range(20):
        device = await (await live.listen(await person.device(str(number)))).until_ready()
        told += [event.retry / 1000 for event in device.events if event.retry is not None]
    assert len(told) == 20
    assert not are_spread(told)
