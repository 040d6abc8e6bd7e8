"""Group commit: the one way items change. Waiting changes of all callers are committed in one transaction.

A caller that goes away changes nothing: what it submitted is committed and published all the same.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence

import asyncpg
import structlog

from app import telemetry
from app.errors import InvalidField, OutcomeUnknown, StarlingError, Unavailable
from app.model import Changed
from app.store.batch import Batch
from app.store.births import Births
from app.store.database import DATABASE_ERRORS, Database, is_data_error, sqlstate
from app.store.fold import Change, Outcome
from app.store.statements import BEAR, ITEMS, LOCK, REPLAYS, WRITE
from app.store.uncertain import require_born, require_committed

MAX_BATCH = 512
MAX_BATCH_BYTES = 4 * 1024 * 1024
MAX_WAITING = 8192
MAX_WAITING_BYTES = 64 * 1024 * 1024
PATIENCE_S = 2.0
RETRY_S = 0.1

log = structlog.get_logger(__name__)
_Waiting = tuple[Change, asyncio.Future[Outcome]]
_Group = list[_Waiting]


class _CommitUncertain(Exception):
    """The connection was lost after the commit had been sent."""


def _is_lost(error: Exception) -> bool:
    """Whether the connection went before the statement was answered; a refusal to encode a value is no loss."""
    if isinstance(error, ValueError):
        return False
    return (sqlstate(error) or "08").startswith(("08", "57P"))


class Committer:
    """Takes changes from many callers and commits them in arrival order. Run `run()` as one task of the process."""

    def __init__(self, database: Database, publish: Callable[[Sequence[Changed]], None]) -> None:
        self._database = database
        self._publish = publish
        self._births: deque[_Group] = deque()
        self._others: deque[_Group] = deque()
        self._waiting = self._waiting_bytes = 0
        self._wake = asyncio.Event()

    async def submit(self, change: Change) -> Outcome:
        """Commits one change. Raises `Unavailable`: nothing was changed; `OutcomeUnknown`: that cannot be told."""
        return await self._enqueue([change])[0]

    async def submit_all(self, changes: Sequence[Change]) -> list[Outcome]:
        """Commits changes in their order, each on its own."""
        return list(await asyncio.gather(*self._enqueue(changes)))

    def _enqueue(self, changes: Sequence[Change]) -> list[asyncio.Future[Outcome]]:
        weight = sum(change.weight for change in changes)
        if self._waiting + len(changes) > MAX_WAITING or self._waiting_bytes + weight > MAX_WAITING_BYTES:
            raise Unavailable("Too many writes are waiting; nothing was changed.", retry_after=2)
        futures: list[asyncio.Future[Outcome]] = [asyncio.get_running_loop().create_future() for _ in changes]
        if changes:
            queue = self._births if all(change.fresh for change in changes) else self._others
            queue.append(list(zip(changes, futures, strict=True)))
            self._waiting += len(changes)
            self._waiting_bytes += weight
            self._wake.set()
        return futures

    @property
    def waiting(self) -> tuple[int, int]:
        """How many changes wait, and their weight in bytes."""
        return self._waiting, self._waiting_bytes

    async def run(self) -> None:
        """Commits until cancelled; what still waits then is refused."""
        try:
            while True:
                await self._wake.wait()
                self._wake.clear()
                while self._waiting:
                    for queue in (self._births, self._others):
                        if queue:
                            await self._settle(self._take(queue))
        finally:
            self._refuse_waiting(Unavailable("The server is stopping; nothing was changed."))

    def _refuse_waiting(self, error: Unavailable) -> None:
        for queue in (self._births, self._others):
            while queue:
                _fail(queue.popleft(), error)
        self._waiting = self._waiting_bytes = 0

    def _take(self, queue: deque[_Group]) -> list[_Waiting]:
        """As many of the waiting groups as make a batch, but one whole one at least."""
        batch = queue.popleft()
        weight = sum(change.weight for change, _ in batch)
        while queue and weight < MAX_BATCH_BYTES and len(batch) + len(queue[0]) <= MAX_BATCH:
            group = queue.popleft()
            batch += group
            weight += sum(change.weight for change, _ in group)
        self._waiting -= len(batch)
        self._waiting_bytes -= weight
        telemetry.commit_batch.observe(len(batch))
        return batch

    async def _settle(self, waiting: list[_Waiting]) -> None:
        """Answers every caller of the batch, whatever happens."""
        try:
            outcomes = await self._commit([change for change, _ in waiting])
        except asyncio.CancelledError:
            _fail(waiting, OutcomeUnknown("The server is stopping; repeat the very same request to be sure."))
            raise
        except Exception as error:  # noqa: BLE001 - handed to the callers
            await self._settle_failed(waiting, error)
        else:
            _answer(waiting, outcomes)

    async def _settle_failed(self, waiting: list[_Waiting], error: Exception) -> None:
        if len(waiting) > 1 and (is_data_error(error) or not isinstance(error, (StarlingError, *DATABASE_ERRORS))):
            await self._settle_each(waiting)
        elif is_data_error(error):
            log.error("commit.refused_by_database", sqlstate=sqlstate(error))
            refusal = InvalidField("body", "The database cannot store a value of this item.")
            _answer(waiting, [Outcome("rejected", change.item_id, error=refusal) for change, _ in waiting])
        else:
            if not isinstance(error, Unavailable):
                log.error("commit.failed", exc_info=error)
            _fail(waiting, error)

    async def _settle_each(self, waiting: list[_Waiting]) -> None:
        """One by one; when the database goes meanwhile, the others need not find out for themselves."""
        for number, (change, future) in enumerate(waiting):
            await self._settle([(change, future)])
            error = None if future.cancelled() else future.exception()
            if isinstance(error, Unavailable):
                _fail(waiting[number + 1 :], Unavailable())
                return

    async def _commit(self, changes: Sequence[Change]) -> list[Outcome]:
        started = time.monotonic()
        while (batch := await self._try(changes, started)) is None:
            pass
        telemetry.commit_seconds.observe(time.monotonic() - started)
        telemetry.changes.inc(len(batch.messages))
        if batch.messages:
            self._announce(batch)
        return batch.outcomes

    async def _try(self, changes: Sequence[Change], started: float) -> Births | Batch | None:
        """None, after a pause: nothing was committed, but a database that restarts is back in a moment."""
        try:
            return await self._bear(changes) or await self._change(changes)
        except OutcomeUnknown:
            raise
        except Unavailable as error:
            if time.monotonic() - started > PATIENCE_S:
                self._refuse_waiting(error)  # they would only wait for the same
                raise
            await asyncio.sleep(RETRY_S)
            return None

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

    @staticmethod
    async def _make(connection: asyncpg.Connection, births: Births) -> bool:
        columns = births.columns()
        births.backend = connection.get_server_pid()
        try:
            return births.take(await BEAR.fetch(connection, columns))
        except DATABASE_ERRORS as error:
            if _is_lost(error):
                raise _CommitUncertain from error
            raise

    async def _change(self, changes: Sequence[Change]) -> Batch:
        batch = Batch(changes)
        try:
            async with self._database.driver() as connection:
                await self._write(connection, batch)
        except _CommitUncertain:
            await require_committed(self._database, batch)
        return batch

    async def _write(self, connection: asyncpg.Connection, batch: Batch) -> None:
        await connection.execute("BEGIN;")
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

    def _announce(self, batch: Births | Batch) -> None:
        try:
            self._publish(batch.messages)
        except (Exception, asyncio.CancelledError):  # the commit stands; readers find it by their own check
            log.exception("commit.publish_failed")


def _answer(waiting: Iterable[_Waiting], outcomes: Iterable[Outcome]) -> None:
    for (_, future), outcome in zip(waiting, outcomes, strict=True):
        if not future.done():
            future.set_result(outcome)


def _fail(waiting: Iterable[_Waiting], error: Exception) -> None:
    for _, future in waiting:
        if not future.done():
            future.set_exception(error)
