"""Where devices can be woken, and what they were woken for."""

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

import msgspec
from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert as upsert

from app.store.database import Database
from app.store.tables import devices, push_subscriptions, pushes

FORGOTTEN_AT_ONCE = 1000


class Subscription(msgspec.Struct, frozen=True):
    """A device's address at its push service, and the keys of its browser."""

    device_id: UUID
    endpoint: str
    p256dh: bytes
    auth: bytes


_COLUMNS = (
    push_subscriptions.c.device_id,
    push_subscriptions.c.endpoint,
    push_subscriptions.c.p256dh,
    push_subscriptions.c.auth,
)


class Subscriptions:
    """One a device. Those of revoked devices are never given out."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def keep(self, feed_id: UUID, new: Subscription) -> None:
        """In place of what the device had; an endpoint that another device had is this one's from now on."""
        said = {"endpoint": new.endpoint, "p256dh": new.p256dh, "auth": new.auth}
        kept = upsert(push_subscriptions).values(device_id=new.device_id, feed_id=feed_id, **said)
        others = push_subscriptions.c.endpoint == new.endpoint, push_subscriptions.c.device_id != new.device_id
        async with self._database.transaction() as connection:
            await connection.execute(delete(push_subscriptions).where(*others))
            await connection.execute(
                kept.on_conflict_do_update(index_elements=[push_subscriptions.c.device_id], set_=said)
            )

    async def drop(self, device_id: UUID, endpoint: str | None = None) -> None:
        """The device's, or only if it still has that endpoint."""
        mine = [push_subscriptions.c.device_id == device_id]
        if endpoint is not None:
            mine.append(push_subscriptions.c.endpoint == endpoint)
        async with self._database.transaction() as connection:
            await connection.execute(delete(push_subscriptions).where(*mine))

    async def sleeping(self, feed_id: UUID, awake: Collection[UUID]) -> list[Subscription]:
        """Those of the feed's devices but for the ones that are awake."""
        wanted = (push_subscriptions.c.feed_id == feed_id, push_subscriptions.c.device_id.not_in(awake))
        return await self._found(feed_id, *wanted)

    async def pushed(self, feed_id: UUID, item_id: UUID) -> list[Subscription]:
        """Those that were pushed this item; they are taken for told that it is withdrawn."""
        gone = delete(pushes).where(pushes.c.feed_id == feed_id, pushes.c.item_id == item_id)
        async with self._database.transaction() as connection:
            told = list((await connection.execute(gone.returning(pushes.c.device_id))).scalars())
        return await self._found(feed_id, push_subscriptions.c.device_id.in_(told)) if told else []

    async def note(self, feed_id: UUID, item_id: UUID, to: Collection[UUID], expires_at: datetime) -> None:
        """These devices are being pushed this item, which is of use until then."""
        rows = [{"feed_id": feed_id, "item_id": item_id, "device_id": each, "expires_at": expires_at} for each in to]
        async with self._database.transaction() as connection:
            await connection.execute(upsert(pushes).on_conflict_do_nothing(), rows)

    async def is_noted(self, feed_id: UUID, item_id: UUID, device_id: UUID) -> bool:
        """Whether it has not been withdrawn since."""
        one = (pushes.c.feed_id == feed_id, pushes.c.item_id == item_id, pushes.c.device_id == device_id)
        async with self._database.transaction() as connection:
            return (await connection.execute(select(pushes.c.item_id).where(*one))).first() is not None

    async def forget(self) -> int:
        """Removes what is of no use any more; how much."""
        old = select(pushes.c.feed_id, pushes.c.item_id, pushes.c.device_id).where(pushes.c.expires_at <= func.now())
        some = old.limit(FORGOTTEN_AT_ONCE).subquery()
        same = (pushes.c[name] == some.c[name] for name in ("feed_id", "item_id", "device_id"))
        async with self._database.transaction() as connection:
            return (await connection.execute(delete(pushes).where(*same))).rowcount

    async def _found(self, feed_id: UUID, *wanted: object) -> list[Subscription]:
        query = select(*_COLUMNS).join(devices, devices.c.id == push_subscriptions.c.device_id)
        async with self._database.transaction(feed_id) as connection:  # devices are seen by feed
            rows = await connection.execute(query.where(devices.c.revoked_at.is_(None), *wanted))  # type: ignore[arg-type]
            return [Subscription(*row) for row in rows]
