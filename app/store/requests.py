"""Devices that ask to be let in (RFC 8628). A code is redeemed by one `delete … returning`."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import Connection, delete, func, insert, select, text, update

from app.store.tables import clients, device_codes
from app.store.users import is_enabled

DEVICE_CODE_LIFE = timedelta(seconds=600)

_POLL = text("""
update device_codes as mine set polled_at = now(),
    interval_s = least(mine.interval_s + case when before.hasty then 5 else 0 end, 600)
from (
    select hash, coalesce(polled_at > now() - make_interval(secs => interval_s - 1), false) as hasty
    from device_codes where hash = :hash and client_id = :client for update
) as before
where mine.hash = before.hash
returning mine.approved, mine.expires_at <= now() as has_ended, before.hasty
""")


class DeviceRequest(msgspec.Struct, frozen=True):
    """A device that asks to be let in (RFC 8628)."""

    client_id: str
    scopes: Sequence[str]
    device_name: str
    device_kind: str
    address: str | None
    feed_id: UUID | None = None
    created_at: datetime | None = None
    client_name: str | None = None
    registered_itself: bool = False
    """Whether its program gave itself its name."""


class Poll(msgspec.Struct, frozen=True):
    """How a device's request stands. `hasty`: it was asked for too soon."""

    approved: bool | None
    has_ended: bool
    hasty: bool


class DeviceRequests:
    """The requests, within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, hashed: bytes, user_code_hash: bytes, request: DeviceRequest, interval_s: int) -> None:
        """Keeps a device's request for ten minutes; removes those that have ended."""
        self._connection.execute(delete(device_codes).where(device_codes.c.expires_at <= func.now()))
        values = {
            name: getattr(request, name)
            for name in ("client_id", "scopes", "device_name", "device_kind", "address", "feed_id")
        }
        more = {"hash": hashed, "user_code_hash": user_code_hash, "interval_s": interval_s}
        ends = func.now() + DEVICE_CODE_LIFE
        self._connection.execute(insert(device_codes).values(**values, **more, expires_at=ends))

    def find(self, user_code_hash: bytes) -> DeviceRequest | None:
        """The request with this user code, while nobody has answered it."""
        query = select(*_REQUEST).join(clients, clients.c.id == device_codes.c.client_id).where(*_open(user_code_hash))
        row = self._connection.execute(query).one_or_none()
        return None if row is None else DeviceRequest(**row._mapping)

    def answer(self, user_code_hash: bytes, feed_id: UUID, *, approved: bool) -> bool:
        """Notes a person's answer; whether there was such a request without one."""
        answered = update(device_codes).values(feed_id=feed_id, approved=approved).where(*_open(user_code_hash))
        return self._connection.execute(answered).rowcount == 1

    def take(self, hashed: bytes, client_id: str) -> DeviceRequest | None:
        """Redeems the code of a request that was approved."""
        mine = (device_codes.c.hash == hashed, device_codes.c.client_id == client_id)
        taken = (
            delete(device_codes)
            .where(*mine, device_codes.c.approved, device_codes.c.expires_at > func.now())
            .where(clients.c.id == device_codes.c.client_id, is_enabled(device_codes.c.feed_id))
        )
        row = self._connection.execute(taken.returning(*_REQUEST)).one_or_none()
        return None if row is None else DeviceRequest(**row._mapping)

    def poll(self, hashed: bytes, client_id: str) -> Poll | None:
        """How a request stands that cannot be redeemed. Asking too soon lengthens its interval."""
        row = self._connection.execute(_POLL, {"hash": hashed, "client": client_id}).one_or_none()
        return None if row is None else Poll(**row._mapping)


_REQUEST = (
    device_codes.c.client_id,
    device_codes.c.scopes,
    device_codes.c.device_name,
    device_codes.c.device_kind,
    device_codes.c.address,
    device_codes.c.feed_id,
    device_codes.c.created_at,
    func.coalesce(clients.c.name, clients.c.id).label("client_name"),
    func.coalesce(clients.c.made_by != "command", False).label("registered_itself"),
)


def _open(user_code_hash: bytes) -> tuple[Any, ...]:
    mine = device_codes.c.user_code_hash == user_code_hash
    return (mine, device_codes.c.approved.is_(None), device_codes.c.expires_at > func.now())
