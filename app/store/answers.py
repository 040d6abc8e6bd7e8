"""Answers that are being written: their text as of about a second ago, and which process writes them."""

from collections.abc import Collection, Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import Row, delete, insert, text, update

from app.errors import TooManyAnswers
from app.model import OpenAnswer, Origin
from app.shared import SharedRead
from app.store.database import Database
from app.store.tables import answer_leases, answers

_LOCK = text("select pg_advisory_xact_lock(hashtextextended('starling.answers', 0) # hashtextextended(:feed, 1))")
_COUNT = text("select count(*) from answers where feed_id = :feed")

# An answer whose item is committed has ended, though its row may still be here.
_HAS_NOT_ENDED = "not exists (select from items where items.feed_id = answers.feed_id and items.id = answers.id)"
_OPEN = text(f"select * from answers where feed_id = any(:feeds) and {_HAS_NOT_ENDED}")  # noqa: S608 - ours
_GET = text(f"select * from answers where feed_id = :feed and id = :id and {_HAS_NOT_ENDED}")  # noqa: S608

# What is known to be there is kept, so that saying it twice does no harm.
_KEEP = text("""
update answers set text = left(text, said.kept) || said.more
from unnest(cast(:feeds as uuid[]), cast(:ids as uuid[]), cast(:kept as integer[]), cast(:more as text[]))
    as said (feed_id, id, kept, more)
where answers.feed_id = said.feed_id and answers.id = said.id
  and exists (select from answer_leases as l where l.feed_id = said.feed_id and l.answer_id = said.id
                                               and l.process = :process)
""")
_BEAT = text("""
update answer_leases set beat_at = now() where process = :process and answer_id = any(:ids) returning answer_id
""")
_CANCELLED = text("select id from answers where feed_id = any(:feeds) and id = any(:ids) and cancelled")
_CLAIM = text("""
update answer_leases as l set process = :process, beat_at = now()
from (select feed_id, answer_id from answer_leases
      where beat_at < now() - cast(:silence as interval) and answer_id <> all(:mine)
      order by beat_at limit :limit for update skip locked) as late
where l.feed_id = late.feed_id and l.answer_id = late.answer_id
returning l.feed_id, l.answer_id
""")
CLAIMED_AT_ONCE = 100


class Progress(msgspec.Struct, frozen=True):
    """What to keep of an answer: so many code points that are kept already, and what follows them."""

    feed_id: UUID
    kept: int
    more: str


class Kept(msgspec.Struct, frozen=True):
    """Of the answers that a process writes: those that are still its own, and those that somebody cancelled."""

    own: frozenset[UUID]
    cancelled: frozenset[UUID]


class Answers:
    """The rows of answers that have not ended."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._shared = SharedRead(self._open)

    async def begin(self, answer: OpenAnswer, process: UUID, *, limit: int) -> None:
        """A new one, written by `process`. Raises `TooManyAnswers` when the user has `limit` of them already."""
        async with self._database.transaction(answer.feed_id) as connection:
            await connection.execute(_LOCK, {"feed": str(answer.feed_id)})
            if (await connection.execute(_COUNT, {"feed": answer.feed_id})).scalar_one() >= limit:
                raise TooManyAnswers(limit=limit)
            values = {"feed_id": answer.feed_id, "id": answer.id, "provider": answer.provider, "model": answer.model}
            await connection.execute(insert(answers).values(origin=msgspec.json.encode(answer.origin), **values))
            lease = {"feed_id": answer.feed_id, "answer_id": answer.id, "process": process}
            await connection.execute(insert(answer_leases).values(lease))

    async def open(self, feed_id: UUID) -> list[OpenAnswer]:
        """The feed's answers, read after this call began, in a query shared by callers of one moment."""
        return await self._shared.get(feed_id) or []

    async def _open(self, feed_ids: Collection[UUID]) -> dict[UUID, list[OpenAnswer]]:
        found: dict[UUID, list[OpenAnswer]] = {}
        async with self._database.transaction(*feed_ids) as connection:
            for row in await connection.execute(_OPEN, {"feeds": list(feed_ids)}):
                found.setdefault(row.feed_id, []).append(_answer(row))
        return found

    async def get(self, feed_id: UUID, answer_id: UUID) -> OpenAnswer | None:
        """One of them; None when there is none, or it has ended."""
        async with self._database.transaction(feed_id) as connection:
            row = (await connection.execute(_GET, {"feed": feed_id, "id": answer_id})).one_or_none()
        return None if row is None else _answer(row)

    async def keep(self, process: UUID, progress: Mapping[UUID, Progress]) -> Kept:
        """Keeps the text of the answers that the process writes, and says that it is alive."""
        feeds = list({each.feed_id for each in progress.values()})
        ids = list(progress)
        longer = {answer_id: each for answer_id, each in progress.items() if each.more}
        said = {
            "feeds": [each.feed_id for each in longer.values()],
            "ids": list(longer),
            "kept": [each.kept for each in longer.values()],
            "more": [each.more for each in longer.values()],
        }
        async with self._database.transaction(*feeds) as connection:
            own = (await connection.execute(_BEAT, {"process": process, "ids": ids})).scalars().all()
            if longer:
                await connection.execute(_KEEP, {"process": process, **said})
            cancelled = (await connection.execute(_CANCELLED, {"feeds": feeds, "ids": ids})).scalars().all()
        return Kept(frozenset(own), frozenset(cancelled))

    async def cancel(self, feed_id: UUID, answer_id: UUID) -> bool:
        """Asks whoever writes it to stop; False when it is not being written."""
        mine = (answers.c.feed_id == feed_id, answers.c.id == answer_id)
        async with self._database.transaction(feed_id) as connection:
            return (await connection.execute(update(answers).values(cancelled=True).where(*mine))).rowcount == 1

    async def end(self, feed_id: UUID, answer_id: UUID) -> None:
        """Removes one whose item is there."""
        mine = (answers.c.feed_id == feed_id, answers.c.id == answer_id)
        async with self._database.transaction(feed_id) as connection:
            await connection.execute(delete(answers).where(*mine))

    async def claim(self, process: UUID, *, silence: timedelta, mine: Collection[UUID]) -> list[tuple[UUID, UUID]]:
        """Takes over the answers, as (feed, id), whose process was silent for so long, except those in `mine`."""
        arguments = {"process": process, "silence": silence, "mine": list(mine), "limit": CLAIMED_AT_ONCE}
        async with self._database.transaction() as connection:
            rows = await connection.execute(_CLAIM, arguments)
            return [(row.feed_id, row.answer_id) for row in rows]


def _answer(row: Row[Any]) -> OpenAnswer:
    origin = msgspec.json.decode(row.origin, type=Origin)
    return OpenAnswer(row.feed_id, row.id, row.provider, row.model, origin, row.text, row.cancelled)
