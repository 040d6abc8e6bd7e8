"""Periodic work on feeds: items that expire become tombstones, old tombstones are pruned, old replays forgotten."""

from datetime import timedelta
from uuid import UUID

from sqlalchemy import TextClause, text

from app.model import Origin
from app.store.commit import Committer
from app.store.database import Database
from app.store.fold import Change

FEEDS_AT_ONCE = 100
ITEMS_AT_ONCE = 500
_SYSTEM = Origin(via="system", client="starling")

_TRY_LOCK = text("select pg_try_advisory_lock(hashtext('starling.upkeep'))")
_UNLOCK = text("select pg_advisory_unlock(hashtext('starling.upkeep'))")
_EXPIRING_FEEDS = text("select id from feeds where expires_next <= now() order by expires_next limit :limit")
_EXPIRED = text("""
select id from items where feed_id = :feed and expires_at <= now() and deleted_at is null
order by expires_at limit :limit
""")
_NEXT_EXPIRY = text("""
update feeds set expires_next = (select min(expires_at) from items where feed_id = :feed and expires_at is not null)
where id = (select id from feeds where id = :feed for update)
""")
_PRUNABLE_FEEDS = text(
    "select id from feeds where deleted_first < now() - cast(:age as interval) order by deleted_first limit :limit"
)
_LOCK_FEED = text("select 1 from feeds where id = :feed for update")
_PRUNE = text("""
with gone as (delete from items where feed_id = :feed and deleted_at < now() - cast(:age as interval) returning seq),
     told as (select count(*) as pruned, coalesce(max(seq), 0) as highest from gone)
update feeds set
    floor = greatest(floor, told.highest),
    deleted_first = (
        select min(deleted_at) from items where feed_id = :feed and deleted_at >= now() - cast(:age as interval)
    )
from told where feeds.id = :feed
returning told.pruned
""")
_FORGETFUL_FEEDS = text("select id from feeds where replays_next <= now() order by replays_next limit :limit")
_FORGET = text("""
with gone as (delete from replays where feed_id = :feed and expires_at <= now() returning 1)
update feeds set replays_next = (select min(expires_at) from replays where feed_id = :feed and expires_at > now())
where id = :feed
returning (select count(*) from gone)
""")


class Upkeep:
    """Runs on one process at a time (an advisory lock); each feed is a short transaction of its own."""

    def __init__(self, database: Database, committer: Committer, *, tombstone_age: timedelta) -> None:
        self._database = database
        self._committer = committer
        self._age = tombstone_age

    async def run_once(self) -> dict[str, int] | None:
        """`{"expired", "pruned", "forgotten"}`, or None when another process is at it."""
        async with self._database.engine.connect() as connection:
            if not (await connection.execute(_TRY_LOCK)).scalar_one():
                return None
            await connection.commit()
            try:
                return {"expired": await self.expire(), "pruned": await self.prune(), "forgotten": await self.forget()}
            finally:
                await connection.execute(_UNLOCK)

    async def expire(self) -> int:
        """Turns every expired item into a tombstone, through the same commit as any change; how many."""
        count = 0
        while feeds := await self._feeds(_EXPIRING_FEEDS, limit=FEEDS_AT_ONCE):
            for feed_id in feeds:
                count += await self._expire_feed(feed_id)
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

    async def prune(self) -> int:
        """Removes tombstones older than the age and raises the floor, in one transaction a feed; how many."""
        count = 0
        while feeds := await self._feeds(_PRUNABLE_FEEDS, limit=FEEDS_AT_ONCE, age=self._age):
            for feed_id in feeds:
                async with self._database.transaction(feed_id) as connection:
                    await connection.execute(_LOCK_FEED, {"feed": feed_id})
                    count += (await connection.execute(_PRUNE, {"feed": feed_id, "age": self._age})).scalar_one()
        return count

    async def forget(self) -> int:
        """Removes replays whose time is over; how many."""
        count = 0
        while feeds := await self._feeds(_FORGETFUL_FEEDS, limit=FEEDS_AT_ONCE):
            for feed_id in feeds:
                async with self._database.transaction(feed_id) as connection:
                    await connection.execute(_LOCK_FEED, {"feed": feed_id})
                    count += (await connection.execute(_FORGET, {"feed": feed_id})).scalar_one()
        return count

    async def _feeds(self, query: TextClause, **arguments: object) -> list[UUID]:
        async with self._database.transaction() as connection:
            return list((await connection.execute(query, arguments)).scalars())
