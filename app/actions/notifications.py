"""Notifications: items that ask for attention now, on all devices or on some."""

from collections.abc import Iterable
from uuid import UUID

from uuid_utils.compat import uuid7

from app.actions import replays
from app.actions.access import require
from app.actions.bodies import NotifyDevices
from app.actions.items import Caller, ItemActions, Written
from app.errors import InvalidField
from app.model import Device, Scope
from app.store.devices import Devices
from app.store.fold import Change

MAX_NAMED = 100
"""How many names a refusal has room for."""
LOOK = "listDevices names all devices, page by page."


class NotificationActions:
    """What is read or dismissed on one device is an item's new status: it goes to the others as any change does."""

    def __init__(self, items: ItemActions, devices: Devices) -> None:
        self._items = items
        self._devices = devices

    async def notify(self, caller: Caller, body: NotifyDevices) -> Written:
        """A new item of kind notification, or the first one if this is a repeat.

        Raises `InsufficientScope`, `InvalidField` for devices that there are not, `RequestIdReused`.
        """
        principal = caller.principal
        require(principal, Scope.ITEMS_WRITE)
        content = b"notify" + replays.canonical(body)
        audience = None
        if body.devices is not None or body.device_kind is not None:
            audience = _audience(body, await self._devices.of(principal.feed_id))
        change = Change(
            feed_id=principal.feed_id,
            item_id=uuid7(),
            verb="put",
            base="create",
            origin=caller.origin,
            values=body.values(),
            kind="notification",
            audience=audience,
            replay=replays.of_request(principal, body.request_id, "notify", content)
            if body.request_id is not None
            else replays.of_equal(principal, caller.conversation_id, content),
            fresh=True,
        )
        return await self._items.write(change, body.wait_for_delivery)


def _audience(body: NotifyDevices, devices: Iterable[Device]) -> tuple[UUID, ...]:
    """The devices that are meant, as they are now. A name means all devices of that name, however it is written."""
    if body.devices is None:
        kinds = {device.kind for device in devices}
        if body.device_kind not in kinds:
            raise InvalidField("device_kind", "The user has no device of this kind.", allowed=sorted(kinds))
        return tuple(device.id for device in devices if device.kind == body.device_kind)
    if body.device_kind is not None:
        raise InvalidField("device_kind", "Send either `devices` or `device_kind`, not both.")
    called: dict[str, set[UUID]] = {}
    for device in devices:
        called.setdefault(device.name.casefold(), set()).add(device.id)
        called[str(device.id)] = {device.id}
    names = [name.casefold() for name in body.devices]
    for name, known in zip(body.devices, names, strict=True):
        if known not in called:
            allowed = sorted({device.name for device in devices})[:MAX_NAMED]
            raise InvalidField("devices", f"The user has no device named {name!r}.", allowed=allowed, next_step=LOOK)
    return tuple(sorted(set[UUID]().union(*(called[name] for name in names))))
