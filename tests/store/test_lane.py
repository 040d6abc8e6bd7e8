"""Where changes wait for their commit."""

import asyncio
from uuid import UUID, uuid4

import pytest

from app.store.lane import Group, Lane, Waiter
from tests.store.making import FEED, put


def waiter(feed_id: UUID = FEED, *, fresh: bool = False) -> Waiter:
    return put(feed_id, fresh=fresh), asyncio.get_running_loop().create_future()


async def taken(lane: Lane, batches: int) -> list[list[Waiter]]:
    each = aiter(lane.batches())
    return [await anext(each) for _ in range(batches)]


async def test_new_items_and_other_changes_take_turns() -> None:
    lane = Lane()
    births, others = [waiter(fresh=True) for _ in range(3)], [waiter() for _ in range(3)]
    for birth, other in zip(births, others, strict=True):
        lane.add(Group.of([other]))
        lane.add(Group.of([birth]))
    assert await taken(lane, 2) == [births, others]
    assert (lane.changes, lane.weight) == (0, 0)


async def test_what_comes_first_goes_before_what_waits() -> None:
    lane = Lane()
    one, two = waiter(), waiter()
    lane.add(Group.of([one]))
    lane.add(Group.of([two]), first=True)
    assert await taken(lane, 1) == [[two, one]]


@pytest.mark.parametrize("fresh", [False, True])
async def test_what_is_for_some_feeds_is_taken_out_and_the_rest_stays_in_order(fresh: bool) -> None:
    lane = Lane()
    feed, other = uuid4(), uuid4()
    waiters = [waiter(each, fresh=fresh) for each in (other, feed, other, feed, feed, other)]
    lane.add(Group.of(waiters[:4]))
    lane.add(Group.of(waiters[4:]))
    assert lane.part([feed]) == [waiters[1], waiters[3], waiters[4]]
    assert (lane.changes, lane.weight) == (3, 3 * waiters[0][0].weight)
    assert await taken(lane, 1) == [[waiters[0], waiters[2], waiters[5]]]
