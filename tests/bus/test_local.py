"""The bus within one process: every listener gets everything in order, and nobody keeps a publisher waiting."""

import asyncio
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest
from prometheus_client import REGISTRY

from app.bus import local
from app.bus.local import LocalBus
from app.model import Acked, Message, Revoked

FEED, DEVICE = uuid4(), uuid4()


def acks(*seqs: int) -> list[Message]:
    return [Acked(FEED, DEVICE, seq) for seq in seqs]


async def begun(
    bus: LocalBus, *kinds: type[Message]
) -> tuple["asyncio.Task[list[Message]]", AsyncIterator[list[Message]]]:
    messages = bus.listen(*kinds)
    first = asyncio.ensure_future(anext(messages))
    await asyncio.sleep(0)
    return first, messages


async def test_every_listener_gets_every_message_in_order() -> None:
    bus = LocalBus()
    listeners = [await begun(bus) for _ in range(3)]
    bus.publish(acks(1))
    bus.publish(acks(2, 3))
    for first, messages in listeners:
        assert await first == acks(1, 2, 3)
        bus.publish(acks(4))
        assert (await anext(messages))[0] == acks(4)[0]


async def test_a_listener_is_not_woken_for_what_it_did_not_ask_for() -> None:
    bus = LocalBus()
    first, _ = await begun(bus, Revoked)
    bus.publish(acks(1, 2))
    assert bus.waiting == 0
    bus.publish([*acks(3), Revoked(FEED, 1)])
    assert await first == [Revoked(FEED, 1)]


async def test_what_was_published_before_listening_is_not_heard() -> None:
    bus = LocalBus()
    bus.publish(acks(1))
    first, _ = await begun(bus)
    bus.publish(acks(2))
    assert await first == acks(2)


async def test_a_listener_that_is_too_far_behind_loses_its_oldest_messages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local, "MAX_WAITING", 3)
    dropped = REGISTRY.get_sample_value("starling_bus_dropped_total") or 0
    bus = LocalBus()
    first, _ = await begun(bus)
    for seq in range(1, 7):
        bus.publish(acks(seq))
    assert bus.waiting == 3
    assert await first == acks(4, 5, 6)
    assert bus.waiting == 0
    assert REGISTRY.get_sample_value("starling_bus_dropped_total") == dropped + 3


async def test_a_listener_that_was_cancelled_is_forgotten() -> None:
    bus = LocalBus()
    first, _ = await begun(bus)
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    bus.publish(acks(1))
    assert not bus._listeners


async def test_publishing_without_listeners_does_nothing() -> None:
    LocalBus().publish(acks(1))
