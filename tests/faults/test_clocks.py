"""Servers whose clocks are hours apart, and jump: one order, the database's time, nobody let in or kept out by it."""

import asyncio
import random
import time
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest

from app.store.database import Database
from tests.harness.checker import Anomaly, anomalies
from tests.harness.clocks import WrongClock
from tests.harness.counts import times
from tests.harness.journal import Journal
from tests.harness.people import Person
from tests.harness.survivors import Device, Replica, Writer, background
from tests.harness.trial import items_of
from tests.harness.waiting import eventually

HOURS = 2
WRITERS = 4
CHANGES = times(60, full=1000)
ROUNDS = ((HOURS, -HOURS), (-HOURS, HOURS), (0, HOURS))
"""How wrong the clocks of the two servers are, one after the other."""


@pytest.fixture
async def servers(database_url: str, own_dir: Path) -> AsyncIterator[list[WrongClock]]:
    """Two on one database; ended whatever happens."""
    environment = {"STARLING_DATABASE_URL": database_url, "STARLING_UNSAFE_DURABILITY": "true"}
    pair = [WrongClock(own_dir / name, environment=dict(environment)) for name in ("one", "two")]
    yield pair
    for server in pair:
        if server.process is not None:
            server.kill()


async def set_clocks(servers: list[WrongClock], hours: tuple[int, int]) -> None:
    for server, wrong in zip(servers, hours, strict=True):
        server.skew(wrong)

    async def are_set() -> bool:
        off = [await server.now() - time.time() for server in servers]
        return all(abs(seconds - 3600 * wrong) < 60 for seconds, wrong in zip(off, hours, strict=True))

    if all(server.process is not None for server in servers):
        await eventually(are_set, 30, "a clock that is wrong: libfaketime does not work here; Debian's is `faketime`,")


async def write_on_both(
    servers: list[WrongClock], person: Person, database_url: str
) -> tuple[list[Anomaly], dict[str, dict[str, Any]]]:
    """What is wrong after writers and devices on both servers lived through all rounds; and the items."""
    journal = Journal()
    writers, devices = list[Writer](), list[Device]()
    for number in range(2 * WRITERS):
        name, url = f"writer {number}", servers[number % 2].url
        writers.append(Writer(name, url, await person.token(name), journal, random.Random(number)))
    for number in range(4):
        device = await person.device(f"device {number}")
        devices.append(Device(servers[number % 2].url, device.token, Replica(device.name, journal)))
    writing = [asyncio.create_task(each.run()) for each in writers]
    async with background(*writing, *(asyncio.create_task(each.run()) for each in devices)):
        for hours in ROUNDS:
            await set_clocks(servers, hours)
            await journal.until_acknowledged(CHANGES // len(ROUNDS))
        for writer in writers:
            writer.stopping = True
        await asyncio.gather(*writing)
        truth = await items_of(database_url, person.feed_id)
        head = max(item["seq"] for item in truth.values())
        await eventually(lambda: all(device.replica.seq >= head for device in devices), 60, "every device's last item")
    return anomalies(journal, truth), truth


def is_off(item: dict[str, Any], begun: float) -> bool:
    """Whether a time of it lies outside the test's own."""
    named = [item[name] for name in ("created_at", "updated_at") if item.get(name)]
    moments = [datetime.fromisoformat(value).timestamp() for value in named]
    return any(not begun - 60 < moment < time.time() + 60 for moment in moments)


@pytest.mark.case(20, f"clocks {HOURS} h ahead and behind, jumping, on two servers: {CHANGES} changes, 4 devices")
async def test_wrong_clocks_change_neither_order_nor_times_nor_who_may_come_in(
    servers: list[WrongClock], database: Database, database_url: str
) -> None:
    begun = time.time()
    person = await Person.make(database)
    good = await person.device("good for an hour", life=timedelta(hours=HOURS / 2))
    ended = await person.device("ended an hour ago", life=timedelta(hours=-HOURS / 2))
    await set_clocks(servers, ROUNDS[0])
    for server in servers:
        await server.start()
    await set_clocks(servers, ROUNDS[0])
    for server in servers:
        async with httpx2.AsyncClient(base_url=server.url, timeout=30) as http:
            answers = [await http.get("/v1/me", headers=device.headers) for device in (good, ended)]
        assert [answer.status_code for answer in answers] == [200, 401]
    found, truth = await write_on_both(servers, person, database_url)
    assert found == []
    assert not [item for item in truth.values() if is_off(item, begun)]


@pytest.mark.control(20, "a server that takes the time from its own clock")
async def test_control_a_server_that_believes_its_own_clock_is_found_out(
    servers: list[WrongClock], database: Database, database_url: str
) -> None:
    begun = time.time()
    person = await Person.make(database)
    await set_clocks(servers, ROUNDS[0])
    for server in servers:
        server.module = "tests.harness.wallclock"
        await server.start()
    _, truth = await write_on_both(servers, person, database_url)
    assert [item for item in truth.values() if is_off(item, begun)]
