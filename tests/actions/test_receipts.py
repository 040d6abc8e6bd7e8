"""Receipts: acknowledged before live before pending; and who waits is woken by the acknowledgement."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest
from sqlalchemy import text

from app.actions import receipts as module
from app.actions.receipts import Delivery, Receipts
from app.bus.local import LocalBus
from app.bus.presence import Presence
from app.model import Acked
from app.store.database import Database
from app.store.devices import Devices
from tests.harness.people import Person, TestDevice
from tests.harness.waiting import eventually


@dataclass
class Desk:
    """Receipts over a real database, a bus and a presence of its own."""

    person: Person
    receipts: Receipts
    devices: Devices
    presence: Presence
    bus: LocalBus
    epoch: str = "epoch001"

    async def ack(self, device: TestDevice, seq: int, *, silently: bool = False) -> None:
        await self.devices.ack(self.person.feed_id, device.id, self.epoch, seq)
        if not silently:
            self.bus.publish([Acked(self.person.feed_id, device.id, seq)])

    async def of(self, seq: int, wait_s: float = 0, audience: Any = None) -> Delivery:
        return await self.receipts.of(self.person.feed_id, seq, audience, wait_s=wait_s)


@pytest.fixture
async def desk(database: Database, person: Person) -> AsyncIterator[Desk]:
    devices, presence, bus = Devices(database), Presence(), LocalBus()
    receipts = Receipts(devices, presence)
    hearing = asyncio.create_task(receipts.hear(bus.listen()))
    await asyncio.sleep(0)

    async with database.engine.begin() as connection:
        await connection.execute(text("update feeds set epoch = 'epoch001', head = 9"))
    yield Desk(person, receipts, devices, presence, bus)
    hearing.cancel()


def names(delivery: Delivery) -> tuple[list[str], list[str], list[str]]:
    lists = (delivery.acknowledged, delivery.live, delivery.pending)
    a, b, c = [[str(each["name"]) for each in each_list] for each_list in lists]
    return a, b, c


async def test_each_device_of_the_audience_is_in_one_list(desk: Desk) -> None:
    both, live, acked, away, outside = [
        await desk.person.device(name) for name in ("both", "live", "acked", "away", "out")
    ]
    for device in (both, live, outside):
        desk.presence.enter(desk.person.feed_id, device.id)
    for device in (both, acked):
        await desk.ack(device, 5)
    audience = {both.id, live.id, acked.id, away.id}
    assert names(await desk.of(5, audience=audience)) == (["both", "acked"], ["live"], ["away"])
    assert names(await desk.of(6, audience=audience)) == ([], ["both", "live"], ["acked", "away"])
    assert names(await desk.of(5)) == (["both", "acked"], ["live", "out"], ["away"])
    assert names(await desk.of(5, audience=set())) == ([], [], [])
    assert (await desk.of(5)).pending == [{"device_id": away.id, "name": "away", "kind": "desktop"}]


async def test_who_waits_is_woken_by_the_last_acknowledgement(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RECHECK_S", 60)
    devices = [await desk.person.device(name) for name in ("a", "b")]
    for device in devices:
        desk.presence.enter(desk.person.feed_id, device.id)
    waiting = [asyncio.create_task(desk.of(1, wait_s=60)) for _ in range(3)]
    await eventually(lambda: len(desk.receipts._waiting.get(desk.person.feed_id, ())) == 3)
    await desk.ack(devices[0], 1)
    await desk.ack(devices[1], 1)
    async with asyncio.timeout(15):
        assert [names(each) for each in await asyncio.gather(*waiting)] == [(["a", "b"], [], [])] * 3
    assert desk.receipts._waiting == {}


async def test_a_lost_message_and_a_leaving_device_are_noticed_all_the_same(desk: Desk) -> None:
    silent, leaving = await desk.person.device("silent"), await desk.person.device("leaving")
    for device in (silent, leaving):
        desk.presence.enter(desk.person.feed_id, device.id)
    waiting = asyncio.create_task(desk.of(1, wait_s=60))
    await desk.ack(silent, 1, silently=True)
    desk.presence.leave(desk.person.feed_id, leaving.id)
    async with asyncio.timeout(15):
        assert names(await waiting) == (["silent"], [], ["leaving"])


async def test_the_wait_ends_with_its_time_and_a_caller_that_leaves_leaves_nothing(desk: Desk) -> None:
    device = await desk.person.device("mute")
    desk.presence.enter(desk.person.feed_id, device.id)
    async with asyncio.timeout(15):
        assert names(await desk.of(1, wait_s=0.05)) == ([], ["mute"], [])
    waiting = asyncio.create_task(desk.of(1, wait_s=60))
    await eventually(lambda: desk.person.feed_id in desk.receipts._waiting)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert desk.receipts._waiting == {}
