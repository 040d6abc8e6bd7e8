"""Migrations, run as the database's owner before the server takes its own role."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import create_async_engine

from app.errors import Unavailable
from app.store.database import passing_failures

MIGRATIONS = Path(__file__).resolve().parents[2] / "migrations"
LOCK_TIMEOUT_MS = 3000
_SERIALISE = text("select pg_advisory_lock(hashtext('starling.migrate'))")


def config() -> Config:
    """Alembic's configuration; there is no ini file."""
    made = Config()
    made.set_main_option("script_location", str(MIGRATIONS))
    return made


async def migrate(url: str, *, revision: str = "head", down: bool = False) -> None:
    """Brings the schema to `revision`. Processes that start together migrate one after another. Repeatable."""

    def run(connection: Connection) -> None:
        alembic = config()
        alembic.attributes["connection"] = connection
        (command.downgrade if down else command.upgrade)(alembic, revision)

    engine = create_async_engine(url, hide_parameters=True)
    try:
        async with passing_failures(), engine.connect() as connection:
            await connection.execute(_SERIALISE)
            await connection.execute(text(f"set lock_timeout = {LOCK_TIMEOUT_MS}"))
            await connection.commit()
            await connection.run_sync(run)
            await connection.commit()
    finally:
        await engine.dispose()


async def require_current(url: str) -> None:
    """Raises `Unavailable` when the schema is not the one this version was written for."""
    engine = create_async_engine(url, hide_parameters=True)
    try:
        async with passing_failures(), engine.connect() as connection:
            at = await connection.run_sync(lambda sync: MigrationContext.configure(sync).get_current_heads())
    finally:
        await engine.dispose()
    if set(at) != set(ScriptDirectory.from_config(config()).get_heads()):
        raise Unavailable("The database's schema is of another version: run `starling migrate` first.")
