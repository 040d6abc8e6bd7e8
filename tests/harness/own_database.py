"""A database of a test's own, in the cluster of all tests."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from app.store.schema import migrate


@asynccontextmanager
async def own_database(cluster_url: str, name: str) -> AsyncIterator[str]:
    """Its address; migrated, and dropped in the end whoever is connected."""
    await _owner(cluster_url, f"create database {name} template template0")
    try:
        url = cluster_url.replace("/starling?", f"/{name}?")
        await migrate(url)
        yield url
    finally:
        await _owner(cluster_url, f"drop database {name} with (force)")


async def _owner(url: str, statement: str) -> None:
    engine = create_async_engine(url, isolation_level="AUTOCOMMIT")
    async with engine.connect() as connection:
        await connection.execute(text(statement))
    await engine.dispose()
