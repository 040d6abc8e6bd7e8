"""Revocations, as Postgres itself tells of them: to every process, whoever made them, with the bus up or down."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any
from uuid import UUID

import asyncpg
import structlog
from sqlalchemy import text

from app.errors import Unavailable
from app.model import Message, Revoked
from app.store.database import DATABASE_ERRORS, Database

CHANNEL = "starling_revoked"
PING_S = 30.0
"""How often is looked whether a silent connection still is one."""
RETRY_S = 0.5

log = structlog.get_logger(__name__)

RAISE_AUTH = text("""
with raised as (update feeds set auth = auth + 1 where id = any(cast(:feeds as uuid[])) returning id, auth)
select id, auth, pg_notify('starling_revoked', id || ' ' || auth) from raised
""")
"""Raises the counters of `:feeds`, and tells of it once the transaction is committed. Gives rows of `id` and `auth`."""


class Revocations:
    """Hears of them on a connection of its own. What is missed meanwhile, the check of the heads finds."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._is_heard: bool | None = None

    async def run(self, hear: Callable[[Sequence[Message]], None], on_gap: Callable[[], None]) -> None:
        """Listens until cancelled. `on_gap` is called when some may have been missed."""
        while True:
            try:
                async with self._database.driver(keep=False) as connection:
                    await self._listen(connection, hear, on_gap)
            except (*DATABASE_ERRORS, Unavailable) as error:
                if self._is_heard is not False:
                    log.warning("revocations.unheard", error=type(error.__cause__ or error).__name__)
                self._is_heard = False
            await asyncio.sleep(RETRY_S)

    async def _listen(
        self, connection: asyncpg.Connection, hear: Callable[[Sequence[Message]], None], on_gap: Callable[[], None]
    ) -> None:
        ended = asyncio.Event()

        def take(_: Any, __: int, ___: str, told: object) -> None:
            if (revoked := _read(str(told))) is not None:
                hear([revoked])

        connection.add_termination_listener(lambda _: ended.set())
        await connection.add_listener(CHANNEL, take)
        if self._is_heard is False:
            log.info("revocations.heard")
            on_gap()
        self._is_heard = True
        while not ended.is_set():
            with suppress(TimeoutError):
                async with asyncio.timeout(PING_S):
                    await ended.wait()
            await connection.execute("select 1")  # raises when it is gone


def _read(told: str) -> Revoked | None:
    """What `RAISE_AUTH` wrote; None: somebody else did."""
    feed_id, _, auth = told.partition(" ")
    try:
        return Revoked(UUID(feed_id), int(auth))
    except ValueError:
        return None
