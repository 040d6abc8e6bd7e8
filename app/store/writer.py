"""One transaction for a batch of changes."""

import secrets
from collections.abc import Sequence
from uuid import UUID
from weakref import WeakKeyDictionary

import asyncpg

from app.errors import Locked, Unavailable
from app.store.batch import Batch
from app.store.births import Births
from app.store.database import DATABASE_ERRORS, LOCK_TIMEOUT_MS, Database, sqlstate
from app.store.fold import Change
from app.store.statements import BEAR, ITEMS, LOCK, LOCKED, MARK, REPLAYS, WRITE
from app.store.uncertain import require_born, require_committed

_BEGIN = "BEGIN;"
_BEGIN_PATIENTLY = f"BEGIN; set local lock_timeout = {LOCK_TIMEOUT_MS};"


class FeedsLocked(Exception):
    """Other transactions hold the rows of these feeds; nothing was changed."""

    def __init__(self, feeds: frozenset[UUID]) -> None:
        self.feeds = feeds
        super().__init__()


class _CommitUncertain(Exception):
    """The connection was lost after the commit had been sent."""


class Writer:
    """Writes batches. A process may write two at a time."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._marks: WeakKeyDictionary[asyncpg.Connection, int] = WeakKeyDictionary()

    async def commit(self, changes: Sequence[Change], *, patient: bool = False) -> Births | Batch:
        """Commits all of them or none. `patient`: waits long for locks, not only as long as the database is set to.

        Raises `FeedsLocked`, `Locked`, `Unavailable`: nothing was changed; `OutcomeUnknown`; what the database refuses.
        """
        try:
            return (None if patient else await self._bear(changes)) or await self._change(changes, patient=patient)
        except Locked as error:
            if feeds := await self._locked({change.feed_id for change in changes}):
                raise FeedsLocked(feeds) from error
            raise

    async def _locked(self, feeds: set[UUID]) -> frozenset[UUID]:
        """Those of the feeds whose rows others hold; none when it is something else that is locked."""
        async with self._database.driver() as connection:
            return frozenset(row.id for row in await LOCKED.fetch(connection, {"feeds": list(feeds)}))

    async def _bear(self, changes: Sequence[Change]) -> Births | None:
        """Commits new items in one round trip; None when they, or one of them, take a closer look."""
        if not all(change.fresh for change in changes):
            return None
        births = Births(changes)
        if births.is_repetitive:
            return None
        try:
            async with self._database.driver() as connection:
                is_done = await self._make(connection, births)
        except _CommitUncertain:
            await require_born(self._database, births)
            return births
        return births if is_done else None

    async def _make(self, connection: asyncpg.Connection, births: Births) -> bool:
        columns = births.columns()
        births.mark = await self._mark(connection)
        try:
            return births.take(await BEAR.fetch(connection, columns))
        except DATABASE_ERRORS as error:
            if _is_lost(error):
                raise _CommitUncertain from error
            raise

    async def _mark(self, connection: asyncpg.Connection) -> int:
        """The key of a lock that this connection's session holds as long as it lives."""
        mark = self._marks.get(connection)
        if mark is None:
            mark = secrets.randbits(63)
            await MARK.fetch(connection, {"mark": mark})
            self._marks[connection] = mark
        return mark

    async def _change(self, changes: Sequence[Change], *, patient: bool) -> Batch:
        batch = Batch(changes)
        try:
            async with self._database.driver() as connection:
                await connection.execute(_BEGIN_PATIENTLY if patient else _BEGIN)
                await self._write(connection, batch)
        except _CommitUncertain:
            await require_committed(self._database, batch)
        return batch

    async def _write(self, connection: asyncpg.Connection, batch: Batch) -> None:
        batch.load_feeds(await LOCK.fetch(connection, batch.lock_arguments()))
        if (wanted := batch.replay_arguments()) is not None:
            batch.load_replays(await REPLAYS.fetch(connection, wanted))
        if (wanted := batch.item_arguments()) is not None:
            batch.load_items(await ITEMS.fetch(connection, wanted))
        batch.fold()
        if (columns := batch.columns()) is not None:
            batch.finish(await WRITE.fetch(connection, columns))
        await self._finish(connection)

    @staticmethod
    async def _finish(connection: asyncpg.Connection) -> None:
        try:
            told = await connection.execute("COMMIT;")
        except DATABASE_ERRORS as error:
            if _is_lost(error):
                raise _CommitUncertain from error
            raise
        if told != "COMMIT":  # an aborted transaction ends with ROLLBACK, and no error
            raise Unavailable


def _is_lost(error: Exception) -> bool:
    """Whether the connection went before the statement was answered. A value that the driver refuses has a state."""
    return (sqlstate(error) or "08").startswith(("08", "57P"))
