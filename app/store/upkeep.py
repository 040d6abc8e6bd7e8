"""Periodic work on feeds: items that expire become tombstones, old tombstones are pruned, old replays forgotten."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from uuid import UUID

import structlog
from sqlalchemy import TextClause, text

from app import telemetry
from app.errors import Locked, Unavailable
from app.model import Origin
from app.store.commit import Committer
from app.store.database import Database, passing_failures
from app.store.fold import Change

FEEDS_AT_ONCE = 100
ITEMS_AT_ONCE = 500
ROWS_AT_ONCE = 1000
log = structlog.get_logger(__name__)
_SYSTEM = Origin(via="system", client="starling")

_TRY_LOCK = text("select pg_try_advisory_lock(hashtext('starling.upkeep'))")
_UNLOCK = text("select pg_advisory_unlock(hashtext('starling.upkeep'))")
_EXPIRING_FEEDS = text("""
select id from feeds where expires_next <= now() and id <> all(cast(:skip as uuid[]))
order by expires_next limit :limit
""")
_EXPIRED = text("""
select id from items where feed_id = :feed and expires_at <= now() and deleted_at is null
order by expires_at limit :limit
""")
_NEXT_EXPIRY = text("""
update feeds set expires_next = (select min(expires_at) from items where feed_id = :feed and expires_at is not null)
where id = (select id from feeds where id = :feed for update)
""")
_PRUNABLE_FEEDS = text("""
select id from feeds where deleted_first < now() - cast(:age as interval) and id <> all(cast(:skip as uuid[]))
order by deleted_first limit :limit
""")
_LOCK_FEED = text("select 1 from feeds where id = :feed for update")
_PRUNE = text("""
with old as (
    select id from items where feed_id = :feed and deleted_at < now() - cast(:age as interval)
    order by deleted_at limit :limit
), gone as (
    delete from items where feed_id = :feed and id in (select id from old) returning id, seq
), told as (select count(*) as pruned, coalesce(max(seq), 0) as highest from gone)
update feeds set
    floor = greatest(floor, told.highest),
    deleted_first = (
        select min(deleted_at) from items
        where feed_id = :feed and deleted_at is not null and id not in (select id from gone)
    )
from told where feeds.id = :feed
returning told.pruned
""")
_FORGETFUL_FEEDS = text("""
select id from feeds where replays_next <= now() and id <> all(cast(:skip as uuid[]))
order by replays_next limit :limit
""")
_FORGET = text("""
with old as (
    select key from replays where feed_id = :feed and expires_at <= now() order by expires_at limit :limit
), gone as (
    delete from replays where feed_id = :feed and key in (select key from old) returning key
)
update feeds set replays_next = (
    select min(expires_at) from replays where feed_id = :feed and key not in (select key from gone)
)
where id = :feed
returning (select count(*) from gone)
""")


class Upkeep:
    """Runs on one process at a time (an advisory lock); each feed is a short transaction of its own."""

    def __init__(
        self,
        database: Database,
        committer: Committer,
        *,
        tombstone_age: timedelta,
        also: Mapping[str, Callable[[], Awaitable[int]]] | None = None,
    ) -> None:
        """`also`: more work, by the name it has in the metrics."""
        self._database = database
        self._also = also or {}
        self._committer = committer
        self._age = tombstone_age

    async def run_once(self) -> dict[str, int] | None:
        """How much was `expired`, `pruned`, `forgotten`, and so on; None when another process is at it.

        Raises `Unavailable`.
        """
        async with passing_failures(), self._database.engine.connect() as connection:
            if not (await connection.execute(_TRY_LOCK)).scalar_one():
                return None
            await connection.commit()
            try:
                works = {"expired": self.expire, "pruned": self.prune, "forgotten": self.forget, **self._also}
                done = {}
                for name, work in works.items():
                    done[name] = await work()
                    telemetry.upkeep_rows.labels(name).inc(done[name])
                return done
            finally:
                await connection.execute(_UNLOCK)

    async def expire(self) -> int:
        """Turns every expired item into a tombstone, through the same commit as any change; how many."""
        return await self._each(self._expire_feed, _EXPIRING_FEEDS)

    async def prune(self) -> int:
        """Removes tombstones older than the age and raises the floor, in short transactions; how many."""
        return await self._each(self._prune_feed, _PRUNABLE_FEEDS, age=self._age)

    async def forget(self) -> int:
        """Removes replays whose time is over; how many."""
        return await self._each(self._forget_feed, _FORGETFUL_FEEDS)

    async def _each(self, work: Callable[[UUID], Awaitable[int]], due: TextClause, **arguments: object) -> int:
        """Works on every feed that is due until none is. One that fails, or has nothing to do, holds up no other."""
        count = 0
        done: set[UUID] = set()
        while feeds := await self._feeds(due, limit=FEEDS_AT_ONCE, skip=list(done), **arguments):
            for feed_id in feeds:
                changed = 0
                try:
                    changed = await work(feed_id)
                except Locked:
                    log.info("upkeep.feed_locked", feed=str(feed_id))
                except Unavailable:
                    raise
                except Exception:
                    log.exception("upkeep.feed_failed", feed=str(feed_id))
                count += changed
                if not changed:
                    done.add(feed_id)
        return count

    async def _expire_feed(self, feed_id: UUID) -> int:
        async with self._database.transaction(feed_id) as connection:
            arguments = {"feed": feed_id, "limit": ITEMS_AT_ONCE}
            expired = list((await connection.execute(_EXPIRED, arguments)).scalars())
        changes = [Change(feed_id, item_id, "expire", "any", _SYSTEM) for item_id in expired]
        outcomes = await self._committer.submit_all(changes)
        async with self._database.transaction(feed_id) as connection:
            await connection.execute(_LOCK_FEED, {"feed": feed_id})
            await connection.execute(_NEXT_EXPIRY, {"feed": feed_id})
        return sum(outcome.status == "applied" for outcome in outcomes)

    async def _prune_feed(self, feed_id: UUID) -> int:
        return await self._short(feed_id, _PRUNE, age=self._age)

    async def _forget_feed(self, feed_id: UUID) -> int:
        return await self._short(feed_id, _FORGET)

    async def _short(self, feed_id: UUID, work: TextClause, **arguments: object) -> int:
        """Does so many rows of the work that nobody waits long for the feed's lock; how many it did."""
        async with self._database.transaction(feed_id) as connection:
            await connection.execute(_LOCK_FEED, {"feed": feed_id})
            done: int = (
                await connection.execute(work, {"feed": feed_id, "limit": ROWS_AT_ONCE, **arguments})
            ).scalar_one()
            return done

    async def _feeds(self, query: TextClause, **arguments: object) -> list[UUID]:
        async with self._database.transaction() as connection:
            return list((await connection.execute(query, arguments)).scalars())
