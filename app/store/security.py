"""Security events: what happened to an account's access. No secret is among them."""

from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

import msgspec
from sqlalchemy import Delete, Insert, delete, func, insert, literal, select, text
from uuid_utils.compat import uuid7

from app.store.database import Database
from app.store.tables import feeds, security_events

KEPT = timedelta(days=90)
EventKind = Literal[
    "signed_up",
    "signed_in",
    "sign_in_failed",
    "password_changed",
    "linked",
    "unlinked",
    "allowed",
    "revoked",
    "device_revoked",
    "reused",
    "disabled",
    "enabled",
]

# Its id names the feed, the kind and the day, so that however often it happens there is one row a day.
_COUNT = text("""
insert into security_events as known (id, feed_id, kind, address, times)
select
    cast(encode(substr(sha256(convert_to(concat_ws(' ', id, kind, day), 'UTF8')), 1, 16), 'hex') as uuid),
    id, kind, :address, :times
from feeds, (select cast(:kind as text) as kind, cast(now() at time zone 'UTC' as date) as day) as what
where user_id = :user_id
for key share of feeds
on conflict (id) do update set
    times = known.times + excluded.times, address = excluded.address, created_at = excluded.created_at
returning feed_id, times = :times as is_new
""")


class SecurityEvent(msgspec.Struct, frozen=True):
    """One event, or the last of its kind on one day and how many there were."""

    kind: EventKind
    client_id: str | None
    address: str | None
    created_at: datetime
    times: int


def noted(feed_id: UUID, kind: EventKind, *, client_id: str | None = None, device_id: UUID | None = None) -> Insert:
    """The statement that keeps an event, for a transaction that does what it tells of."""
    values = {"feed_id": feed_id, "kind": kind, "client_id": client_id, "device_id": device_id}
    return insert(security_events).values(id=uuid7(), **values)


def noted_by(user_id: UUID, kind: EventKind, address: str) -> Insert:
    """The same for what the person did."""
    row = select(literal(uuid7()), feeds.c.id, literal(kind), literal(address)).where(feeds.c.user_id == user_id)
    return insert(security_events).from_select(["id", "feed_id", "kind", "address"], row)


def forgotten(feed_id: UUID) -> Delete:
    """The statement that removes old ones."""
    mine = security_events.c.feed_id == feed_id
    return delete(security_events).where(mine, security_events.c.created_at < func.now() - KEPT)


class SecurityEvents:
    """The events of accounts."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def count(self, user_id: UUID, kind: EventKind, address: str, times: int) -> None:
        """Keeps what others can make happen as often as they like: one event a day, counted."""
        values = {"user_id": user_id, "kind": kind, "address": address, "times": times}
        async with self._database.transaction() as connection:
            row = (await connection.execute(_COUNT, values)).one_or_none()
            if row is not None and row.is_new:
                await connection.execute(forgotten(row.feed_id))

    async def latest(self, feed_id: UUID, limit: int) -> list[SecurityEvent]:
        """Newest first. Removes those that are older than 90 days."""
        columns = [security_events.c[name] for name in SecurityEvent.__struct_fields__]
        mine = security_events.c.feed_id == feed_id
        newest = (security_events.c.created_at.desc(), security_events.c.id.desc())
        async with self._database.transaction() as connection:
            await connection.execute(forgotten(feed_id))
            rows = await connection.execute(select(*columns).where(mine).order_by(*newest).limit(limit))
            return [SecurityEvent(**row._mapping) for row in rows]
