"""Live upgrades: halves of a migration, locks that are not granted, migrations that fail, old code that goes on."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine

from app.errors import Unavailable
from app.model import Origin
from app.store.database import Database
from app.store.feed import FeedReader
from app.store.fold import Change
from app.store.revisions import head
from app.store.schema import CannotMigrate, LockNotGranted, OlderCodeRuns, migrate, require_current
from tests.harness.people import Person
from tests.harness.waiting import eventually
from tests.store.making import Published, committing
from tests.store.scratch import Scratch
from tests.store.test_schema import run

COLUMN = "alter table items add column note text"


@pytest.fixture
async def url(cluster_url: str) -> AsyncIterator[str]:
    """A database of this version."""
    await run(cluster_url, "create database upgraded template template0")
    address = cluster_url.replace("/starling?", "/upgraded?")
    await migrate(address)
    yield address
    await run(cluster_url, "drop database upgraded with (force)")


@pytest.fixture
def scratch(tmp_path: Path) -> Scratch:
    """Migrations to add to."""
    return Scratch.make(tmp_path / "migrations")


async def columns(url: str) -> set[str]:
    """Of the table of items."""
    found = await run(url, "select column_name from information_schema.columns where table_name = 'items'")
    return {row[0] for row in found}


@asynccontextmanager
async def older_process(url: str) -> AsyncIterator[Database]:
    """This version's connections; to the scratch migrations it is an older one."""
    database = Database(url, pool_size=4)
    try:
        await database.ping()
        yield database
    finally:
        await database.close()


@asynccontextmanager
async def reading(url: str) -> AsyncIterator[None]:
    """A transaction that holds its lock on the items, as a long report would."""
    engine = create_async_engine(url)
    async with engine.begin() as connection:
        await connection.execute(text("lock table items in access share mode"))
        yield
    await engine.dispose()


async def test_the_new_code_starts_between_the_halves(url: str, scratch: Scratch) -> None:
    first, second = scratch.add("pre", COLUMN), scratch.add("post", "alter table items alter note set default ''")
    with pytest.raises(Unavailable, match="--pre"):
        await require_current(url, directory=scratch.directory)
    with pytest.raises(CannotMigrate, match=f"{first} comes first"):
        await migrate(url, "post", directory=scratch.directory)

    assert await migrate(url, "pre", directory=scratch.directory) == [first]
    await require_current(url)  # the old code
    await require_current(url, directory=scratch.directory)
    assert await migrate(url, "pre", directory=scratch.directory) == []

    assert await migrate(url, "post", directory=scratch.directory) == [second]
    with pytest.raises(Unavailable, match="newer version"):
        await require_current(url)
    await require_current(url, directory=scratch.directory)
    assert await migrate(url, directory=scratch.directory) == []
    assert await migrate(url) == []  # the old code leaves a newer schema alone


async def test_a_new_database_goes_through_everything_at_once(url: str, scratch: Scratch) -> None:
    scratch.add("post"), scratch.add("pre", COLUMN)
    await run(url, "drop schema public cascade")
    await run(url, "create schema public")
    assert await migrate(url, "pre", directory=scratch.directory) == scratch.ids


async def test_an_upgrade_over_two_versions_is_refused_before_it_begins(url: str, scratch: Scratch) -> None:
    added = [scratch.add(kind) for kind in ("pre", "post", "pre")]
    with pytest.raises(CannotMigrate, match=f"{added[1]} comes before"):
        await migrate(url, "pre", directory=scratch.directory)
    await require_current(url)
    assert await migrate(url, directory=scratch.directory) == added


@pytest.mark.parametrize("part", ["post", "all"])
async def test_the_second_half_waits_for_the_end_of_older_code(url: str, scratch: Scratch, part: str) -> None:
    scratch.add("pre", COLUMN)
    second = scratch.add("post", "alter table items drop column search")
    await migrate(url, "pre", directory=scratch.directory)
    async with older_process(url):
        with pytest.raises(OlderCodeRuns, match=f"{second} waits.*starling {head()}"):
            await migrate(url, part, directory=scratch.directory)  # type: ignore[arg-type]
        assert "search" in await columns(url)
        await require_current(url)
    assert await migrate(url, part, directory=scratch.directory) == [second]  # type: ignore[arg-type]
    assert "search" not in await columns(url)


