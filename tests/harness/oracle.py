"""What the database says, read and written as its owner: the truth that clients are held against."""

from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

TABLES = ("feeds", "items", "replays", "devices", "tokens")
_FILTER = {"feeds": "id"}


class Oracle:
    """One feed at a time."""

    def __init__(self, url: str) -> None:
        self._engine = create_async_engine(url)

    async def close(self) -> None:
        """Closes its connections."""
        await self._engine.dispose()

    async def _rows(self, statement: str, **values: Any) -> list[Any]:
        async with self._engine.begin() as connection:
            return list((await connection.execute(text(statement), values)).all())

    async def items(self, feed_id: UUID) -> dict[str, dict[str, Any]]:
        """Items and tombstones by id."""
        rows = await self._rows("select wire from items where feed_id = :feed order by seq", feed=feed_id)
        return {item["id"]: item for item in (msgspec.json.decode(row.wire) for row in rows)}

    async def head(self, feed_id: UUID) -> tuple[str, int]:
        """Epoch and head."""
        ((epoch, head),) = await self._rows("select epoch, head from feeds where id = :feed", feed=feed_id)
        return epoch, head

    async def acked(self, feed_id: UUID, device_id: UUID) -> tuple[str, int]:
        """Epoch and seq of a device's acknowledgement."""
        ((epoch, seq),) = await self._rows(
            "select acked_epoch, acked_seq from devices where feed_id = :feed and id = :id", feed=feed_id, id=device_id
        )
        return epoch or "", seq

    async def save(self, feed_id: UUID) -> dict[str, str]:
        """A backup of all that is the feed's."""
        return {
            table: (
                await self._rows(
                    f"select cast(coalesce(json_agg(t), '[]') as text) from {table} t "
                    f"where {_FILTER.get(table, 'feed_id')} = :feed",
                    feed=feed_id,
                )
            )[0][0]
            for table in TABLES
        }

    async def restore(self, feed_id: UUID, saved: dict[str, str]) -> None:
        """Puts a backup back, in one transaction."""
        async with self._engine.begin() as connection:
            await connection.execute(text("set local session_replication_role = replica"))
            for table in TABLES:
                column = _FILTER.get(table, "feed_id")
                await connection.execute(text(f"delete from {table} where {column} = :feed"), {"feed": feed_id})
                restored = f"json_populate_recordset(cast(null as {table}), cast(:rows as json))"
                await connection.execute(text(f"insert into {table} select * from {restored}"), {"rows": saved[table]})
