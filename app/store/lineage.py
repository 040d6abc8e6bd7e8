"""Epochs: a feed's history gets a new name when it was rewritten, so that no cursor of the old one is honoured.

What tells that a database is not the one whose history the devices hold:
- the table `lineage` travels with a dump: loaded elsewhere, it names another database (or other tables) than its own;
- the data directory's record outlives a replaced database, and checkpoints never go back, not even in a crash;
- a copied file is not the file that it was copied from: its inode or change time differs.
"""

import os
from pathlib import Path

import msgspec
import structlog
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.store.database import Database

log = structlog.get_logger(__name__)

_IDENTITY = text("""
select concat_ws('/', (select system_identifier from pg_control_system()),
                 (select timeline_id from pg_control_checkpoint()),
                 (select oid from pg_database where datname = current_database()), cast('feeds'::regclass::oid as text))
       as identity,
       cast((select checkpoint_lsn from pg_control_checkpoint()) - '0/0' as bigint) as position
""")
_RECORDED = text("select identity from lineage")
_RECORD = text(
    "insert into lineage (identity) values (:identity) on conflict (one) do update set identity = excluded.identity"
)
# A name per feed, made by the database, so that any number of feeds is one statement.
_NEW_EPOCHS = text("update feeds set epoch = substr(md5(cast(gen_random_uuid() as text)), 1, 8)")
_WAIT = text("set local lock_timeout = 0")
_SERIALISE = text("select pg_advisory_xact_lock(hashtext('starling.lineage'))")


class Record(msgspec.Struct, frozen=True):
    """What the data directory remembers: which database, where its last checkpoint was (bytes), and of which files."""

    identity: str
    position: int
    landmark: str
    inode: int = 0
    """Of the record's own file."""


class Lineage:
    """Notices a restored database. `record`: a file of the data directory; `landmark`: one written once per cluster."""

    def __init__(self, database: Database, record: Path, landmark: Path | None = None) -> None:
        self._database = database
        self._record = record
        self._landmark = landmark

    async def settle(self) -> bool:
        """Gives every feed a new epoch when the database was restored since it was last seen; whether it did."""
        async with self._database.transaction() as connection:
            await _alone(connection)
            current = await self._current(connection)
            recorded = (await connection.execute(_RECORDED)).scalar_one_or_none()
            why = self._why(current, recorded)
            if why:
                log.warning("lineage.restored", reason=why)
                await _rename(connection)
            if recorded != current.identity:
                await connection.execute(_RECORD, {"identity": current.identity})
        self._remember(current)
        return why is not None

    async def renew(self) -> int:
        """A new epoch for every feed; how many."""
        return await rename_histories(self._database)

    async def _current(self, connection: AsyncConnection) -> Record:
        row = (await connection.execute(_IDENTITY)).one()
        mark = self._landmark.stat() if self._landmark and self._landmark.exists() else None
        return Record(row.identity, row.position, f"{mark.st_ino}/{mark.st_ctime_ns}" if mark else "")

    def _why(self, current: Record, recorded: str | None) -> str | None:
        if recorded is not None and recorded != current.identity:
            return "the data was written in another database"
        try:
            known, inode = self._known()
        except FileNotFoundError:
            return None
        except msgspec.DecodeError:  # a power loss can leave it empty
            return "the data directory's record cannot be read"
        if known.identity != current.identity:
            return "the data directory knows another database"
        if known.position > current.position:
            return "the database is older than it was"
        if known.landmark != current.landmark or known.inode != inode:
            return "the files are a copy"
        return None

    def _known(self) -> tuple[Record, int]:
        """The record and the inode that it was read from, which another process may replace meanwhile."""
        with self._record.open("rb") as file:
            return msgspec.json.decode(file.read(), type=Record), os.fstat(file.fileno()).st_ino

    def _remember(self, record: Record) -> None:
        scratch = self._record.with_suffix(f".{os.getpid()}")
        with scratch.open("wb") as file:
            record = msgspec.structs.replace(record, inode=os.fstat(file.fileno()).st_ino)
            file.write(msgspec.json.encode(record))
        scratch.replace(self._record)


async def rename_histories(database: Database) -> int:
    """Gives every feed a new epoch, which makes every device read it anew; how many."""
    async with database.transaction() as connection:
        await _alone(connection)
        return await _rename(connection)


async def _alone(connection: AsyncConnection) -> None:
    """Returns when no other process is at it, which may be giving every feed a new name."""
    await connection.execute(_WAIT)
    await connection.execute(_SERIALISE)


async def _rename(connection: AsyncConnection) -> int:
    renamed: int = (await connection.execute(_NEW_EPOCHS)).rowcount
    return renamed
