"""Devices: naming, acknowledging, revoking."""

from collections.abc import Collection
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, ColumnElement, Uuid, case, func, insert, literal, select, text, update
from uuid_utils.compat import uuid7

from app.errors import NotFound
from app.model import Device
from app.shared import SharedRead
from app.store.database import Database
from app.store.revocations import RAISE_AUTH
from app.store.security import noted
from app.store.tables import devices, feeds, grants, tokens

# What was acknowledged of a history that is no more counts for nothing.
_ACKED = case((devices.c.acked_epoch == feeds.c.epoch, devices.c.acked_seq), else_=0).label("acked_seq")
_COLUMNS = (devices.c.id, devices.c.name, devices.c.kind, _ACKED, devices.c.last_seen, devices.c.created_at)
# An acknowledgement lost in a crash is given again by the device, so its commit need not wait for the disk.
_LAZY_COMMIT = text("set local synchronous_commit = off")
_SEEN = text("""
update devices d set last_seen = now()
from unnest(cast(:feeds as uuid[]), cast(:devices as uuid[])) as present(feed_id, id)
where d.feed_id = present.feed_id and d.id = present.id
""")


class Devices:
    """The devices of a feed's user. Revoked ones are gone for every method here."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._shared = SharedRead(self._of_many)

    async def add(self, feed_id: UUID, name: str, kind: str) -> UUID:
        """A new device; its id."""
        device_id: UUID = uuid7()
        async with self._database.transaction(feed_id) as connection:
            await connection.execute(insert(devices).values(id=device_id, feed_id=feed_id, name=name, kind=kind))
        return device_id

    async def of(self, feed_id: UUID) -> list[Device]:
        """All devices of the feed, oldest first, read after this call began; callers of one moment share the query."""
        return await self._shared.get(feed_id) or []

    async def _of_many(self, feed_ids: Collection[UUID]) -> dict[UUID, list[Device]]:
        query = select(devices.c.feed_id, *_COLUMNS).join(feeds)
        wanted = (devices.c.feed_id == func.any(literal(list(feed_ids), ARRAY(Uuid))), devices.c.revoked_at.is_(None))
        found: dict[UUID, list[Device]] = {}
        async with self._database.transaction(*feed_ids) as connection:
            for row in await connection.execute(query.where(*wanted).order_by(devices.c.created_at, devices.c.id)):
                found.setdefault(row.feed_id, []).append(as_device(row))
        return found

    async def rename(self, feed_id: UUID, device_id: UUID, name: str) -> Device:
        """The renamed device. Raises `NotFound`."""
        change = update(devices).values(name=name).where(*_one(feed_id, device_id), feeds.c.id == devices.c.feed_id)
        async with self._database.transaction(feed_id) as connection:
            row = (await connection.execute(change.returning(*_COLUMNS))).one_or_none()
        if row is None:
            raise NotFound
        return as_device(row)

    async def ack(self, feed_id: UUID, device_id: UUID, epoch: str, seq: int) -> None:
        """Remembers that the device has everything up to `seq` of `epoch`; never goes back. Raises `NotFound`."""
        higher = case((devices.c.acked_epoch == epoch, func.greatest(devices.c.acked_seq, seq)), else_=seq)
        change = update(devices).values(acked_seq=higher, acked_epoch=epoch, last_seen=func.now())
        async with self._database.transaction(feed_id) as connection:
            await connection.execute(_LAZY_COMMIT)
            if (await connection.execute(change.where(*_one(feed_id, device_id)))).rowcount == 0:
                raise NotFound

    async def seen(self, present: Collection[tuple[UUID, UUID]]) -> None:
        """Remembers that these devices, each as (feed, device), were here by now."""
        arguments = {"feeds": [feed for feed, _ in present], "devices": [device for _, device in present]}
        async with self._database.transaction(*{feed for feed, _ in present}) as connection:
            await connection.execute(_LAZY_COMMIT)
            await connection.execute(_SEEN, arguments)

    async def revoke(self, feed_id: UUID, device_id: UUID) -> int:
        """Revokes the device with all its tokens; the feed's new `auth`. Raises `NotFound`.

        The feed's row is locked first, so a change that commits later carries the new `auth`.
        """
        async with self._database.transaction(feed_id) as connection:
            auth: int = (await connection.execute(RAISE_AUTH, {"feeds": [feed_id]})).one().auth
            gone = update(devices).values(revoked_at=func.now()).where(*_one(feed_id, device_id))
            if (await connection.execute(gone)).rowcount == 0:
                raise NotFound
            await connection.execute(
                update(tokens).values(revoked=True).where(tokens.c.feed_id == feed_id, tokens.c.device_id == device_id)
            )
            of_device = (grants.c.feed_id == feed_id, grants.c.device_id == device_id)
            await connection.execute(update(grants).values(revoked_at=func.now()).where(*of_device))
            await connection.execute(noted(feed_id, "device_revoked", device_id=device_id))
        return auth


def _one(feed_id: UUID, device_id: UUID) -> tuple[ColumnElement[bool], ...]:
    return (devices.c.feed_id == feed_id, devices.c.id == device_id, devices.c.revoked_at.is_(None))


def as_device(row: Any) -> Device:
    """A device from a row with its columns."""
    return Device(row.id, row.name, row.kind, row.acked_seq, row.last_seen, row.created_at)
