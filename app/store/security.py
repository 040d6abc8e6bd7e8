"""Security events: what happened to an account's access. No secret is among them."""

from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

import msgspec
from sqlalchemy import Delete, Insert, delete, func, insert, literal, select
from uuid_utils.compat import uuid7

from app.store.database import Database
from app.store.tables import feeds, security_events

KEPT = timedelta(days=90)
EventKind = Literal[
    "signed_up", "signed_in", "sign_in_failed", "password_changed", "allowed", "revoked", "device_revoked", "reused"
]


class SecurityEvent(msgspec.Struct, frozen=True):
    """One event."""

    kind: EventKind
    client_id: str | None
    address: str | None
    created_at: datetime


def noted(feed_id: UUID, kind: EventKind, *, client_id: str | None = None, device_id: UUID | None = None) -> Insert:
    """The statement that keeps an event, for a transaction that does what it tells of."""
    values = {"feed_id": feed_id, "kind": kind, "client_id": client_id, "device_id": device_id}
    return insert(security_events).values(id=uuid7(), **values)


def forgotten(feed_id: UUID) -> Delete:
    """The statement that removes old ones."""
    mine = security_events.c.feed_id == feed_id
    return delete(security_events).where(mine, security_events.c.created_at < func.now() - KEPT)


class SecurityEvents:
    """The events of accounts."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def note(self, user_id: UUID, kind: EventKind, address: str) -> None:
        """Keeps an event of the person's own."""
        row = select(literal(uuid7()), feeds.c.id, literal(kind), literal(address)).where(feeds.c.user_id == user_id)
        async with self._database.transaction() as connection:
            await connection.execute(insert(security_events).from_select(["id", "feed_id", "kind", "address"], row))

    async def latest(self, feed_id: UUID, limit: int) -> list[SecurityEvent]:
        """Newest first. Removes those that are older than 90 days."""
        columns = [security_events.c[name] for name in SecurityEvent.__struct_fields__]
        mine = security_events.c.feed_id == feed_id
        newest = (security_events.c.created_at.desc(), security_events.c.id.desc())
        async with self._database.transaction() as connection:
            await connection.execute(forgotten(feed_id))
            rows = await connection.execute(select(*columns).where(mine).order_by(*newest).limit(limit))
            return [SecurityEvent(**row._mapping) for row in rows]
