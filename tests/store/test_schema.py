"""Migrations: they make the tables, can be taken back, repeated, and run by two at once."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import create_async_engine

from app.errors import Unavailable
from app.store.database import Database
from app.store.revisions import config
from app.store.schema import migrate, require_current
from app.store.tables import ROW_SECURED, metadata

OF_CREDENTIALS = {
    "tokens",
    "grants",
    "authorization_codes",
    "device_codes",
    "security_events",
    "push_subscriptions",
}  # looked up to learn which feed it is
WITHOUT_CONTENT = {"answer_leases", "pushes", "shelves"}


async def run(url: str, statement: str) -> list[Any]:
    """As the owner, outside a transaction."""
    engine = create_async_engine(url, isolation_level="AUTOCOMMIT")
    async with engine.connect() as connection:
        done = await connection.execute(text(statement))
        rows = list(done.all()) if done.returns_rows else []
    await engine.dispose()
    return rows


@pytest.fixture
async def empty_url(cluster_url: str) -> AsyncIterator[str]:
    """A database without tables."""
    await run(cluster_url, "create database empty template template0")
    yield cluster_url.replace("/starling?", "/empty?")
    await run(cluster_url, "drop database empty with (force)")


async def tables(url: str) -> set[str]:
    return {row[0] for row in await run(url, "select tablename from pg_tables where schemaname = 'public'")}


async def take_back(url: str) -> None:
    """Undoes every migration."""

    def undo(connection: Connection) -> None:
        alembic = config()
        alembic.attributes["connection"] = connection
        command.downgrade(alembic, "base")

    engine = create_async_engine(url)
    async with engine.connect() as connection:
        await connection.run_sync(undo)
    await engine.dispose()


async def differences(url: str) -> list[Any]:
    """Between the database and the tables as the code has them."""

    def compare(connection: Connection) -> list[Any]:
        options = {"compare_type": True, "compare_server_default": True}
        return list(compare_metadata(MigrationContext.configure(connection, opts=options), metadata))

    engine = create_async_engine(url)
    async with engine.connect() as connection:
        found = await connection.run_sync(compare)
    await engine.dispose()
    return found


async def test_migrations_make_exactly_the_tables(empty_url: str) -> None:
    await migrate(empty_url)
    assert await differences(empty_url) == []
    secured = await run(empty_url, "select relname from pg_class where relrowsecurity and relforcerowsecurity")
    assert {row[0] for row in secured} == set(ROW_SECURED)
    holds_content = (
        {table.name for table in metadata.sorted_tables if "feed_id" in table.c} - OF_CREDENTIALS - WITHOUT_CONTENT
    )
    assert holds_content == set(ROW_SECURED)


async def test_a_column_that_no_migration_made_is_noticed(empty_url: str) -> None:
    await migrate(empty_url)
    await run(empty_url, "alter table items drop column collection")
    assert await differences(empty_url) != []


async def test_migrations_can_be_repeated_and_taken_back(empty_url: str) -> None:
    for _ in range(2):
        await migrate(empty_url)
        await require_current(empty_url)
    await take_back(empty_url)
    assert await tables(empty_url) == {"alembic_version"}
    with pytest.raises(Unavailable):
        await require_current(empty_url)
    await migrate(empty_url)
    assert await differences(empty_url) == []


async def test_two_that_migrate_at_once_both_succeed(empty_url: str) -> None:
    await asyncio.gather(*(migrate(empty_url) for _ in range(3)))
    assert await differences(empty_url) == []


async def test_an_owner_who_is_no_superuser_and_made_the_role_can_serve(empty_url: str) -> None:
    await run(empty_url, "create role landlord login")
    is_old = (await run(empty_url, "show server_version_num"))[0][0] < "160000"
    options = "admin option" if is_old else "admin true, inherit true, set false"
    await run(empty_url, f"grant starling_app to landlord with {options}")
    await run(empty_url, "alter database empty owner to landlord")
    url = empty_url.replace("//starling@", "//landlord@")
    await migrate(url)
    database = Database(url)
    await database.ping()
    await database.close()
    await run(empty_url, "drop owned by landlord cascade")
    await run(empty_url, "alter database empty owner to starling")
    await run(empty_url, "drop role landlord")


async def test_a_database_without_tables_is_not_served(empty_url: str) -> None:
    with pytest.raises(Unavailable, match="starling migrate"):
        await require_current(empty_url)
