"""Reading a feed: heads, and pages in seq order."""

from collections.abc import Collection
from uuid import UUID

import msgspec
from sqlalchemy import text

from app.model import Cursor, Head
from app.shared import SharedRead
from app.store.database import Database, Prepared

PAGE_BYTES = 1024 * 1024

_HEADS = text("select id, epoch, auth, floor, head from feeds where id = any(:ids)")

# One statement, so that head, floor and rows are of one moment. `bytes` counts what precedes a row, so that a page
# has at least one. `every` skips the audience.
_PAGE = text("""
select f.epoch, f.auth, f.floor, f.head, r.seq, r.id, r.audience, r.wire
from feeds f left join lateral (
    select seq, id, audience, wire from (
        select seq, id, audience, wire,
               sum(octet_length(wire)) over (order by seq rows unbounded preceding) - octet_length(wire) as bytes
        from (select seq, id, audience, wire from items
              where feed_id = :feed and seq > :after
                and (:every or audience is null or cast(:device as uuid) = any(audience))
              order by seq limit :limit) as rows
    ) as counted where bytes < :bytes
) as r on true
where f.id = :feed
order by r.seq
""")

# The schema's function; no row when the feed is gone.
_FRAMES = Prepared(
    text("""
select epoch, auth, floor, head, reached, number, frames
from read_frames(:feed, :device, :after, :base, :items, :bytes)
""")
)


class Row(msgspec.Struct, frozen=True):
    """One item's place in the feed with its wire JSON."""

    seq: int
    item_id: UUID
    audience: frozenset[UUID] | None
    wire: bytes


class Page(msgspec.Struct, frozen=True):
    """Rows after a seq, with the feed's counters of the same moment."""

    head: Head
    rows: list[Row]
    end: int
    """The seq this page is complete up to."""

    @property
    def has_more(self) -> bool:
        return self.end < self.head.head


class Frames(msgspec.Struct, frozen=True):
    """The events of the items after a seq, as one device gets them, with the feed's counters of the same moment."""

    head: Head
    frames: bytes
    number: int
    end: int
    """The seq they are complete up to."""


class FeedReader:
    """Reads feeds as one device sees them, or as a client that sees all of it (device None)."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._shared = SharedRead(self.heads)

    async def head(self, feed_id: UUID) -> Head | None:
        """The feed's counters, read after this call began, in a query shared by callers of one moment; None if gone."""
        return await self._shared.get(feed_id)

    async def heads(self, feed_ids: Collection[UUID]) -> dict[UUID, Head]:
        """The counters of many feeds in one query; feeds that are gone are missing from the answer."""
        async with self._database.transaction() as connection:
            rows = await connection.execute(_HEADS, {"ids": list(feed_ids)})
            return {row.id: Head(row.epoch, row.auth, row.floor, row.head) for row in rows}

    async def page(
        self, feed_id: UUID, after: int, *, device_id: UUID | None, limit: int, max_bytes: int = PAGE_BYTES
    ) -> Page | None:
        """At most `limit` rows and about `max_bytes` bytes, but one row if there is any; None if the feed is gone."""
        arguments = {
            "feed": feed_id,
            "after": after,
            "limit": limit + 1,
            "bytes": max_bytes,
            "every": device_id is None,
            "device": device_id,
        }
        async with self._database.transaction(feed_id, walks=True) as connection:
            found = (await connection.execute(_PAGE, arguments)).all()
        if not found:
            return None
        head = Head(found[0].epoch, found[0].auth, found[0].floor, found[0].head)
        rows = [
            Row(row.seq, row.id, None if row.audience is None else frozenset(row.audience), row.wire)
            for row in found[:limit]
            if row.seq is not None
        ]
        cut = len(found) > limit or self._cut_by_bytes(rows, max_bytes)
        return Page(head, rows, rows[-1].seq if cut else head.head)

    async def frames(
        self, feed_id: UUID, cursor: Cursor, *, device_id: UUID, limit: int, max_bytes: int
    ) -> Frames | None:
        """A page as bytes: `sse.item` of each item after the cursor, made by the database. None if the feed is gone.

        Their ids carry the epoch of the head that comes with them.
        """
        arguments = {
            "feed": feed_id,
            "device": device_id,
            "after": cursor.seq,
            "base": cursor.base,
            "items": limit,
            "bytes": max_bytes,
        }
        async with self._database.driver(keep=False) as connection:
            found = await _FRAMES.fetch(connection, arguments)
        if not found:
            return None
        epoch, auth, floor, head, reached, number, frames = found[0]
        return Frames(Head(epoch, auth, floor, head), frames, number, reached)

    @staticmethod
    def _cut_by_bytes(rows: list[Row], max_bytes: int) -> bool:
        return sum(len(row.wire) for row in rows) >= max_bytes
