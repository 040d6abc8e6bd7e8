"""Postgres tells every process of a revocation, once it is committed."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field

import pytest
from sqlalchemy import text

from app.model import Message, Revoked
from app.store.database import Database
from app.store.revocations import CHANNEL, RAISE_AUTH, Revocations
from tests.harness.people import Person
from tests.harness.waiting import eventually
from tests.store.conftest import Sql

LISTENS = f"select pid from pg_stat_activity where query like '%{CHANNEL}%' and pid <> pg_backend_pid()"
WITHIN_S = 15


@dataclass
class Ear:
    heard: list[Message] = field(default_factory=list)
    gaps: int = 0

    def hear(self, messages: Sequence[Message]) -> None:
        self.heard += messages

    def gap(self) -> None:
        self.gaps += 1

    async def until(self, *messages: Message) -> None:
        await eventually(lambda: self.heard == list(messages), WITHIN_S, f"{messages} instead of {self.heard}")


@pytest.fixture
async def ear(database_url: str, sql: Sql) -> AsyncIterator[Ear]:
    """Another process, which listens."""
    listening, ear = Database(database_url, pool_size=1), Ear()
    task = asyncio.create_task(Revocations(listening).run(ear.hear, ear.gap))

    async def listens() -> bool:
        return len(await sql(LISTENS)) == 1

    await eventually(listens, WITHIN_S, "listening")
    yield ear
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await listening.close()


async def raise_auth(database: Database, *people: Person, then: str = "commit") -> None:
    async with database.engine.connect() as connection:
        await connection.execute(RAISE_AUTH, {"feeds": [person.feed_id for person in people]})
        await connection.execute(text(then))
        await connection.commit()


async def test_it_is_heard_once_it_is_committed(ear: Ear, database: Database) -> None:
    one, two = await Person.make(database), await Person.make(database)
    await raise_auth(database, one, then="rollback")
    await raise_auth(database, one)
    await raise_auth(database, one)
    await ear.until(Revoked(one.feed_id, 1), Revoked(one.feed_id, 2))
    await raise_auth(database, two)
    await ear.until(Revoked(one.feed_id, 1), Revoked(one.feed_id, 2), Revoked(two.feed_id, 1))
    assert ear.gaps == 0


async def test_a_lost_connection_is_made_again_and_the_gap_is_told(ear: Ear, database: Database, sql: Sql) -> None:
    person = await Person.make(database)
    [lost] = await sql(LISTENS)
    await sql("select pg_terminate_backend(:pid)", pid=lost.pid)
    await eventually(lambda: ear.gaps == 1, WITHIN_S, "the gap")
    assert [row.pid for row in await sql(LISTENS)] != [lost.pid]
    await raise_auth(database, person)
    await ear.until(Revoked(person.feed_id, 1))


async def test_what_somebody_else_says_there_is_ignored(ear: Ear, database: Database, sql: Sql) -> None:
    person = await Person.make(database)
    for told in ("", "nonsense", f"{person.feed_id}", f"{person.feed_id} x", "x 1"):
        await sql("select pg_notify(:channel, :told)", channel=CHANNEL, told=told)
    await raise_auth(database, person)
    await ear.until(Revoked(person.feed_id, 1))
