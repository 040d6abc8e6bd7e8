"""Whether changes were committed whose commit was sent, but never answered."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Literal

import structlog
from sqlalchemy.exc import DBAPIError

from app.errors import OutcomeUnknown, Unavailable
from app.store.batch import Batch
from app.store.births import Births
from app.store.database import Database, sqlstate
from app.store.statements import BORN, IS_GONE, WITNESS, XACT_STATUS

RESOLVE_S = 5.0
POLL_S = 0.1

log = structlog.get_logger(__name__)
Status = Literal["committed", "aborted"]


async def require_committed(database: Database, batch: Batch) -> None:
    """Returns when the batch turns out to be committed. Raises `Unavailable` when it is not, `OutcomeUnknown` when
    nobody can tell within five seconds."""
    await _require(lambda: status(database, batch), changes=len(batch.changes))


async def require_born(database: Database, births: Births) -> None:
    """The same for new items, which then have their outcomes."""
    await _require(lambda: birth_status(database, births), changes=len(births.changes))


async def _require(ask: Callable[[], Awaitable[Status | None]], *, changes: int) -> None:
    log.warning("commit.uncertain", changes=changes)
    deadline = time.monotonic() + RESOLVE_S
    while time.monotonic() < deadline:
        try:
            state = await ask()
        except OutcomeUnknown:
            raise
        except Unavailable:
            state = None
        if state == "committed":
            return
        if state == "aborted":
            raise Unavailable
        await asyncio.sleep(POLL_S)
    raise OutcomeUnknown


async def birth_status(database: Database, births: Births) -> Status | None:
    """`committed` when the items are there; `aborted` when they are not, and nobody is left who could make them."""
    async with database.transaction(*{change.feed_id for change in births.changes}) as connection:
        is_gone = (await connection.execute(IS_GONE, {"mark": births.mark})).scalar_one()
        if births.recognise((await connection.execute(BORN, births.born_arguments())).all()):
            return "committed"
    return "aborted" if is_gone else None


async def status(database: Database, batch: Batch) -> Status | None:
    """`committed`, `aborted`, or None while the lost connection is still at it. Raises `OutcomeUnknown`."""
    try:
        async with database.transaction(*{change.feed_id for change in batch.changes}) as connection:
            found: str | None = (await connection.execute(XACT_STATUS, {"xid": batch.xid})).scalar_one()
            if found != "committed":
                return None if found == "in progress" else "aborted"
            # A crash may give the same number to another transaction, so the number alone proves nothing.
            witness = batch.witness()
            if witness is None or (await connection.execute(WITNESS, witness)).first():
                return "committed"
    except DBAPIError as error:
        if sqlstate(error) == "22023":  # "transaction ID is in the future": the crash forgot it
            return "aborted"
        raise
    raise OutcomeUnknown
