"""Devices: list, rename, revoke, acknowledge."""

from collections.abc import Callable, Collection, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from app.actions.access import require, require_device
from app.bus.presence import Presence
from app.errors import EpochChanged, InvalidField, NotFound
from app.model import Acked, Cursor, Device, Message, Principal, Revoked, Scope
from app.store.devices import Devices
from app.store.feed import FeedReader
from app.store.grants import Grants

Publish = Callable[[Sequence[Message]], None]


class DeviceActions:
    """What can be done with devices, by themselves and by others."""

    def __init__(
        self, devices: Devices, grants: Grants, reader: FeedReader, presence: Presence, publish: Publish
    ) -> None:
        self._devices = devices
        self._grants = grants
        self._reader = reader
        self._presence = presence
        self._publish = publish

    async def list(self, principal: Principal) -> dict[str, Any]:
        """`{"devices": […]}`, oldest first."""
        require(principal, Scope.ITEMS_READ)
        devices = await self._devices.of(principal.feed_id)
        online = await self._presence.online(principal.feed_id)
        return {"devices": [_described(device, online) for device in devices]}

    async def page(self, principal: Principal, *, page: int, limit: int) -> dict[str, Any]:
        """`{"devices", "page", "total_pages", "total"}`, oldest first. `page` counts from 1."""
        devices = (await self.list(principal))["devices"]
        first = (page - 1) * limit
        total = len(devices)
        shown = devices[first : first + limit]
        return {"devices": shown, "page": page, "total_pages": -(-total // limit), "total": total}

    async def rename(self, principal: Principal, device_id: UUID, name: str) -> dict[str, Any]:
        """The renamed device. A device may rename itself. Raises `NotFound`."""
        self._require_over(principal, device_id)
        renamed = await self._devices.rename(principal.feed_id, device_id, name)
        return _described(renamed, await self._presence.online(principal.feed_id))

    async def revoke(self, principal: Principal, device_id: UUID) -> None:
        """Ends the device with its tokens and streams. A device may revoke itself. Raises `NotFound`."""
        self._require_over(principal, device_id)
        auth = await self._devices.revoke(principal.feed_id, device_id)
        self._publish([Revoked(principal.feed_id, auth)])

    async def me(self, principal: Principal) -> dict[str, Any]:
        """`{"user", "device", "client", "scopes", "feed"}`."""
        head = await self._reader.head(principal.feed_id)
        if head is None:
            raise NotFound("This account is gone.")
        own = [device for device in await self._devices.of(principal.feed_id) if device.id == principal.device_id]
        return {
            "user": await self._grants.user(principal.user_id),
            "device": _described(own[0], await self._presence.online(principal.feed_id)) if own else None,
            "client": principal.client,
            "scopes": sorted(principal.scopes),
            "feed": {"epoch": head.epoch, "head": head.head, "cursor": str(Cursor(head.epoch, head.head))},
        }

    async def ack(self, principal: Principal, sent: str) -> None:
        """The device has stored everything up to the cursor. Raises `EpochChanged`, `InvalidField` above the head."""
        require(principal, Scope.STREAM)
        device_id = require_device(principal)
        cursor = Cursor.parse(sent)
        if cursor is None:
            raise InvalidField("cursor", "This is no cursor.")
        head = await self._reader.head(principal.feed_id)
        if head is None:
            raise NotFound("This account is gone.")
        if cursor.epoch != head.epoch:
            raise EpochChanged(field="cursor")
        if cursor.seq > head.head:
            raise InvalidField("cursor", "The cursor is above the feed's head.", limit=head.head)
        await self._devices.ack(principal.feed_id, device_id, cursor.epoch, cursor.seq)
        self._publish([Acked(principal.feed_id, device_id, cursor.seq)])

    @staticmethod
    def _require_over(principal: Principal, device_id: UUID) -> None:
        if device_id != principal.device_id:
            require(principal, Scope.DEVICES_MANAGE)


def _described(device: Device, live: Collection[UUID]) -> dict[str, Any]:
    online = device.id in live
    return {
        "id": device.id,
        "name": device.name,
        "kind": device.kind,
        "online": online,
        "last_seen": datetime.now(UTC) if online else device.last_seen,
        "acked_seq": device.acked_seq,
        "created_at": device.created_at,
    }
