"""Files of items: their rows, from the announcement of an upload on, and how much of them a feed may have."""

from collections.abc import Collection
from datetime import timedelta
from uuid import UUID

import msgspec
from sqlalchemy import delete, func, select, text
from sqlalchemy.ext.asyncio import AsyncConnection
from uuid_utils.compat import uuid7

from app.errors import NotFound, QuotaExceeded, Unavailable
from app.model import File
from app.store.database import Database
from app.store.items import visible
from app.store.tables import files, items

UNFINISHED = timedelta(days=1)
"""How long a file may be without its item. An upload that takes longer has failed."""
_MARGIN = timedelta(hours=1)

# In this order, so that the end of an account, which takes the feed's row first, never waits in a circle.
_LOCK_FEED = text("select 1 from feeds where id = :feed for key share")
_LOCK_SHELF = text("""
insert into shelves (feed_id, look_at) values (:feed, now() + cast(:later as interval))
on conflict (feed_id) do update set look_at = least(shelves.look_at, excluded.look_at)
""")
_USED = text("""
select count(*) as files, coalesce(sum(size), 0) as bytes from files where feed_id = :feed and id is distinct from :own
""")
LET_GO = text("""
delete from files
where feed_id = :feed and (
    exists (select from items where feed_id = :feed and id = files.item_id and deleted_at is not null)
    or (
        created_at < now() - cast(:age as interval)
        and not exists (select from items where feed_id = :feed and id = files.item_id)
    )
)
""")
# By itself, because it waits for whoever is just removing the blob, and others would wait behind it.
_KEEP_BLOB = text("""
insert into blobs (sha256, size, loose_at) values (:sha256, :size, now() + cast(:margin as interval))
on conflict (sha256) do update set loose_at = greatest(blobs.loose_at, excluded.loose_at)
""")
_HOLD = text("""
with held as (update blobs set loose_at = null where sha256 = :sha256)
update files set sha256 = :sha256, size = :size
where feed_id = :feed and id = :id and sha256 is null and created_at > now() - cast(:age as interval)
returning id
""")


class Quota(msgspec.Struct, frozen=True):
    """What one feed may have of files."""

    size: int
    """Bytes, all together."""
    count: int


class Files:
    """A file's row comes before its content, and is its item's as soon as that is committed."""

    def __init__(self, database: Database, quota: Quota) -> None:
        self._database = database
        self._quota = quota

    async def announce(self, feed_id: UUID, item_id: UUID, name: str, mime_type: str, size: int) -> UUID:
        """Makes room for a file that will arrive; `size` 0 if that is unknown. Raises `QuotaExceeded`, `NotFound`."""
        file_id = uuid7()
        async with self._database.transaction(feed_id) as connection:
            await self._make_room(connection, feed_id, None, size)
            row = {"feed_id": feed_id, "id": file_id, "item_id": item_id, "name": name, "mime_type": mime_type}
            await connection.execute(files.insert().values(**row, size=size))
        return file_id

    async def hold(self, feed_id: UUID, file_id: UUID, sha256: str, size: int) -> None:
        """The content is known: from now on its blob stays. Raises `QuotaExceeded`, `NotFound`, `Unavailable`."""
        content = {"sha256": bytes.fromhex(sha256), "size": size}
        async with self._database.transaction() as connection:
            await connection.execute(_KEEP_BLOB, {**content, "margin": _MARGIN})
        async with self._database.transaction(feed_id) as connection:
            await self._make_room(connection, feed_id, file_id, size)
            held = {"feed": feed_id, "id": file_id, "age": UNFINISHED - _MARGIN, **content}
            if (await connection.execute(_HOLD, held)).first() is None:
                raise Unavailable("The upload took too long; nothing was changed.")

    async def _make_room(self, connection: AsyncConnection, feed_id: UUID, own: UUID | None, size: int) -> None:
        """Counts, one at a time for a feed; what no item has any more goes before anything is refused."""
        if (await connection.execute(_LOCK_FEED, {"feed": feed_id})).first() is None:
            raise NotFound("This account is gone.")
        await connection.execute(_LOCK_SHELF, {"feed": feed_id, "later": UNFINISHED})
        try:
            await self._require_room(connection, feed_id, own, size)
        except QuotaExceeded:
            await connection.execute(LET_GO, {"feed": feed_id, "age": UNFINISHED})
            await self._require_room(connection, feed_id, own, size)

    async def _require_room(self, connection: AsyncConnection, feed_id: UUID, own: UUID | None, size: int) -> None:
        used = (await connection.execute(_USED, {"feed": feed_id, "own": own})).one()
        if used.bytes + size > self._quota.size:
            raise QuotaExceeded(limit=self._quota.size, used=int(used.bytes), unit="bytes")
        if used.files >= self._quota.count:
            raise QuotaExceeded(limit=self._quota.count, used=int(used.files), unit="files")

    async def drop(self, feed_id: UUID, file_ids: Collection[UUID]) -> None:
        """Takes files back that became no item's."""
        dropped = delete(files).where(files.c.feed_id == feed_id, files.c.id.in_(file_ids))
        async with self._database.transaction(feed_id) as connection:
            await connection.execute(dropped)

    async def get(self, feed_id: UUID, file_id: UUID, *, device_id: UUID | None = None) -> File:
        """A file of an item that is there, for a device of its audience. Raises `NotFound`."""
        query = (
            select(files.c.id, files.c.name, files.c.mime_type, files.c.size, func.encode(files.c.sha256, "hex"))
            .join(items, (items.c.feed_id == files.c.feed_id) & (items.c.id == files.c.item_id))
            .where(files.c.feed_id == feed_id, files.c.id == file_id, items.c.deleted_at.is_(None), visible(device_id))
        )
        async with self._database.transaction(feed_id) as connection:
            row = (await connection.execute(query)).one_or_none()
        if row is None:
            raise NotFound
        return File(*row)
