"""A server process with writers and devices on it that outlive its crashes, and the verdict in the end."""

import asyncio
import os
import random
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from app.local.postmaster import find
from app.store.database import Database
from tests.harness.checker import Anomaly, anomalies
from tests.harness.journal import Journal
from tests.harness.killing import family, kill_family
from tests.harness.people import Person
from tests.harness.process import ServerProcess
from tests.harness.survivors import Device, Replica, Writer, background
from tests.harness.waiting import eventually

CATCH_UP_S = 45.0
END_S = 90.0
"""Three times the promise."""
_ITEMS = text("select wire from items where feed_id = :feed")


async def items_of(url: str, feed_id: UUID) -> dict[str, dict[str, Any]]:
    """What a feed holds in the database, read as its owner: items and tombstones by id."""
    engine = create_async_engine(url)
    try:
        async with engine.connect() as connection:
            wires = (await connection.execute(_ITEMS, {"feed": feed_id})).scalars().all()
    finally:
        await engine.dispose()
    return {item["id"]: item for item in map(msgspec.json.decode, wires)}


@dataclass
class Trial:
    """`async with trying(server) as trial`: kill what you like, then ask for the `verdict`."""

    server: ServerProcess
    feed_id: UUID
    journal: Journal
    writers: list[Writer]
    writing: list["asyncio.Task[None]"]
    devices: list[Device]
    truth: dict[str, dict[str, Any]] = field(default_factory=dict)
    killed: list[int] = field(default_factory=list)
    """The postmasters, by pid."""

    async def progress(self, more: int) -> None:
        """Returns when so many more writes were acknowledged."""
        await self.journal.until_acknowledged(more)

    async def kill_postgres(self, *, alone: bool = False) -> None:
        """kill -9 of the postmaster and all its children, or of it alone; not of one that is dying already."""
        await self._postgres()
        self.killed.append(self.server.postmaster)
        if alone:
            os.kill(self.killed[-1], signal.SIGKILL)
        else:
            kill_family(self.killed[-1])

    async def kill_backend(self) -> None:
        """kill -9 of one process of Postgres, on which it starts all others again."""
        await self._postgres()
        backends: list[int] = []

        def are_there() -> bool:
            backends[:] = family(self.server.postmaster)[1:]
            return bool(backends)

        await eventually(are_there, CATCH_UP_S, "a process of Postgres")
        os.kill(backends[-1], signal.SIGKILL)

    async def _postgres(self) -> None:
        """Returns when one runs that was not killed."""
        home = (self.server.data_dir / "postgres").resolve()
        await eventually(lambda: (up := find(home)) is not None and up.pid not in self.killed, CATCH_UP_S, "Postgres")

    async def kill_server(self, *, postgres_too: bool = False) -> None:
        """kill -9 of the server and a new start of it, by nothing but the command."""
        if postgres_too:
            await self.kill_postgres()
        self.server.kill()
        await self.server.start()

    async def verdict(self) -> list[Anomaly]:
        """Lets every writer have its answer and every device catch up, and names what is wrong then."""
        for writer in self.writers:
            writer.stopping = True
        await asyncio.gather(*self.writing)
        self.truth = await items_of(self.server.database_url, self.feed_id)
        head = max((item["seq"] for item in self.truth.values()), default=0)
        with suppress(AssertionError):  # the checker says who lacks what
            await eventually(lambda: all(each.replica.seq >= head for each in self.devices), CATCH_UP_S)
        return anomalies(self.journal, self.truth)


@asynccontextmanager
async def trying(server: ServerProcess, *, writers: int = 8, devices: int = 3, seed: int = 0) -> AsyncIterator[Trial]:
    """Starts the server, writers and devices; ends them all."""
    journal = Journal(server.data_dir.with_name("journal.jsonl"))
    await server.start()
    try:
        database = Database(server.database_url, pool_size=3)
        person = await Person.make(database)
        tokens = [await person.token(f"writer {n}") for n in range(writers)]
        followers = [await person.device(f"device {n}") for n in range(devices)]
        await database.close()
        made = [
            Writer(f"writer {n}", server.url, token, journal, random.Random(f"{seed}/{n}"), roams=bool(n % 2))
            for n, token in enumerate(tokens)
        ]
        following = [Device(server.url, each.token, Replica(each.name, journal)) for each in followers]
        writing = [asyncio.create_task(each.run()) for each in made]
        async with background(*writing, *(asyncio.create_task(each.run()) for each in following)):
            yield Trial(server, person.feed_id, journal, made, writing, following)
    finally:
        await server.stop(within=END_S)