@pytest.mark.case(12, "old code writes and reads while the first half of an upgrade is applied")
async def test_old_code_writes_and_reads_while_the_first_half_is_applied(url: str, scratch: Scratch) -> None:
    scratch.add("pre", COLUMN)
    scratch.add("pre", "alter table feeds add column colour text not null default 'blue'")
    async with older_process(url) as database, committing(database, Published()) as committer:
        people = [await Person.make(database) for _ in range(4)]
        saved: dict[Person, int] = dict.fromkeys(people, 0)
        done = asyncio.Event()

        async def write(person: Person) -> None:
            while not done.is_set():
                change = Change(person.feed_id, uuid4(), "put", "create", Origin("action", "gpt"), {"title": "x"})
                assert (await committer.submit(change)).status == "applied"
                saved[person] += 1

        writers = [asyncio.create_task(write(person)) for person in people]
        await eventually(lambda: min(saved.values()) > 5, 30, "writes before")
        assert len(await migrate(url, "pre", directory=scratch.directory)) == 2
        at = dict(saved)
        await eventually(lambda: all(saved[person] > at[person] + 5 for person in people), 30, "writes after")
        done.set()
        await asyncio.gather(*writers)
        reader = FeedReader(database)
        for person in people:
            page = await reader.page(person.feed_id, 0, device_id=None, limit=100_000)
            assert page is not None
            assert page.head.head == saved[person]
            assert [row.seq for row in page.rows] == list(range(1, len(page.rows) + 1))


async def test_a_lock_that_is_not_granted_is_given_up_and_asked_for_again(
    url: str, scratch: Scratch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.store.schema.LOCK_TIMEOUT_MS", 200)
    revision = scratch.add("pre", "create table colours (id uuid)", COLUMN)
    async with asyncio.timeout(30), reading(url):
        with pytest.raises(LockNotGranted, match=f"{revision} gave up.*0.2 s.*again"):
            await migrate(url, directory=scratch.directory)
        assert "note" not in await columns(url)
        await require_current(url)
    assert await migrate(url, directory=scratch.directory) == [revision]  # what came before it was undone, too
    assert "note" in await columns(url)


async def test_a_migration_that_fails_leaves_the_schema_as_it_was(url: str, scratch: Scratch) -> None:
    good = scratch.add("pre", "create table colours (id uuid)")
    bad = scratch.add("pre", COLUMN, "select * from nowhere")
    with pytest.raises(DBAPIError, match="nowhere"):
        await migrate(url, directory=scratch.directory)
    assert "note" not in await columns(url)
    await require_current(url)
    scratch.write(bad, COLUMN)
    assert await migrate(url, directory=scratch.directory) == [bad]
    assert good in scratch.ids


async def test_an_index_is_built_beside_the_writers_and_after_a_failure_anew(
    url: str, scratch: Scratch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.store.schema.LOCK_TIMEOUT_MS", 200)
    build = "postgresql_concurrently=True, table_name='items', if_exists=True)\n"
    body = f"    with op.get_context().autocommit_block():\n        op.drop_index('ix_items_kind', {build}"
    body += "        op.create_index('ix_items_kind', 'items', ['kind'], postgresql_concurrently=True)"
    revision = scratch.add("pre")
    path = next(scratch.directory.glob(f"versions/{revision}_*"))
    path.write_text(path.read_text().replace("    pass", body))
    valid = "select indisvalid from pg_index where indexrelid = to_regclass('ix_items_kind')"
    engine = create_async_engine(url)
    async with asyncio.timeout(30), engine.begin() as writer:
        await writer.execute(text("lock table items in row exclusive mode"))
        with pytest.raises(LockNotGranted, match=revision):
            await migrate(url, directory=scratch.directory)
    await engine.dispose()
    assert await run(url, valid) == [(False,)]
    assert await migrate(url, directory=scratch.directory) == [revision]
    assert await run(url, valid) == [(True,)]
