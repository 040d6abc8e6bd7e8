"""What a connection may see, what its failures mean, and which database is safe to use."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from prometheus_client import REGISTRY
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from app.errors import Unavailable, UnsafeDatabase
from app.model import OpenAnswer, Origin
from app.store import database as module
from app.store.answers import Answers
from app.store.commit import Committer
from app.store.database import Database, is_data_error, is_passing, sqlstate
from app.store.files import Files, Quota
from app.store.tables import APP_ROLE, FEEDS_SETTING, ROW_SECURED
from tests.harness.people import Person
from tests.store.conftest import Sql
from tests.store.making import named, put

INSERTS = {
    "items": "insert into items (feed_id, id, seq, kind, field_seqs, wire) values (:feed, :id, 99, 'note', '{}', '')",
    "replays": "insert into replays (feed_id, key, fingerprint, item_id, seq, expires_at)"
    " values (:feed, '', '', :id, 9, now())",
    "devices": "insert into devices (feed_id, id, name, kind) values (:feed, :id, 'x', 'cli')",
    "files": "insert into files (feed_id, id, item_id, name, mime_type, size) values (:feed, :id, :id, 'x', 'x/x', 1)",
    "answers": "insert into answers (feed_id, id, provider, model, origin) values (:feed, :id, 'x', 'x', '')",
}


@pytest.fixture
async def feeds(database: Database, committer: Committer) -> tuple[UUID, UUID]:
    """Two people's, each with a row in every table."""
    people = [await Person.make(database) for _ in range(2)]
    for person in people:
        await person.device()
        await committer.submit(put(person.feed_id, replay=named(b"k")))
        await Files(database, Quota(1, 1)).announce(person.feed_id, uuid4(), "x", "x/x", 1)
        answer = OpenAnswer(person.feed_id, uuid4(), "x", "x", Origin("system", "test"))
        await Answers(database).begin(answer, uuid4(), limit=1)
    return people[0].feed_id, people[1].feed_id


@pytest.fixture
async def owner(database_url: str) -> AsyncIterator[AsyncEngine]:
    engine = create_async_engine(database_url)
    yield engine
    await engine.dispose()


async def owners(connection: AsyncConnection, table: str) -> list[UUID]:
    return list((await connection.execute(text(f"select feed_id from {table}"))).scalars())


@pytest.mark.case(
    37, "the server's database role with no feed named, another's, one's own: a row of each secured table"
)
@pytest.mark.parametrize("table", ROW_SECURED)
async def test_a_transaction_sees_the_feeds_it_names_and_no_others(
    database: Database, feeds: tuple[UUID, UUID], table: str, sql: Sql
) -> None:
    mine, theirs = feeds
    for named_feeds, expected in (((), []), ((mine,), [mine]), ((uuid4(),), []), ((mine, theirs), [mine, theirs])):
        async with database.transaction(*named_feeds) as connection:
            assert sorted(await owners(connection, table)) == expected
    assert len(await sql(f"select 1 from {table}")) == 2


@pytest.mark.control(37, "a table without row-level security")
@pytest.mark.parametrize("table", ROW_SECURED)
async def test_control_a_table_that_is_not_secured_shows_everybodys_rows(
    feeds: tuple[UUID, UUID], table: str, owner: AsyncEngine
) -> None:
    async with owner.connect() as connection:  # rolled back
        await connection.execute(text(f"alter table {table} disable row level security"))
        await connection.execute(text(f"set local role {APP_ROLE}"))
        assert sorted(await owners(connection, table)) == sorted(feeds)


@pytest.mark.parametrize("table", ROW_SECURED)
async def test_a_transaction_writes_into_the_feeds_it_names_alone(
    database: Database, feeds: tuple[UUID, UUID], table: str, sql: Sql
) -> None:
    mine, theirs = feeds
    with pytest.raises(DBAPIError) as refused:
        async with database.transaction(mine) as connection:
            await connection.execute(text(INSERTS[table]), {"feed": theirs, "id": uuid4()})
    assert sqlstate(refused.value) == "42501"
    async with database.transaction(mine) as connection:
        assert (await connection.execute(text(f"delete from {table} where feed_id = '{theirs}'"))).rowcount == 0
        await connection.execute(text(INSERTS[table]), {"feed": mine, "id": uuid4()})
        with pytest.raises(DBAPIError):
            await connection.execute(text(f"update {table} set feed_id = '{theirs}'"))
    assert len(await sql(f"select 1 from {table} where feed_id = :feed", feed=theirs)) == 1


@pytest.mark.parametrize("table", ROW_SECURED)
async def test_an_owner_that_is_no_superuser_is_held_to_it_too(
    feeds: tuple[UUID, UUID], table: str, sql: Sql, owner: AsyncEngine
) -> None:
    await sql("create role plain")
    await sql("grant usage, create on schema public to plain")
    await sql(f"alter table {table} owner to plain")
    try:
        async with owner.begin() as connection:
            await connection.execute(text("set local role plain"))
            assert await owners(connection, table) == []
            await connection.execute(text(f"set local {FEEDS_SETTING} = '{{{feeds[0]}}}'"))
            assert await owners(connection, table) == [feeds[0]]
    finally:
        await sql(f"alter table {table} owner to starling")
        await sql("revoke all on schema public from plain")
        await sql("drop role plain")


