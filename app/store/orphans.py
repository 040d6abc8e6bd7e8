"""What files leave behind: rows of no item, and blobs of no file."""

import time
from collections.abc import Awaitable, Callable
from uuid import UUID

import structlog
from sqlalchemy import Row, text
from sqlalchemy.exc import IntegrityError

from app.store.database import Database
from app.store.files import LET_GO, UNFINISHED

AT_ONCE = 100
SWEEP_S = 3600.0

log = structlog.get_logger(__name__)
_SHELVES = text("select feed_id from shelves where look_at <= now() order by look_at limit :limit")
_LOCK_SHELF = text("select 1 from shelves where feed_id = :feed for update")
_LOOK_LATER = text("""
update shelves set look_at = now() + cast(:later as interval)
where feed_id = :feed and exists (select from files where feed_id = :feed) returning feed_id
""")
_CLEAR_SHELF = text("delete from shelves where feed_id = :feed")
_LOOSE = text("""
select sha256, loose_at from blobs where loose_at <= now() and sha256 > :after order by sha256 limit :limit
""")
_DELETE_BLOB = text("delete from blobs where sha256 = :sha256 and loose_at <= now() returning sha256")
_HURRY = text("set local lock_timeout = '300ms'")  # who waits for a person's request in a circle is the upkeep
_KEPT = text("update blobs set loose_at = null where sha256 = :sha256 and loose_at = :loose_at")


class Orphans:
    """Run by one process at a time. `discard(sha256)` removes a blob's content, `sweep()` what never became a blob."""

    def __init__(
        self, database: Database, discard: Callable[[str], Awaitable[None]], sweep: Callable[[], Awaitable[int]]
    ) -> None:
        self._database = database
        self._discard = discard
        self._sweep = sweep
        self._swept_at = -SWEEP_S

    async def files(self) -> int:
        """Lets go of files whose item is deleted, or never came. Each feed that has any is looked at daily."""
        count = 0
        while feeds := await self._due():
            for feed_id in feeds:
                count += await self._tidy(feed_id)
        return count

    async def _due(self) -> list[UUID]:
        async with self._database.transaction() as connection:
            return list((await connection.execute(_SHELVES, {"limit": AT_ONCE})).scalars())

    async def _tidy(self, feed_id: UUID) -> int:
        feed = {"feed": feed_id}
        async with self._database.transaction(feed_id) as connection:
            await connection.execute(_LOCK_SHELF, feed)
            gone = (await connection.execute(LET_GO, {**feed, "age": UNFINISHED})).rowcount
            if (await connection.execute(_LOOK_LATER, {**feed, "later": UNFINISHED})).first() is None:
                await connection.execute(_CLEAR_SHELF, feed)
        return gone

    async def blobs(self) -> int:
        """Removes blobs that no file has, and now and then what was left of uploads; how many."""
        count, after = 0, b""
        while found := await self._loose(after):
            for row in found:
                count += await self._remove(row)
            after = found[-1].sha256
        if time.monotonic() - self._swept_at >= SWEEP_S:
            count += await self._sweep()
            self._swept_at = time.monotonic()
        return count

    async def _loose(self, after: bytes) -> list[Row[tuple[bytes, object]]]:
        async with self._database.transaction() as connection:
            return list((await connection.execute(_LOOSE, {"after": after, "limit": AT_ONCE})).all())

    async def _remove(self, blob: Row[tuple[bytes, object]]) -> bool:
        """The row goes first: whoever brings the same content waits, and the foreign key knows if a file has it.

        Should the content go and the row stay, then the next upload of it brings it again.
        """
        try:
            async with self._database.transaction() as connection:
                await connection.execute(_HURRY)
                if (await connection.execute(_DELETE_BLOB, {"sha256": blob.sha256})).first() is None:
                    return False
                await self._discard(blob.sha256.hex())
        except IntegrityError:
            async with self._database.transaction() as connection:
                await connection.execute(_KEPT, {"sha256": blob.sha256, "loose_at": blob.loose_at})
            return False
        return True
