"""The database a command works on, and the bus: named ones, or the embedded ones, started if no server runs them."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import click
from pydantic import ValidationError

from app.local import Postgres, Valkey
from app.settings import Settings
from app.store.database import Database
from app.store.schema import OlderCodeRuns, migrate, require_current
from app.telemetry import configure_logging

T = TypeVar("T")
LANDMARK = Path("postgres", "PG_VERSION")
FEWEST_CONNECTIONS = 100
"""What the embedded database takes anyway."""


@dataclass(frozen=True)
class Opened:
    """A database that answers and has the current schema."""

    url: str
    landmark: Path | None
    postgres: Postgres | None


def settings(*, quiet: bool = False) -> Settings:
    """The configuration from the environment. Ends the command when it makes no sense. `quiet`: warnings are logged."""
    try:
        read = Settings()
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        name = "STARLING_" + "_".join(str(part) for part in first["loc"]).upper()
        raise click.UsageError(f"{name}: {first['msg']}") from None
    configure_logging("warning" if quiet and read.log_level == "info" else read.log_level, read.log_format)
    return read


@asynccontextmanager
async def opened(read: Settings, connections: int = 0) -> AsyncIterator[Opened]:
    """While the body runs. The embedded database is migrated here, a named one by `starling migrate` alone.

    An embedded database that is started here takes at least `connections` connections.
    """
    read.data_dir.mkdir(parents=True, exist_ok=True)
    if read.database_url is not None:
        await require_current(read.database_url)
        yield Opened(read.database_url, None, None)
        return
    more = {"max_connections": str(connections)} if connections > FEWEST_CONNECTIONS else {}
    postgres = Postgres(read.data_dir, settings=more)
    async with _supervised(postgres):
        with suppress(OlderCodeRuns):  # it is left to the first start after its end
            await migrate(postgres.url)
        await require_current(postgres.url)
        yield Opened(postgres.url, read.data_dir / LANDMARK, postgres)


@asynccontextmanager
async def opened_bus(read: Settings) -> AsyncIterator[str]:
    """Where the bus between processes is, while the body runs: the one that is named, or the embedded one."""
    if read.redis_url is not None:
        yield read.redis_url
        return
    valkey = Valkey(read.data_dir)
    async with _supervised(valkey):
        yield valkey.url


@asynccontextmanager
async def _supervised(server: Postgres | Valkey) -> AsyncIterator[None]:
    try:
        await server.start()
        watch = asyncio.create_task(server.supervise())
        try:
            yield
        finally:
            watch.cancel()
            with suppress(asyncio.CancelledError):
                await watch
    finally:
        await server.stop()


def run(work: Callable[[Database], Awaitable[T]]) -> T:
    """Runs a short command on the database."""

    async def on_database() -> T:
        read = settings(quiet=True)
        async with opened(read) as found:
            database = Database(found.url, pool_size=3)
            try:
                return await work(database)
            finally:
                await database.close()

    return asyncio.run(on_database())
