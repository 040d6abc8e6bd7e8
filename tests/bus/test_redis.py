"""The bus on Redis Streams while Redis is killed, stopped, emptied, or says what nobody understands."""

import asyncio
import os
import signal
from uuid import uuid4

import pytest
import redis.asyncio
from structlog.testing import capture_logs

from app.bus import outbox
from app.bus.outbox import Outbox
from app.bus.redis import STREAMS, shard_of
from app.local import Valkey
from app.model import Acked, Changed, Message
from tests.harness.buses import Ear, listening, process
from tests.harness.waiting import eventually

FEED, DEVICE = uuid4(), uuid4()


def acks(*seqs: int) -> list[Message]:
    return [Acked(FEED, DEVICE, seq) for seq in seqs]


def change(seq: int, size: int) -> Changed:
    return Changed(FEED, "abcd0123", 1, seq, uuid4(), None, b"x" * size)


async def heard_until(ear: Ear, last: Message, within: float = 30) -> list[Message]:
    await eventually(lambda: last in ear.heard, within, "the last message")
    return ear.heard


async def test_a_long_item_travels_as_a_hint(redis_url: str) -> None:
    async with listening(process(redis_url)) as one, listening(process(redis_url)) as two:
        short, long = change(1, 16 * 1024), change(2, 16 * 1024 + 1)
        one.bus.publish([short, long])
        assert await one.until(2) == [short, long]
        heard = await two.until(2)
        assert heard[0] == short
        assert isinstance(heard[1], Changed)
        assert (heard[1].seq, heard[1].wire) == (2, None)


async def test_what_nobody_understands_is_skipped(redis_url: str) -> None:
    async with (
        listening(process(redis_url)) as one,
        listening(process(redis_url)) as two,
        redis.asyncio.Redis.from_url(redis_url) as client,
    ):
        stream = STREAMS[shard_of(FEED)]
        with capture_logs() as logs:
            for entry in ({"s": b"other", "m": b"\xc1"}, {"x": b"y"}, {"s": b"o", "m": b"\x91\x81\xa4type\xa3new"}):
                await client.xadd(stream, entry)  # type: ignore[arg-type]
            one.bus.publish(acks(1))
            assert await two.until(1) == acks(1)
        assert sum(line["event"] == "bus.entry_skipped" for line in logs) >= 3


async def test_streams_stay_short(redis_url: str) -> None:
    async with listening(process(redis_url)) as one, redis.asyncio.Redis.from_url(redis_url) as client:
        for seq in range(2000):
            one.bus.publish(acks(seq))
            await asyncio.sleep(0)
            if seq % 100 == 0:
                await eventually(lambda: not one.bus._outbox._waiting)  # type: ignore[attr-defined]
        await eventually(lambda: not one.bus._outbox._waiting)  # type: ignore[attr-defined]
        for stream in STREAMS:
            assert await client.xlen(stream) <= 1200


async def test_killed_it_loses_what_it_held_and_the_listeners_are_told(own_valkey: Valkey) -> None:
    url = own_valkey.url
    async with listening(process(url)) as one, listening(process(url)) as two:
        one.bus.publish(acks(1))
        await two.until(1)
        gaps = two.gaps
        os.kill(own_valkey.pid or 0, signal.SIGKILL)
        await eventually(lambda: not two.bus.is_connected, 15, "the end of the connection")
        one.bus.publish(acks(2, 3))
        assert await one.until(3) == acks(1, 2, 3)
        await own_valkey.start()
        await eventually(lambda: two.gaps > gaps, 30, "the gap")
        one.bus.publish(acks(4))
        assert set(await heard_until(two, acks(4)[0])) >= set(acks(1, 4))
        assert two.heard == sorted(two.heard, key=lambda message: getattr(message, "seq", 0))


async def test_stopped_it_keeps_nobody_waiting(own_valkey: Valkey) -> None:
    url = own_valkey.url
    async with listening(process(url)) as one, listening(process(url)) as two:
        os.kill(own_valkey.pid or 0, signal.SIGSTOP)
        one.bus.publish(acks(1))
        assert await one.until(1) == acks(1)
        await eventually(lambda: not (one.bus.is_connected or two.bus.is_connected), 30, "what says that it is away")
        gaps = two.gaps
        one.bus.publish(acks(2))
        os.kill(own_valkey.pid or 0, signal.SIGCONT)
        await eventually(lambda: two.gaps > gaps, 30, "the gap")
        assert set(await heard_until(two, acks(2)[0])) == set(acks(1, 2))


async def test_emptied_it_is_heard_again_even_when_its_clock_went_back(redis_url: str) -> None:
    async with (
        listening(process(redis_url)) as one,
        listening(process(redis_url)) as two,
        redis.asyncio.Redis.from_url(redis_url) as client,
    ):
        one.bus.publish(acks(1))
        await two.until(1)
        places = two.bus._places  # type: ignore[attr-defined]
        ahead = b"99999999999999-0"
        await client.xadd(STREAMS[shard_of(FEED)], {"x": b"y"}, id=ahead)
        await eventually(lambda: places[STREAMS[shard_of(FEED)]] == ahead, what="the entry of the future")
        gaps = two.gaps
        await client.flushall()
        one.bus.publish(acks(2))
        assert await two.until(2, within=30) == acks(1, 2)
        assert two.gaps > gaps


async def test_who_comes_before_redis_hears_once_it_is_there(own_valkey: Valkey) -> None:
    url = own_valkey.url
    await own_valkey.stop()
    one, two = Ear(process(url)), Ear(process(url))
    tasks = [asyncio.create_task(work) for ear in (one, two) for work in (ear.bus.run(ear.gap), ear.listen())]
    await asyncio.sleep(0)
    one.bus.publish(acks(1))
    assert not one.bus.is_connected
    await own_valkey.start()
    await eventually(lambda: one.bus.is_connected and two.bus.is_connected, 30, "the connection")
    one.bus.publish(acks(2))
    await heard_until(two, acks(2)[0])
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


@pytest.mark.parametrize(("size", "kept"), [(0, 100), (1000, 50)])
async def test_what_cannot_leave_is_bounded_and_the_oldest_goes(
    size: int, kept: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "MAX_WAITING", 100)
    monkeypatch.setattr(outbox, "MAX_WAITING_BYTES", 50_000)
    waiting = Outbox()
    for seq in range(1000):
        waiting.put([change(seq, size)])
    taken: list[Message] = []
    while len(taken) < kept:
        taken += await asyncio.wait_for(waiting.take(), 5)
    assert [message.seq for message in taken if isinstance(message, Changed)] == list(range(1000 - kept, 1000))
    assert (len(waiting._waiting), waiting._bytes) == (0, 0)
