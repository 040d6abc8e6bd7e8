"""Reads that callers of one moment share."""

import asyncio
from collections.abc import Collection
from uuid import UUID, uuid4

import pytest

from app.errors import Unavailable
from app.shared import SharedRead

ONE, TWO = uuid4(), uuid4()


class Reads:
    """Counts the queries; each waits until it is let go."""

    def __init__(self) -> None:
        self.asked: list[set[UUID]] = []
        self.go = asyncio.Semaphore(0)
        self.value = 0
        self.fails = False

    async def __call__(self, feeds: Collection[UUID]) -> dict[UUID, int]:
        self.asked.append(set(feeds))
        value = self.value
        await self.go.acquire()
        if self.fails:
            raise Unavailable
        return {feed: value for feed in feeds if feed == ONE}


@pytest.fixture
def reads() -> Reads:
    return Reads()


@pytest.fixture
def shared(reads: Reads) -> SharedRead[UUID, int]:
    return SharedRead(reads)


async def begin(shared: SharedRead[UUID, int], feed: UUID) -> asyncio.Task[int | None]:
    """Asks, and lets the query start if one may."""
    task = asyncio.create_task(shared.get(feed))
    for _ in range(3):
        await asyncio.sleep(0)
    return task


async def test_many_at_once_are_one_query(shared: SharedRead[UUID, int], reads: Reads) -> None:
    asking = asyncio.gather(*(shared.get(feed) for feed in [ONE, TWO] * 500))
    reads.go.release()
    assert await asking == [0, None] * 500
    assert reads.asked == [{ONE, TWO}]


async def test_who_asks_while_a_query_runs_gets_a_later_one(shared: SharedRead[UUID, int], reads: Reads) -> None:
    first = await begin(shared, ONE)
    reads.value = 1
    late = [await begin(shared, ONE) for _ in range(5)]
    assert reads.asked == [{ONE}]
    reads.go.release()
    reads.go.release()
    assert (await first, await asyncio.gather(*late)) == (0, [1] * 5)
    assert len(reads.asked) == 2


async def test_one_that_gives_up_takes_the_answer_from_nobody(shared: SharedRead[UUID, int], reads: Reads) -> None:
    gone, stays = await begin(shared, ONE), await begin(shared, ONE)
    gone.cancel()
    await asyncio.gather(gone, return_exceptions=True)
    reads.go.release()
    reads.go.release()
    assert await stays == 0


async def test_a_failure_reaches_all_who_asked_and_no_one_after(shared: SharedRead[UUID, int], reads: Reads) -> None:
    reads.fails = True
    asking = asyncio.gather(*(shared.get(ONE) for _ in range(3)), return_exceptions=True)
    reads.go.release()
    assert [type(answer) for answer in await asking] == [Unavailable] * 3
    reads.fails = False
    reads.go.release()
    assert await shared.get(ONE) == 0
