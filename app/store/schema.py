"""Migrations, run as the database's owner before the server takes its own role. docs/upgrades.md tells the rules."""

from pathlib import Path
from typing import Literal

from alembic import command
from alembic.migration import MigrationContext
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import create_async_engine

from app.errors import StarlingError, Unavailable
from app.store.database import DATABASE_ERRORS, PROGRAM, passing_failures, sqlstate
from app.store.revisions import MIGRATIONS, Revisions, config, is_older, is_post

LOCK_TIMEOUT_MS = 3000
LOCK_REFUSED = ("55P03", "40P01")
"""Waited for too long, or in a circle with those who wait for it."""
Part = Literal["pre", "post", "all"]
_SERIALISE = text("select pg_advisory_lock(hashtext('starling.migrate'))")
_PROGRAMS = text("""
select distinct application_name from pg_stat_activity
where datname = current_database() and application_name like :program
""")


class CannotMigrate(StarlingError):
    """The migrations cannot go on like this."""

    code = "cannot_migrate"


class OlderCodeRuns(CannotMigrate):
    """Processes of an older version use the database: stop them, then run `starling migrate --post`."""

    code = "older_code_runs"


class LockNotGranted(CannotMigrate):
    """Somebody else's transaction held a lock for too long."""

    code = "lock_not_granted"


async def migrate(url: str, part: Part = "all", *, directory: Path = MIGRATIONS) -> list[str]:
    """Brings the schema up to date and returns the revisions it went through. Each is a transaction of its own.

    `pre` goes as far as older code can run, `post` goes on from there. Processes that start together migrate one after
    another. What fails can be repeated. Raises `CannotMigrate`, `OlderCodeRuns`, `LockNotGranted`, `Unavailable`.
    """
    revisions = Revisions.of(directory)

    def run(connection: Connection) -> list[str]:
        wanted = _wanted(revisions, part, _revision(connection))
        for revision in wanted:
            if is_post(revision):
                _require_no_older_code(connection, revision)
            connection.commit()  # the migration begins a transaction of its own
            _step(connection, directory, revision)
        return wanted

    engine = create_async_engine(url, hide_parameters=True)
    try:
        async with passing_failures(), engine.connect() as connection:
            await connection.execute(_SERIALISE)
            await connection.execute(text(f"set lock_timeout = {LOCK_TIMEOUT_MS}"))
            await connection.commit()
            return await connection.run_sync(run)
    finally:
        await engine.dispose()


async def require_current(url: str, *, directory: Path = MIGRATIONS) -> None:
    """Raises `Unavailable` when this version cannot run on the schema. Pending `post_` migrations are no hindrance."""
    engine = create_async_engine(url, hide_parameters=True)
    try:
        async with passing_failures(), engine.connect() as connection:
            at = await connection.run_sync(_revision)
    finally:
        await engine.dispose()
    if (reason := Revisions.of(directory).refusal(at)) is not None:
        raise Unavailable(reason)


def _revision(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def _wanted(revisions: Revisions, part: Part, at: str | None) -> list[str]:
    pending = revisions.pending(at)
    if at is None or part == "all":  # a database without tables has no older code
        return pending
    if part == "post":
        if pending and not is_post(pending[0]):
            raise CannotMigrate(f"{pending[0]} comes first: run `starling migrate --pre`, then start this version.")
        return revisions.after_stop(at)
    wanted = revisions.before_start(at)
    left = pending[len(wanted) :]
    if all(is_post(revision) for revision in left):
        return wanted
    raise CannotMigrate(
        f"{left[0]} comes before the rest, and older code cannot run after it: upgrade to the version that brought it "
        "first, and finish that with `starling migrate --post`; or stop all processes and run `starling migrate`."
    )


def _require_no_older_code(connection: Connection, revision: str) -> None:
    names = connection.execute(_PROGRAMS, {"program": f"{PROGRAM}%"}).scalars()
    older = [name for name in names if is_older(name.removeprefix(PROGRAM).strip(), revision)]
    if older:
        raise OlderCodeRuns(f"{OlderCodeRuns.__doc__} {revision} waits for that. Connected: {', '.join(older)}.")


def _step(connection: Connection, directory: Path, revision: str) -> None:
    alembic = config(directory)
    alembic.attributes["connection"] = connection
    try:
        command.upgrade(alembic, revision)
    except DATABASE_ERRORS as error:
        if sqlstate(error) not in LOCK_REFUSED:
            raise
        raise LockNotGranted(
            f"{revision} gave up waiting (for {LOCK_TIMEOUT_MS / 1000:g} s at most) for a lock of another transaction, "
            "so that nobody waits longer behind it. Nothing of it was changed: run the same command again."
        ) from error
