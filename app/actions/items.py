"""Items: save, update, delete, get, find."""

from uuid import UUID

import msgspec
from uuid_utils.compat import uuid7

from app.actions import fitted, replays
from app.actions.access import require
from app.actions.bodies import SaveItem, UpdateItem
from app.actions.receipts import Delivery, Receipts
from app.model import Origin, Principal, Scope, Via
from app.store.commit import Committer
from app.store.fold import Change, Replay
from app.store.items import Found, Items, Query


class Caller(msgspec.Struct, frozen=True):
    """Who asks, through which door, in which conversation."""

    principal: Principal
    via: Via = "action"
    conversation_id: str | None = None

    def through(self, door: Via) -> "Caller":
        """The same caller at another door."""
        return msgspec.structs.replace(self, via=door)

    def within(self, conversation_id: str) -> "Caller":
        """The same caller in that conversation."""
        return msgspec.structs.replace(self, conversation_id=conversation_id)

    @property
    def origin(self) -> Origin:
        """What an item made now says about where it came from."""
        return Origin(self.via, self.principal.client, self.principal.device_id, self.conversation_id)


class Written(msgspec.Struct, frozen=True):
    """What became of a write, and who has it."""

    wire: bytes
    delivery: Delivery
    duplicate: bool

    def json(self) -> bytes:
        """The protocol's answer to a write."""
        return fitted.written(self.wire, self.delivery, duplicate=self.duplicate)


class ItemActions:
    """What can be done with items. Each raises `InsufficientScope` first of all."""

    def __init__(self, committer: Committer, items: Items, receipts: Receipts) -> None:
        self._committer = committer
        self._items = items
        self._receipts = receipts

    async def save(self, caller: Caller, body: SaveItem) -> Written:
        """A new item, or the first one if this is a repeat. Raises `RequestIdReused`."""
        principal = caller.principal
        require(principal, Scope.ITEMS_WRITE)
        content = replays.canonical(body)
        replay = (
            replays.of_request(principal, body.request_id, "save", content)
            if body.request_id is not None
            else replays.of_equal(principal, caller.conversation_id, content)
        )
        change = Change(
            feed_id=principal.feed_id,
            item_id=uuid7(),
            verb="put",
            base="create",
            origin=caller.origin,
            values=body.values(),
            kind=body.kind,
            replay=replay,
            fresh=True,
        )
        return await self.write(change, body.wait_for_delivery)

    async def update(self, caller: Caller, item_id: UUID, body: UpdateItem) -> Written:
        """Changes the fields that were sent. Raises `NotFound`, `RequestIdReused`."""
        require(caller.principal, Scope.ITEMS_WRITE)
        replay = _named(caller.principal, body.request_id, f"update {item_id}", replays.canonical(body))
        change = Change(
            feed_id=caller.principal.feed_id,
            item_id=item_id,
            verb="put",
            base="any",
            origin=caller.origin,
            values=body.values(),
            replay=replay,
        )
        return await self.write(change, body.wait_for_delivery)

    async def delete(self, caller: Caller, item_id: UUID, *, wait_s: float = 0) -> Written:
        """Leaves a tombstone; `duplicate` if there is one already. Raises `NotFound`."""
        require(caller.principal, Scope.ITEMS_WRITE)
        change = Change(caller.principal.feed_id, item_id, "delete", "any", caller.origin)
        return await self.write(change, wait_s)

    async def get(self, principal: Principal, item_id: UUID) -> bytes:
        """The item's JSON. Raises `NotFound`, also for a deleted one."""
        require(principal, Scope.ITEMS_READ)
        return (await self._items.get(principal.feed_id, item_id, device_id=principal.device_id)).wire

    async def delivery(self, principal: Principal, item_id: UUID) -> bytes:
        """`{"item", "delivery"}`: who has the item by now. Raises `NotFound`."""
        require(principal, Scope.ITEMS_READ)
        place = await self._items.get(principal.feed_id, item_id, device_id=principal.device_id)
        delivery = await self._receipts.of(principal.feed_id, place.seq, place.audience)
        return fitted.delivered(place.wire, delivery)

    async def find(self, principal: Principal, query: Query) -> Found:
        """A page of what matches, newest change first."""
        require(principal, Scope.ITEMS_READ)
        return await self._items.find(principal.feed_id, query, device_id=principal.device_id)

    async def write(self, change: Change, wait_s: float) -> Written:
        """Commits a change; who has it then. Raises what it is rejected for."""
        outcome = await self._committer.submit(change)
        if outcome.error is not None or outcome.wire is None:
            raise outcome.error or RuntimeError(outcome.status)
        delivery = await self._receipts.of_write(change.feed_id, outcome, wait_s=wait_s)
        return Written(outcome.wire, delivery, duplicate=outcome.status == "duplicate")


def _named(principal: Principal, request_id: str | None, verb: str, content: bytes) -> Replay | None:
    return None if request_id is None else replays.of_request(principal, request_id, verb, content)
