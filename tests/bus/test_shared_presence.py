"""Presence in several processes, each played by an object with connections of its own."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any
from uuid import UUID, uuid4

import pytest
import redis.asyncio

from app.bus import shared_presence
from app.bus.local import LocalBus
from app.bus.presence import Presence
from app.bus.shared_presence import SharedPresence, forget
from app.local import Valkey
from tests.harness.waiting import eventually

FEED, OTHER = uuid4(), uuid4()
LAPTOP, PHONE = uuid4(), uuid4()
Start = Callable[[], Any]


@asynccontextmanager
async def running(presence: Presence) -> AsyncIterator[Presence]:
    task = asyncio.create_task(presence.run())
    try:
        yield presence
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def shared(url: str, process: UUID | None = None) -> SharedPresence:
    return SharedPresence(url, process or uuid4(), 600, LocalBus().publish)


@pytest.fixture
async def pair(redis_url: str) -> AsyncIterator[tuple[Presence, Presence]]:
    async with running(shared(redis_url)) as one, running(shared(redis_url)) as two:
        yield one, two


async def sees(presence: Presence, *devices: UUID, feed: UUID = FEED, within: float = 15) -> None:
    async def seen() -> bool:
        return await presence.online(feed) == set(devices)

    await eventually(seen, within, f"the sight of {len(devices)} devices")


@pytest.mark.parametrize("kind", ["local", "redis"])
async def test_a_device_is_online_until_its_last_stream_leaves(kind: str, pair: tuple[Presence, Presence]) -> None:
    one, two = pair if kind == "redis" else (only := Presence(), only)
    one.enter(FEED, LAPTOP)
    two.enter(FEED, LAPTOP)
    two.enter(FEED, PHONE)
    for each in (one, two):
        await sees(each, LAPTOP, PHONE)
        assert await each.online(OTHER) == set()
    one.leave(FEED, LAPTOP)
    two.leave(FEED, PHONE)
    for each in (one, two):
        await sees(each, LAPTOP)
    two.leave(FEED, LAPTOP)
    for each in (one, two):
        await sees(each)


async def test_streams_elsewhere_are_counted_without_ones_own(pair: tuple[Presence, Presence]) -> None:
    one, two = pair
    for presence, device in ((one, LAPTOP), (two, LAPTOP), (two, LAPTOP), (two, PHONE)):
        presence.enter(FEED, device)

    async def counted() -> bool:
        return await one.elsewhere(FEED) == {LAPTOP: 2, PHONE: 1} and await two.elsewhere(FEED) == {LAPTOP: 1}

    await eventually(counted, 15)


async def test_one_process_has_no_elsewhere_and_waits_for_nothing() -> None:
    presence = Presence()
    presence.enter(FEED, LAPTOP)
    for call in (presence.elsewhere(FEED), presence.online(FEED)):
        with pytest.raises(StopIteration):
            call.send(None)


async def test_nothing_is_kept_of_feeds_that_everybody_left(redis_url: str) -> None:
    async with running(shared(redis_url)) as one, redis.asyncio.Redis.from_url(redis_url) as client:
        feeds = [uuid4() for _ in range(1200)]
        for feed in feeds:
            one.enter(feed, LAPTOP)

        async def kept(count: int) -> bool:
            return len(await client.keys("starling:live:*")) == count

        await eventually(lambda: kept(1200), 15)
        assert 600 < await client.ttl(f"starling:live:{feeds[0].hex}") <= 660
        for feed in feeds:
            one.leave(feed, LAPTOP)
        await eventually(lambda: kept(0), 15)


async def test_a_process_that_ends_takes_its_devices_along(redis_url: str) -> None:
    async with running(shared(redis_url)) as one:
        async with running(shared(redis_url)) as two:
            two.enter(FEED, PHONE)
            await sees(one, PHONE)
        await sees(one)


async def test_it_ends_when_it_is_told_to_whatever_happens_at_that_moment(redis_url: str) -> None:
    for _ in range(20):
        presence = shared(redis_url)
        task = asyncio.create_task(presence.run())
        await eventually(lambda presence=presence: presence._is_told_of and not presence._wake.is_set())  # type: ignore[misc]
        presence.enter(FEED, LAPTOP)
        task.cancel()
        await asyncio.wait([task], timeout=10)
        assert task.done()


async def test_a_killed_process_is_forgotten_and_buried(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert shared_presence.ALIVE_S + shared_presence.BELIEVED_S <= 30
    monkeypatch.setattr(shared_presence, "ALIVE_S", 2)
    monkeypatch.setattr(shared_presence, "RENEW_S", 0.2)
    async with running(shared(redis_url)) as one, redis.asyncio.Redis.from_url(redis_url) as client:
        killed = shared(redis_url)
        killed.enter(FEED, PHONE)
        await killed._tell({FEED})
        await killed._redis.aclose()
        assert await one.online(FEED) == {PHONE}
        await sees(one)
        await eventually(lambda: _is_empty(client), 15)


async def _is_empty(client: redis.asyncio.Redis) -> bool:
    return await client.exists(f"starling:live:{FEED.hex}") == 0


async def test_a_process_that_is_known_to_be_dead_is_forgotten_at_once(redis_url: str) -> None:
    async with running(shared(redis_url)) as one:
        process = uuid4()
        killed = shared(redis_url, process)
        killed.enter(FEED, PHONE)
        await killed._tell({FEED})
        await killed._redis.aclose()
        await sees(one, PHONE)
        await forget(redis_url, process)
        await sees(one, within=5)


async def test_what_redis_has_forgotten_is_said_again(
    pair: tuple[Presence, Presence], redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = pair
    monkeypatch.setattr(shared_presence, "RENEW_S", 0.1)
    one.enter(FEED, LAPTOP)
    two.enter(OTHER, PHONE)
    await sees(two, LAPTOP)
    await sees(one, PHONE, feed=OTHER)
    async with redis.asyncio.Redis.from_url(redis_url) as client:
        await client.flushall()
    assert await two.online(FEED) == {LAPTOP}
    monkeypatch.setattr(shared_presence, "KNOWN_S", 0)
    await sees(two, LAPTOP)
    await sees(one, PHONE, feed=OTHER)


async def test_killed_and_back_it_learns_everything_again(own_valkey: Valkey) -> None:
    url = own_valkey.url
    async with running(shared(url)) as one, running(shared(url)) as two:
        one.enter(FEED, LAPTOP)
        await sees(two, LAPTOP)
        os.kill(own_valkey.pid or 0, signal.SIGKILL)
        one.enter(OTHER, PHONE)
        one.leave(FEED, LAPTOP)
        assert await one.online(OTHER) == {PHONE}
        await own_valkey.start()
        await sees(two, PHONE, feed=OTHER, within=30)
        await sees(two, within=30)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP])
async def test_while_redis_is_away_the_last_answer_holds_for_a_while_and_nobody_waits(
    how: signal.Signals, own_valkey: Valkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = 0
    look = SharedPresence._look

    async def counting(self: SharedPresence, feeds: Any) -> None:
        nonlocal asked
        asked += 1
        await look(self, feeds)

    monkeypatch.setattr(SharedPresence, "_look", counting)
    url = own_valkey.url
    async with running(shared(url)) as one, running(shared(url)) as two:
        two.enter(FEED, PHONE)
        await sees(one, PHONE)
        one.enter(FEED, LAPTOP)
        os.kill(own_valkey.pid or 0, how)
        before = asked
        monkeypatch.setattr(shared_presence, "REST_S", 3600)
        for _ in range(200):
            assert await asyncio.wait_for(one.online(FEED), 10) == {LAPTOP, PHONE}
        assert asked == before + 1
        assert await one.online(OTHER) == set()
        monkeypatch.setattr(shared_presence, "KNOWN_S", 0)
        assert await one.online(FEED) == {LAPTOP}


async def test_many_who_ask_at_once_share_a_call(
    pair: tuple[Presence, Presence], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    look = SharedPresence._look

    async def counting(self: SharedPresence, feeds: Any) -> None:
        asked.append(len(feeds))
        await look(self, feeds)

    monkeypatch.setattr(SharedPresence, "_look", counting)
    await asyncio.gather(*(pair[0].online(uuid4()) for _ in range(100)))
    assert asked == [100]


async def test_what_nobody_understands_is_skipped(redis_url: str) -> None:
    async with AsyncExitStack() as stack:
        one, two = [await stack.enter_async_context(running(shared(redis_url))) for _ in range(2)]
        client = await stack.enter_async_context(redis.asyncio.Redis.from_url(redis_url))
        two.enter(FEED, PHONE)
        await sees(one, PHONE)
        await client.set("starling:process:other", b"")
        await client.hset(f"starling:live:{FEED.hex}", "other", b"\xc1")
        assert await one.online(FEED) == {PHONE}
