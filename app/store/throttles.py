"""Counting attempts, for all processes together."""

import hashlib
import math
from datetime import timedelta

from sqlalchemy import delete, text, update

from app.errors import TooManyRequests
from app.store.database import Database
from app.store.tables import throttles

_HIT = text("""
insert into throttles as known (key, hits, ends_at) values (:key, 1, now() + cast(:period as interval))
on conflict (key) do update set
    hits = case when known.ends_at <= now() then 1 else known.hits + 1 end,
    ends_at = case when known.ends_at <= now() then excluded.ends_at else known.ends_at end
returning hits, extract(epoch from ends_at - now()) as seconds
""")
_FORGET = text("""
delete from throttles where key in (select key from throttles where ends_at <= now() limit 100 for update skip locked)
""")


class Throttles:
    """How often something was tried within a period that begins with the first try."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def hit(self, what: str, who: str, *, limit: int, period: timedelta) -> None:
        """Counts a try of `what` by `who`. Raises `TooManyRequests` above the limit."""
        async with self._database.transaction() as connection:
            found = (await connection.execute(_HIT, {"key": _key(what, who), "period": period})).one()
        if found.hits == 1:  # now and then, and never while a row is held that others may want
            async with self._database.transaction() as connection:
                await connection.execute(_FORGET)
        if found.hits > limit:
            raise TooManyRequests(retry_after=max(1, math.ceil(found.seconds)))

    async def give_back(self, what: str, who: str) -> None:
        """Takes back a try that succeeded. Those that failed stay counted, so success cannot buy more of them."""
        lowered = update(throttles).values(hits=throttles.c.hits - 1)
        async with self._database.transaction() as connection:
            await connection.execute(lowered.where(throttles.c.key == _key(what, who), throttles.c.hits > 0))

    async def clear(self, what: str, who: str) -> None:
        """Forgets the tries."""
        async with self._database.transaction() as connection:
            await connection.execute(delete(throttles).where(throttles.c.key == _key(what, who)))


def _key(what: str, who: str) -> bytes:
    return hashlib.sha256(f"{what}\n{who}".encode("utf-8", "surrogatepass")).digest()
