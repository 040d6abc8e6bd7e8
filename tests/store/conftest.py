"""What the store's tests share: the owner's view of the tables, a feed, a committer that runs."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import create_async_engine

from app.store.commit import Committer
from app.store.database import Database
from tests.harness.people import Person
from tests.store.making import Published, committing

Sql = Callable[..., Awaitable[list[Row[Any]]]]


@pytest.fixture
async def sql(database_url: str) -> AsyncIterator[Sql]:
    """Runs a statement as the owner, who sees every feed."""
    engine = create_async_engine(database_url)

    async def run(statement: str, **arguments: Any) -> list[Row[Any]]:
        async with engine.begin() as connection:
            done = await connection.execute(text(statement), arguments)
            return list(done.all()) if done.returns_rows else []

    yield run
    await engine.dispose()


@pytest.fixture
def feed_id(person: Person) -> UUID:
    """Somebody's feed."""
    return person.feed_id


@pytest.fixture
def published() -> Published:
    """What the committer has published."""
    return Published()


@pytest.fixture
async def committer(database: Database, published: Published) -> AsyncIterator[Committer]:
    """One that runs."""
    async with committing(database, published) as running:
        yield running
