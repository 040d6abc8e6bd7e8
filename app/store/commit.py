"""Group commit: the one way items change. Waiting changes of all callers are committed in one transaction.

A caller that goes away changes nothing: what it submitted is committed and published all the same.
"""

import asyncio
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from uuid import UUID

import structlog

from app import telemetry
from app.errors import InvalidField, Locked, OutcomeUnknown, StarlingError, Unavailable
from app.model import Changed
from app.store.batch import Batch
from app.store.births import Births
from app.store.database import DATABASE_ERRORS, Database, is_data_error, sqlstate
from app.store.fold import Change, Outcome
from app.store.lane import Group, Lane, Waiter, parted
from app.store.writer import FeedsLocked, Writer

MAX_WAITING = 8192
MAX_WAITING_BYTES = 64 * 1024 * 1024
PATIENCE_S = 2.0
RETRY_S = 0.1
ASIDE_S = 10.0
"""How long a feed whose row was locked is held to be one that may hold up others."""

log = structlog.get_logger(__name__)


class Committer:
    """Takes changes from many callers and commits them in arrival order. Run `run()` as one task of the process."""

    def __init__(self, database: Database, publish: Callable[[Sequence[Changed]], None]) -> None:
        self._writer = Writer(database)
        self._publish = publish
        self._main, self._side = Lane(), Lane()
        self._aside: dict[UUID, float] = {}

    async def submit(self, change: Change) -> Outcome:
        """Commits one change. Raises `Unavailable`: nothing was changed; `OutcomeUnknown`: that cannot be told."""
        return await self._enqueue([change])[0]

    async def submit_all(self, changes: Sequence[Change]) -> list[Outcome]:
        """Commits changes in their order, each on its own."""
        return list(await asyncio.gather(*self._enqueue(changes)))

    def _enqueue(self, changes: Sequence[Change]) -> list[asyncio.Future[Outcome]]:
        loop = asyncio.get_running_loop()
        group = Group.of([(change, loop.create_future()) for change in changes])
        waiting, size = self.waiting
        if waiting + len(changes) > MAX_WAITING or size + group.weight > MAX_WAITING_BYTES:
            raise Unavailable("Too many writes are waiting; nothing was changed.", retry_after=2)
        lane = self._side if self._aside and self._is_aside(changes) else self._main
        lane.add(group)
        return [future for _, future in group.waiters]

    @property
    def waiting(self) -> tuple[int, int]:
        """How many changes wait, and their weight in bytes."""
        return self._main.changes + self._side.changes, self._main.weight + self._side.weight

    async def run(self) -> None:
        """Commits until cancelled; what still waits then is refused."""
        lanes = [asyncio.create_task(self._settle_all(lane)) for lane in (self._main, self._side)]
        try:
            await asyncio.gather(*lanes)
        finally:
            for each in lanes:
                each.cancel()
            await asyncio.gather(*lanes, return_exceptions=True)
            self._refuse_waiting(Unavailable("The server is stopping; nothing was changed."))

    def _refuse_waiting(self, error: Unavailable) -> None:
        for lane in (self._main, self._side):
            for group in lane.empty():
                _fail(group.waiters, error)

    async def _settle_all(self, lane: Lane) -> None:
        async for batch in lane.batches():
            telemetry.commit_batch.observe(len(batch))
            await self._settle(batch, lane)

    async def _settle(self, waiting: list[Waiter], lane: Lane) -> None:
        """Answers every caller of the batch, whatever happens, or lets them wait again."""
        try:
            outcomes = await self._commit([change for change, _ in waiting], patient=lane is self._side)
        except asyncio.CancelledError:
            _fail(waiting, OutcomeUnknown("The server is stopping; repeat the very same request to be sure."))
            raise
        except FeedsLocked as error:
            self._part(waiting, lane, error.feeds)
        except Exception as error:  # noqa: BLE001 - handed to the callers
            await self._settle_failed(waiting, lane, error)
        else:
            _answer(waiting, outcomes)

    async def _settle_failed(self, waiting: list[Waiter], lane: Lane, error: Exception) -> None:
        if len(waiting) > 1 and (is_data_error(error) or not isinstance(error, (StarlingError, *DATABASE_ERRORS))):
            await self._settle_each(waiting, lane)
        elif is_data_error(error):
            log.error("commit.refused_by_database", sqlstate=sqlstate(error))
            refusal = InvalidField("body", "The database cannot store a value of this item.")
            _answer(waiting, [Outcome("rejected", change.item_id, error=refusal) for change, _ in waiting])
        else:
            if not isinstance(error, Unavailable):
                log.error("commit.failed", exc_info=error)
            _fail(waiting, error)

    async def _settle_each(self, waiting: list[Waiter], lane: Lane) -> None:
        """One by one; when the database goes meanwhile, the others need not find out for themselves."""
        for number, (change, future) in enumerate(waiting):
            await self._settle([(change, future)], lane)
            error = future.exception() if future.done() and not future.cancelled() else None
            if isinstance(error, Unavailable) and not isinstance(error, Locked):
                _fail(waiting[number + 1 :], Unavailable())
                return

    def _part(self, waiting: list[Waiter], lane: Lane, feeds: Collection[UUID]) -> None:
        """Locked feeds go to the side, where they hold up nobody; there, whose feed stays locked is refused."""
        theirs, others = parted(waiting, feeds)
        lane.add(Group.of(others), first=True)
        self._remember_aside(feeds)
        if lane is self._side:
            _fail(theirs, Locked())
        else:
            self._side.add(Group.of([*theirs, *lane.part(feeds)]))

    def _remember_aside(self, feeds: Collection[UUID]) -> None:
        now = time.monotonic()
        self._aside = {feed: until for feed, until in self._aside.items() if until > now}
        for feed in feeds:
            if feed not in self._aside:
                log.warning("commit.feed_locked", feed=str(feed))
            self._aside[feed] = now + ASIDE_S

    def _is_aside(self, changes: Sequence[Change]) -> bool:
        now = time.monotonic()
        return any(self._aside.get(change.feed_id, 0.0) > now for change in changes)

    async def _commit(self, changes: Sequence[Change], *, patient: bool) -> list[Outcome]:
        started = time.monotonic()
        while (batch := await self._try(changes, started, patient=patient)) is None:
            pass
        telemetry.commit_seconds.observe(time.monotonic() - started)
        telemetry.changes.inc(len(batch.messages))
        if batch.messages:
            self._announce(batch)
        return batch.outcomes

    async def _try(self, changes: Sequence[Change], started: float, *, patient: bool) -> Births | Batch | None:
        """None, after a pause: nothing was committed, but a database that restarts is back in a moment."""
        try:
            return await self._writer.commit(changes, patient=patient)
        except OutcomeUnknown:
            raise
        except Locked:  # nobody in particular could make way
            if patient:
                raise
            return await self._writer.commit(changes, patient=True)
        except Unavailable as error:
            if time.monotonic() - started > PATIENCE_S:
                self._refuse_waiting(error)  # they would only wait for the same
                raise
            await asyncio.sleep(RETRY_S)
            return None

    def _announce(self, batch: Births | Batch) -> None:
        try:
            self._publish(batch.messages)
        except (Exception, asyncio.CancelledError):  # the commit stands; readers find it by their own check
            log.exception("commit.publish_failed")


def _answer(waiting: Iterable[Waiter], outcomes: Iterable[Outcome]) -> None:
    for (_, future), outcome in zip(waiting, outcomes, strict=True):
        if not future.done():
            future.set_result(outcome)


def _fail(waiting: Iterable[Waiter], error: Exception) -> None:
    for _, future in waiting:
        if not future.done():
            future.set_exception(error)
