"""Receipts: which devices have an item, which are getting it, which will."""

import asyncio
from collections.abc import AsyncIterator, Collection, Sequence
from typing import Any
from uuid import UUID

import msgspec

from app.bus.presence import Presence
from app.errors import OutcomeUnknown, Unavailable
from app.model import Acked, Message, Receiver
from app.store.devices import Devices
from app.store.fold import Outcome

RECHECK_S = 0.5


class _Audience(msgspec.Struct):
    audience: list[UUID] | None


class Delivery(msgspec.Struct, frozen=True):
    """The audience's devices, each in one list, as `{"device_id", "name", "kind"}`."""

    acknowledged: list[dict[str, Any]]
    live: list[dict[str, Any]]
    pending: list[dict[str, Any]]


class Receipts:
    """Computes deliveries. Run `hear()` so that those who wait are woken by acknowledgements."""

    def __init__(self, devices: Devices, presence: Presence) -> None:
        self._devices = devices
        self._presence = presence
        self._waiting: dict[UUID, set[asyncio.Future[None]]] = {}

    async def of(self, feed_id: UUID, seq: int, audience: Collection[UUID] | None, *, wait_s: float = 0) -> Delivery:
        """Who has the change `seq`: by now, or with `wait_s`, once no live device is without it or time is over."""
        deadline = asyncio.get_running_loop().time() + wait_s
        while True:
            woken = self._expect_ack(feed_id) if wait_s else None
            try:
                delivery = await self._now(feed_id, seq, audience)
                left = deadline - asyncio.get_running_loop().time()
                if woken is None or not delivery.live or left <= 0:
                    return delivery
                # Now and then without a call: devices also go away, and messages may be lost.
                await asyncio.wait([woken], timeout=min(left, RECHECK_S))
            finally:
                self._forget(feed_id, woken)

    async def of_write(self, feed_id: UUID, outcome: Outcome, *, wait_s: float = 0) -> Delivery:
        """Who has what was written. Needs no query if the commit brought the devices along and nobody is waited for.

        Raises `OutcomeUnknown` when that cannot be read: what was written stands all the same.
        """
        audience = msgspec.json.decode(outcome.wire or b"", type=_Audience).audience
        if outcome.devices is not None and not wait_s:
            return _sort(outcome.devices, await self._presence.online(feed_id), outcome.seq, audience)
        try:
            return await self.of(feed_id, outcome.seq, audience, wait_s=wait_s)
        except Unavailable as error:
            raise OutcomeUnknown from error

    async def _now(self, feed_id: UUID, seq: int, audience: Collection[UUID] | None) -> Delivery:
        devices, present = await self._devices.of(feed_id), await self._presence.online(feed_id)
        return _sort(devices, present, seq, audience)

    def _expect_ack(self, feed_id: UUID) -> asyncio.Future[None]:
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(feed_id, set()).add(woken)
        return woken

    def _forget(self, feed_id: UUID, woken: asyncio.Future[None] | None) -> None:
        waiting = self._waiting.get(feed_id)
        if waiting is not None and woken is not None:
            waiting.discard(woken)
            if not waiting:
                del self._waiting[feed_id]

    async def hear(self, messages: AsyncIterator[list[Message]]) -> None:
        """Wakes those who wait, until cancelled."""
        async for batch in messages:
            for message in batch:
                if isinstance(message, Acked):
                    for woken in self._waiting.get(message.feed_id, ()):
                        if not woken.done():
                            woken.set_result(None)


def _described(device: Receiver) -> dict[str, Any]:
    return {"device_id": device.id, "name": device.name, "kind": device.kind}


def _sort(
    devices: Sequence[Receiver], present: Collection[UUID], seq: int, audience: Collection[UUID] | None
) -> Delivery:
    delivery = Delivery([], [], [])
    for device in devices:
        if audience is not None and device.id not in audience:
            continue
        described = _described(device)
        if device.acked_seq >= seq:
            delivery.acknowledged.append(described)
        elif device.id in present:
            delivery.live.append(described)
        else:
            delivery.pending.append(described)
    return delivery
