"""Many writers whose commits take their time: a reader that follows loses nothing and sees one order."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack

import asyncpg
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from app.store.commit import Committer
from app.store.database import Database
from app.store.feed import FeedReader
from app.store.writer import Writer
from tests.harness.counts import times
from tests.harness.people import Person
from tests.store.making import Published, item_of, put, running

WRITERS = 16
EACH = times(50, full=200)


async def linger() -> None:
    """What happens before a commit: nobody knows how long."""
    await asyncio.sleep(random.uniform(0, 0.01))


class SlowWriter(Writer):
    """Commits 0 to 10 ms after it has written."""

    @staticmethod
    async def _finish(connection: asyncpg.Connection) -> None:
        await linger()
        await Writer._finish(connection)


async def follow(read: Callable[[int], Awaitable[list[int]]], writing: "asyncio.Future[list[None]]") -> list[int]:
    """All that a reader sees who asks for what comes after the last that it saw, until the writers are done."""
    seen: list[int] = []
    while True:
        over = writing.done()
        found = await read(seen[-1] if seen else 0)
        seen += found
        if over and not found:
            return seen


@pytest.mark.case(1, f"{WRITERS} writers with 0 to 10 ms before commit, {WRITERS * EACH} changes, 3 readers")
async def test_sixteen_writers_lose_nothing_and_agree_on_one_order(database_url: str, person: Person) -> None:
    database = Database(database_url, pool_size=WRITERS + 4)
    reader, published = FeedReader(database), [Published() for _ in range(WRITERS)]
    written: dict[int, str] = {}

    async def write(committer: Committer, name: int) -> None:
        for number in range(EACH):
            outcome = await committer.submit(put(person.feed_id, title=f"{name}/{number}", fresh=random.random() < 0.5))
            written[outcome.seq] = item_of(outcome)["title"]

    read_titles: dict[int, bytes] = {}

    async def read(after: int) -> list[int]:
        page = await reader.page(person.feed_id, after, device_id=None, limit=37)
        assert page is not None
        read_titles.update({row.seq: row.wire for row in page.rows})
        return [row.seq for row in page.rows]

    async with AsyncExitStack() as stack:
        committers = [Committer(database, each) for each in published]
        for committer in committers:
            committer._writer = SlowWriter(database)
            await stack.enter_async_context(running(committer))
        writing = asyncio.gather(*(write(committer, name) for name, committer in enumerate(committers)))
        readers = [asyncio.create_task(follow(read, writing)) for _ in range(3)]
        for each in readers:
            assert await each == list(range(1, WRITERS * EACH + 1))
    assert sorted(written) == list(range(1, WRITERS * EACH + 1))
    assert all(f'"title":"{title}"'.encode() in read_titles[seq] for seq, title in written.items())
    own: list[list[int]] = [
        [seq for seq in sorted(written) if written[seq].startswith(f"{n}/")] for n in range(WRITERS)
    ]
    assert own == [each.seqs(person.feed_id) for each in published]
    assert all(written[seq].endswith(f"/{n}") for seqs in own for n, seq in enumerate(seqs))
    await database.close()


@pytest.mark.control(1, "a reader that trusts a bigserial")
async def test_control_a_reader_that_trusts_a_bigserial_loses_rows_under_the_same_writers(database_url: str) -> None:
    engine = create_async_engine(database_url, pool_size=WRITERS + 4)
    async with engine.begin() as connection:
        await connection.execute(text("create table naive (id bigserial primary key)"))

    async def write() -> None:
        for _ in range(EACH):
            async with engine.begin() as connection:
                await connection.execute(text("insert into naive default values"))
                await linger()

    async def read(after: int) -> list[int]:
        async with engine.connect() as connection:
            rows = await connection.execute(
                text("select id from naive where id > :after order by id"), {"after": after}
            )
            return list(rows.scalars())

    try:
        seen = await follow(read, asyncio.gather(*(write() for _ in range(WRITERS))))
        async with engine.connect() as connection:
            count = (await connection.execute(text("select count(*) from naive"))).scalar_one()
    finally:
        async with engine.begin() as connection:
            await connection.execute(text("drop table naive"))
        await engine.dispose()
    assert count == WRITERS * EACH
    assert len(set(seen)) < count
