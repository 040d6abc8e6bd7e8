"""What every bus promises, within one process and between several."""

from collections.abc import AsyncIterator
from uuid import UUID, uuid4

import pytest

from app.model import Acked, Changed, Message, Revoked
from tests.harness.buses import Ear, listening, process

FEED, DEVICE = uuid4(), uuid4()


def acks(*seqs: int, feed: UUID = FEED) -> list[Message]:
    return [Acked(feed, DEVICE, seq) for seq in seqs]


@pytest.fixture(params=["local", "redis"])
async def ears(request: pytest.FixtureRequest, redis_url: str) -> AsyncIterator[list[Ear]]:
    """Those who listen: to the one bus there is, or in three processes."""
    if request.param == "local":
        async with listening(process(None)) as only:
            yield [only]
        return
    first, second, third = (process(redis_url) for _ in range(3))
    async with listening(first) as one, listening(second) as two, listening(third) as three:
        yield [one, two, three]


async def test_everybody_hears_every_message_in_order(ears: list[Ear]) -> None:
    published = acks(*range(1, 3001))
    for begin in range(0, 3000, 100):
        ears[0].bus.publish(published[begin : begin + 100])
    for ear in ears:
        assert await ear.until(3000) == published


async def test_each_speaks_and_nobody_hears_a_message_twice(ears: list[Ear]) -> None:
    for number, ear in enumerate(ears, 1):
        ear.bus.publish(acks(number))
    for ear in ears:
        heard = await ear.until(len(ears))
        assert sorted(heard, key=str) == acks(*range(1, len(ears) + 1))
    ears[-1].bus.publish(acks(99))
    for ear in ears:
        assert (await ear.until(len(ears) + 1))[len(ears) :] == acks(99)


async def test_every_kind_of_message_arrives_whole(ears: list[Ear]) -> None:
    published: list[Message] = [
        Changed(FEED, "abcd0123", 4, 2**40, uuid4(), None, '{"title":"Hätte \u2028 gern"}'.encode()),
        Changed(FEED, "abcd0123", 4, 5, uuid4(), frozenset({DEVICE, uuid4()}), None),
        Changed(FEED, "abcd0123", 4, 6, uuid4(), frozenset(), b"x" * 16_000),
        Revoked(FEED, 5),
        Acked(FEED, DEVICE, 2**40),
    ]
    ears[0].bus.publish(published)
    for ear in ears:
        assert await ear.until(len(published)) == published


async def test_messages_of_many_feeds_arrive_and_each_feeds_in_order(ears: list[Ear]) -> None:
    feeds = [uuid4() for _ in range(50)]
    for seq in range(1, 21):
        ears[0].bus.publish([message for feed in feeds for message in acks(seq, feed=feed)])
    for ear in ears:
        heard = await ear.until(1000)
        for feed in feeds:
            assert [message for message in heard if message.feed_id == feed] == acks(*range(1, 21), feed=feed)


async def test_what_was_said_before_is_not_heard(ears: list[Ear], redis_url: str) -> None:
    ears[0].bus.publish(acks(1))
    for ear in ears:
        await ear.until(1)
    late = ears[0].bus if len(ears) == 1 else process(redis_url)
    async with listening(late) as ear:
        ears[0].bus.publish(acks(2))
        assert await ear.until(1) == acks(2)
