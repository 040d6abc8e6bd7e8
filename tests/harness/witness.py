"""A person with streams on every worker, who waits for each item on all of them before saving the next."""

import asyncio
import random
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import cast
from uuid import UUID

import httpx2
import msgspec
from redis.asyncio import Redis

from app.store.database import Database
from tests.harness.journal import Journal
from tests.harness.listener import Listener
from tests.harness.people import Person, TestDevice
from tests.harness.process import ServerProcess
from tests.harness.survivors import Writer

DEADLINE_S = 15.0
MOST_STREAMS = 60
ENVIRONMENT = {"STARLING_STREAMS_PER_DEVICE": str(MOST_STREAMS), "STARLING_STREAMS_PER_USER": "1000"}
"""What a server with a witness needs."""
PAUSE_S = 0.1
_decode = msgspec.msgpack.Decoder(dict[UUID, int]).decode


@dataclass
class Streams:
    """One device's streams, of which every worker has one or more."""

    device: TestDevice
    listeners: list[Listener] = field(default_factory=list)

    async def close(self) -> None:
        """Ends them."""
        for listener in self.listeners:
            await listener.close()


@dataclass
class Witness:
    """Saves on a new connection each time, so that any worker may get it."""

    server: ServerProcess
    redis_url: str
    person: Person
    writer: Writer
    kept: Streams
    doomed: list[Streams]
    """Of devices that are there to be revoked."""
    saved: list[str] = field(default_factory=list)
    """Titles."""
    latest_s: float = 0.0
    """The longest that an item took from its acknowledgement to the last stream."""
    cut_after_s: float = 0.0
    """The longest that a stream lived after its device was revoked."""

    async def run(self) -> None:
        """Saves until cancelled."""
        while True:
            await self.beat()
            await asyncio.sleep(PAUSE_S)

    async def beat(self, within: float = DEADLINE_S) -> None:
        """One more item; returns when all streams have it. Raises `TimeoutError`."""
        seq = await self.save()
        since = time.monotonic()
        async with asyncio.timeout(within):
            for each in self.kept.listeners:
                await each.until(lambda seen: _seq(seen.cursor) >= seq, within)
        self.latest_s = max(self.latest_s, time.monotonic() - since)

    async def save(self) -> int:
        """One more item; its seq."""
        async with self.writer.client() as http:
            item = await self.writer.create(http)
        assert item is not None
        self.saved.append(item["title"])
        return int(item["seq"])

    async def revoke_one(self, within: float = DEADLINE_S, *, quietly: bool = False) -> None:
        """Revokes a doomed device; returns when all its streams were cut. Raises `TimeoutError`.

        `quietly`: nothing is saved then, whose news would tell of it.
        """
        doomed = self.doomed.pop()
        async with httpx2.AsyncClient(base_url=self.server.url, timeout=30) as http:
            answer = await http.delete(f"/v1/devices/{doomed.device.id}", headers=doomed.device.headers)
        assert answer.status_code == 204, answer.text
        since = time.monotonic()
        later = sys.maxsize if quietly else await self.save()
        try:
            for each in doomed.listeners:
                await each.until(lambda seen: "revoked" in seen.names, within)
                await each.until_end(within)
            self.cut_after_s = max(self.cut_after_s, time.monotonic() - since)
            assert all(seq < later for each in doomed.listeners for seq in each.seqs)
        finally:
            await doomed.close()

    def judge(self) -> None:
        """Every stream was sent every item, once, in order."""
        for each in self.kept.listeners:
            assert each.seqs == list(range(1, len(each.seqs) + 1))
            assert {item["title"] for item in each.items} >= set(self.saved)

    async def streams(self, name: str) -> Streams:
        """Those of a new device."""
        streams = Streams(await self.person.device(name))
        async with Redis.from_url(self.redis_url) as redis:
            while await self._workers_of(streams, redis) < self.server.workers:
                assert len(streams.listeners) < MOST_STREAMS
                streams.listeners.append(await Listener(self.server.url, streams.device.token).open())
                await streams.listeners[-1].until_ready()
        return streams

    async def _workers_of(self, streams: Streams, redis: Redis) -> int:
        said = await redis.hvals(f"starling:live:{self.person.feed_id.hex}")
        return sum(streams.device.id in _decode(each) for each in cast("list[bytes]", said))


def _seq(cursor: str | None) -> int:
    return int(cursor.split(".")[1]) if cursor else 0


@asynccontextmanager
async def witnessing(
    server: ServerProcess, redis_url: str, journal: Journal, *, doomed: int = 0
) -> AsyncIterator[Witness]:
    """At a running server of several workers; with so many devices to be revoked."""
    database = Database(server.database_url, pool_size=3)
    person = await Person.make(database)
    writer = Writer("witness", server.url, await person.token("witness"), journal, random.Random(0), roams=True)
    witness = Witness(server, redis_url, person, writer, Streams(await person.device("none")), [])
    try:
        witness.kept = await witness.streams("kept")
        for number in range(doomed):
            witness.doomed.append(await witness.streams(f"doomed {number}"))
        yield witness
    finally:
        for each in (witness.kept, *witness.doomed):
            await each.close()
        await database.close()
