"""Calls that are cancelled in mid-flight: whoever asks next on the same connection gets an answer of their own."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import msgspec
import pytest
from redis.asyncio import Redis

from app.auth.tokens import digest
from app.bus.client import connect
from app.bus.local import LocalBus
from app.bus.shared_presence import SharedPresence
from app.store.database import Database
from app.store.devices import Devices
from app.store.feed import FeedReader
from app.store.grants import Grants
from app.store.items import Items, Query
from tests.harness.counts import times
from tests.harness.people import Person
from tests.harness.survivors import background
from tests.harness.waiting import eventually
from tests.store.making import committing, put

CALLS = times(600, full=10_000)
PEOPLE = 12
CALLERS = 8
LATEST_S = 0.004

Call = Callable[[], Awaitable[set[str]]]
"""Returns the tags in its answer: nothing but the caller's own."""


@dataclass
class Crossing:
    """Calls of many people at once, most of them cancelled at a random moment; whose answer was somebody else's."""

    calls: dict[str, list[Call]]
    """By the tag of who asks."""
    latest_s: float = LATEST_S
    """When a call is cancelled at the latest."""
    cancelled: int = 0
    answered: int = 0
    crossed: list[tuple[str, set[str]]] = field(default_factory=list)

    async def run(self, wanted: int) -> None:
        """Until so many calls were cancelled before they had an answer."""
        await asyncio.gather(*(self._ask(wanted) for _ in range(CALLERS)))

    async def _ask(self, wanted: int) -> None:
        loop = asyncio.get_running_loop()
        while self.cancelled < wanted:
            tag = random.choice(list(self.calls))
            asking = asyncio.ensure_future(random.choice(self.calls[tag])())
            if random.random() < 0.8:
                loop.call_later(random.uniform(0, self.latest_s), asking.cancel)
            await asyncio.wait([asking])
            if asking.cancelled():
                self.cancelled += 1
                continue
            self.answered += 1
            if asking.result() != {tag}:
                self.crossed.append((tag, asking.result()))


async def calls_of(database: Database, number: int) -> tuple[str, list[Call]]:
    """What the server asks the database for one person, whose every value bears their tag."""
    person, tag = await Person.make(database), f"person {number}"
    token = (await person.device(tag)).token
    async with committing(database) as committer:
        await committer.submit_all([put(person.feed_id, title=tag) for _ in range(5)])
    reader, items, devices, grants = FeedReader(database), Items(database), Devices(database), Grants(database)

    def titles(wires: Iterable[bytes]) -> set[str]:
        return {msgspec.json.decode(wire)["title"] for wire in wires}

    async def page() -> set[str]:
        found = await reader.page(person.feed_id, 0, device_id=None, limit=10)
        return titles(row.wire for row in found.rows) if found else set()

    async def search() -> set[str]:
        return titles((await items.find(person.feed_id, Query())).wires)

    async def names() -> set[str]:
        return {device.name for device in await devices.of(person.feed_id)}

    async def owner() -> set[str]:
        principal = await grants.by_token(digest(token))
        return {tag} if principal and principal.feed_id == person.feed_id else set()

    async def write() -> set[str]:
        async with database.driver() as connection:
            (row,) = await connection.fetch("select cast($1 as text) as tag, pg_sleep(0.001)", tag)
            return {row["tag"]}

    return tag, [page, search, names, owner, write]


async def redis_calls_of(
    redis: Redis, here: SharedPresence, there: SharedPresence, number: int
) -> tuple[str, list[Call]]:
    """What the server asks Redis for one person, whose every value bears their tag."""
    feed_id, device_id, tag = uuid4(), uuid4(), f"person {number}"
    there.enter(feed_id, device_id)
    await eventually(lambda: _sees(here, feed_id), 15, "the other process's device")
    stream, key = f"stream of {tag}", f"key of {tag}"
    await redis.set(key, tag)
    await redis.xadd(stream, {"m": tag})

    async def value() -> set[str]:
        return {str(await redis.get(key), "utf-8")}  # type: ignore[arg-type]

    async def entries() -> set[str]:
        pipeline = redis.pipeline(transaction=False)
        pipeline.xrevrange(stream, count=1)
        pipeline.get(key)
        ((_, entry),), kept = await pipeline.execute()
        return {entry[b"m"].decode(), kept.decode()}

    async def next_entry() -> set[str]:
        found: Any = await redis.xread({stream: "0-0"}, block=1)
        return {entry[b"m"].decode() for _, added in found for _, entry in added}

    async def devices() -> set[str]:
        await here._look([feed_id])
        return {tag if found == device_id else str(found) for found in here._known[feed_id].counts}

    return tag, [value, entries, next_entry, devices]


async def _sees(here: SharedPresence, feed_id: UUID) -> bool:
    return bool(await here.elsewhere(feed_id))


@pytest.mark.case(14, f"{CALLS} cancelled calls to Redis of {PEOPLE} people")
async def test_no_answer_of_redis_to_a_cancelled_call_reaches_anybody_else(
    redis_url: str, saw: Callable[[str], None]
) -> None:
    here, there = (SharedPresence(redis_url, uuid4(), 600, LocalBus().publish) for _ in range(2))
    running = [asyncio.create_task(each.run()) for each in (here, there)]
    async with connect(redis_url, 3.0) as redis, background(*running):
        calls = [await redis_calls_of(redis, here, there, number) for number in range(PEOPLE)]
        crossing = Crossing(dict(calls), latest_s=LATEST_S / 8)
        await crossing.run(CALLS)
        assert crossing.cancelled >= CALLS
        assert crossing.answered > CALLS / 20
        assert crossing.crossed == []
        saw(f"Redis: {crossing.answered} answers, {len(crossing.crossed)} crossed")
        assert await redis.ping()


@pytest.mark.case(14, f"{CALLS} cancelled calls to Postgres of {PEOPLE} people, on 5 connections")
async def test_no_answer_of_a_cancelled_call_reaches_anybody_else(
    database_url: str, saw: Callable[[str], None]
) -> None:
    database = Database(database_url, pool_size=5)
    crossing = Crossing(dict([await calls_of(database, number) for number in range(PEOPLE)]))
    await crossing.run(CALLS)
    assert crossing.cancelled >= CALLS
    assert crossing.answered > CALLS / 20
    assert crossing.crossed == []
    saw(f"Postgres: {crossing.answered} answers, {len(crossing.crossed)} crossed")
    pool = database.engine.pool
    kept = database._kept is not None  # for the next that asks for a driver
    await eventually(lambda: pool.checkedout() == kept, 15, "the return of every connection")  # type: ignore[attr-defined]
    await database.ping()
    await database.close()


class NaiveConnection:
    """One connection of questions and answers, which is used again as it is when a call was cancelled."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self._turn = asyncio.Lock()

    async def ask(self, tag: str) -> set[str]:
        async with self._turn:
            self._writer.write(tag.encode() + b"\n")
            return {(await self._reader.readline()).decode().strip()}


@pytest.mark.control(14, "a client that uses a connection again after a cancelled call")
async def test_control_a_connection_that_is_used_again_after_a_cancelled_call_is_found_out(own_dir: Path) -> None:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            await asyncio.sleep(0.001)
            writer.write(line)
        writer.close()

    async with await asyncio.start_unix_server(echo, own_dir / "echo"):
        naive = NaiveConnection(*await asyncio.open_unix_connection(own_dir / "echo"))
        tags = [f"person {number}" for number in range(PEOPLE)]
        crossing = Crossing({tag: [partial(naive.ask, tag)] for tag in tags})
        await crossing.run(200)
        naive._writer.close()
    assert crossing.crossed
