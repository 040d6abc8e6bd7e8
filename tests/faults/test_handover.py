"""Case 7: from catching up to live and back, with pauses in every gap: no gap, no repeat, no other order."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from typing import Any
from uuid import uuid4

import pytest

from app.hub import feed, fill, pump
from app.hub.feed import Feed
from app.hub.fill import ring
from app.hub.stream import Stream
from app.hub.watch import Watch
from app.model import Changed, Message, Origin
from app.store.fold import Change
from tests.harness.counts import times
from tests.harness.listener import Listener
from tests.harness.live import Live
from tests.harness.people import Person

CHANGES = times(1500, full=10_000)
WRITERS = 4
DEVICES = 4
RECONNECTS = times(40, full=200)
ORIGIN = Origin(via="system", client="test")


def slow(call: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    """Pauses before and after, for a while that differs."""

    async def paused(*arguments: Any, **options: Any) -> Any:
        await asyncio.sleep(random.choice((0, 0, 0.003, 0.02)))
        answer = await call(*arguments, **options)
        await asyncio.sleep(random.choice((0, 0, 0.003, 0.02)))
        return answer

    return paused


def worry(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    """Small pages and tails, pauses in every gap, and a bus that loses one message in fifteen."""
    monkeypatch.setattr(pump, "PAGE_ROWS", 20)
    monkeypatch.setattr(fill, "FILL_ROWS", 30)
    monkeypatch.setattr(feed, "TAIL_BYTES", 16 * 1024)
    monkeypatch.setattr(feed, "SLICE_BYTES", 4 * 1024)
    for name in ("page", "frames", "head", "heads"):
        monkeypatch.setattr(live.starling.reader, name, slow(getattr(live.starling.reader, name)))

    def lossy(messages: Sequence[Message]) -> None:
        live.starling.bus.publish([message for message in messages if random.random() > 1 / 15])

    monkeypatch.setattr(live.starling.committer, "_publish", lossy)


async def write(live: Live, person: Person, count: int) -> None:
    while count > 0:
        size = min(count, random.choice((1, 1, 1, 3, 15)))
        changes = [
            Change(person.feed_id, uuid4(), "put", "create", ORIGIN, {"title": "x" * random.randrange(300)}, fresh=True)
            for _ in range(size)
        ]
        await live.starling.committer.submit_all(changes)
        count -= size
        await asyncio.sleep(random.choice((0, 0.002, 0.01)))


async def come_and_go(device: Listener, times: int) -> None:
    for _ in range(times):
        await asyncio.sleep(random.uniform(0, 0.15))
        await device.close()
        await asyncio.sleep(random.choice((0, 0, 0.03)))
        await device.open()


async def seen_by_devices(live: Live, monkeypatch: pytest.MonkeyPatch, changes: int) -> list[list[int]]:
    """The seqs that each device saw, in order, once it has the last one."""
    person = await live.person()
    worry(live, monkeypatch)
    devices = [await live.listen(await person.device(str(n))) for n in range(DEVICES)]
    await asyncio.gather(
        *(write(live, person, changes // WRITERS) for _ in range(WRITERS)),
        *(come_and_go(device, RECONNECTS // DEVICES) for device in devices),
    )
    for device in devices:
        await device.until_seq(changes, within=90)
        assert "reset" not in device.names
    return [device.seqs for device in devices]


@pytest.mark.case(7, f"{CHANGES} changes, {RECONNECTS} reconnects of {DEVICES} devices, every 15th bus message lost")
async def test_each_device_sees_each_change_once_and_in_order(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    for seqs in await seen_by_devices(live, monkeypatch, CHANGES):
        assert seqs == list(range(1, CHANGES + 1))


@pytest.mark.control(7, "a hub without the gap check")
async def test_control_a_hub_without_the_gap_check_is_found_out(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    def append_whatever_comes(_: Watch, feed: Feed[Stream], change: Changed) -> None:
        if feed.is_loaded and change.wire and change.seq > feed.head:
            ring(feed, feed.append(change.seq, change.item_id, change.audience, change.wire))

    monkeypatch.setattr(Watch, "_take", append_whatever_comes)
    seen = await seen_by_devices(live, monkeypatch, 400)
    assert any(seqs != list(range(1, 401)) for seqs in seen)