@pytest.mark.parametrize("end", ["commit", "rollback"])
async def test_the_feeds_of_a_transaction_do_not_leak_into_the_next(
    database_url: str, feeds: tuple[UUID, UUID], end: str
) -> None:
    database = Database(database_url, pool_size=1)
    pids = set[int]()
    for named_feeds in ((feeds[0],), ()):
        async with database.transaction(*named_feeds) as connection:
            pids.add((await connection.execute(text("select pg_backend_pid()"))).scalar_one())
            assert await owners(connection, "items") == list(named_feeds)
            if end == "rollback":
                await connection.rollback()
    assert len(pids) == 1
    await database.close()


async def test_the_server_is_no_owner_and_cannot_become_one(database: Database) -> None:
    async with database.transaction() as connection:
        found = await connection.execute(text("select rolname, rolsuper from pg_roles where rolname = current_user"))
        assert tuple(found.one()) == ("starling_app", False)
    for statement in ("alter table items disable row level security", "drop table items", "create table x ()"):
        with pytest.raises(DBAPIError) as refused:
            async with database.transaction() as connection:
                await connection.execute(text(statement))
        assert sqlstate(refused.value) == "42501"


async def test_a_forgetful_database_is_refused(database: Database) -> None:
    with pytest.raises(UnsafeDatabase, match="fsync = off"):
        await database.require_durability()


async def test_a_durable_database_is_accepted(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_DURABLE", {**module._DURABLE, "fsync": ("off",)})
    await database.require_durability()


@pytest.mark.parametrize("mode", ["off", "local"])
async def test_a_commit_that_does_not_wait_for_the_disk_is_refused(
    database_url: str, monkeypatch: pytest.MonkeyPatch, mode: str, sql: Sql
) -> None:
    monkeypatch.setattr(module, "_DURABLE", {**module._DURABLE, "fsync": ("off",)})
    await sql(f"alter database starling set synchronous_commit = {mode}")
    database = Database(database_url, pool_size=1)
    try:
        with pytest.raises(UnsafeDatabase, match="synchronous_commit"):
            await database.require_durability()
    finally:
        await sql("alter database starling reset synchronous_commit")
        await database.close()


async def test_a_full_pool_is_unavailable_for_the_moment(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "POOL_TIMEOUT_S", 0.1)
    database = Database(database_url, pool_size=1)
    async with database.transaction():
        with pytest.raises(Unavailable):
            await database.ping()
    await database.ping()
    await database.close()


async def test_a_database_that_is_away_is_unavailable(own_dir: Path) -> None:
    database = Database(f"postgresql+asyncpg://starling@/starling?host={own_dir}", pool_size=1)
    before = REGISTRY.get_sample_value("starling_database_failures_total") or 0
    with pytest.raises(Unavailable):
        await database.ping()
    assert REGISTRY.get_sample_value("starling_database_failures_total") == before + 1
    await database.close()


@pytest.mark.parametrize(
    ("statement", "passing", "data"),
    [
        ("select 1/0", False, True),
        ("select 'x'::uuid", False, True),
        ("select nothing", False, False),
        ("select pg_sleep(5)", True, False),
    ],
)
async def test_failures_are_told_apart(database: Database, statement: str, passing: bool, data: bool) -> None:
    async with database.engine.connect() as connection:
        await connection.execute(text("set local statement_timeout = 100"))
        with pytest.raises(DBAPIError) as failed:
            await connection.execute(text(statement))
    assert (is_passing(failed.value), is_data_error(failed.value)) == (passing, data)


async def test_a_connection_that_was_ended_is_unavailable_and_then_replaced(database_url: str, sql: Sql) -> None:
    database = Database(database_url, pool_size=1)
    async with database.transaction() as connection:
        pid = (await connection.execute(text("select pg_backend_pid()"))).scalar_one()
    await sql("select pg_terminate_backend(:pid, 5000)", pid=pid)
    with pytest.raises(Unavailable):
        await database.ping()
    await database.ping()
    await database.close()


def _farewell() -> bytes:
    said = b"SFATAL\0VFATAL\0C57P01\0Mterminating connection\0\0"
    return b"E" + (len(said) + 4).to_bytes(4, "big") + said


async def _through_the_driver(database: Database) -> None:
    async with database.driver() as connection:
        connection._protocol.data_received(_farewell())  # type: ignore[attr-defined]
        await connection.execute("BEGIN;")


async def _through_sqlalchemy(database: Database) -> None:
    async with database.transaction() as connection:
        driver = (await connection.get_raw_connection()).driver_connection
        driver._protocol.data_received(_farewell())  # type: ignore[union-attr]
        await connection.execute(text("select 1"))


@pytest.mark.parametrize("query", [_through_the_driver, _through_sqlalchemy])
async def test_a_connection_that_was_told_goodbye_is_unavailable_and_then_replaced(
    database_url: str, query: Callable[[Database], Awaitable[None]]
) -> None:
    database = Database(database_url, pool_size=1)
    with pytest.raises(Unavailable):
        await query(database)
    await database.ping()
    await database.close()


async def test_cancelled_queries_give_nobody_anothers_answer(database_url: str) -> None:
    database = Database(database_url, pool_size=2)

    async def ask(number: int) -> None:
        async with database.transaction() as connection:
            answer = await connection.execute(text("select cast(:n as int), pg_sleep(0.001)"), {"n": number})
            assert answer.scalar_one() == number

    tasks = [asyncio.create_task(ask(number)) for number in range(200)]
    for number, task in enumerate(tasks):
        if number % 3 == 0:
            await asyncio.sleep(0)
            task.cancel()
    done = await asyncio.gather(*tasks, return_exceptions=True)
    assert {type(each) for each in done} <= {type(None), asyncio.CancelledError}
    assert database.engine.pool.checkedout() == 0  # type: ignore[attr-defined]
    await database.close()
