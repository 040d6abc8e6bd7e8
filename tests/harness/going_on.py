"""A transaction of somebody else that takes its time."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine


@asynccontextmanager
async def going_on(database_url: str, statement: str) -> AsyncIterator[None]:
    """One of the owner's that has executed this, and is committed when the body ends."""
    engine = create_async_engine(database_url)
    async with engine.begin() as connection:
        await connection.execute(text(statement))
        yield
    await engine.dispose()


def locking(feed_id: UUID) -> str:
    """The statement that locks a feed's row."""
    return f"select 1 from feeds where id = '{feed_id}' for update"
