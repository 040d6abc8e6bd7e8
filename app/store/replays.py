"""Looking at once whether a write is a repeat, before the work that it would be."""

from uuid import UUID

from sqlalchemy import func, select

from app.errors import RequestIdReused
from app.store.database import Database
from app.store.fold import Outcome, Replay
from app.store.tables import items, replays


class Replays:
    """What is remembered of earlier writes. Only the commit decides: what is not found here may be a repeat yet."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def find(self, feed_id: UUID, replay: Replay) -> Outcome | None:
        """What became of the same write before. Raises `RequestIdReused`."""
        query = (
            select(
                replays.c.fingerprint, replays.c.item_id, replays.c.seq, replays.c.wire, items.c.wire.label("current")
            )
            .outerjoin(
                items,
                (items.c.feed_id == feed_id) & (items.c.id == replays.c.item_id) & (items.c.seq == replays.c.seq),
            )
            .where(replays.c.feed_id == feed_id, replays.c.key == replay.key, replays.c.expires_at > func.now())
        )
        async with self._database.transaction(feed_id) as connection:
            row = (await connection.execute(query)).one_or_none()
        if row is None:
            return None
        if row.fingerprint != replay.fingerprint:
            raise RequestIdReused(field="request_id")
        wire = row.wire if replay.keeps_answer else row.current
        return None if wire is None else Outcome("duplicate", row.item_id, row.seq, wire)
