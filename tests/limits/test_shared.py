"""One budget for several processes, of which each is played by a limiter with a connection of its own."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from uuid import uuid4

import pytest
import redis.asyncio

from app.limits.budgets import Budget
from app.limits.limiter import Limiter
from app.limits.shared import SHARE, TOGETHER, SharedLimiter
from app.local import Valkey
from tests.harness.spending import balance, taken
from tests.harness.waiting import eventually

BUDGET = Budget("test", 20, 36_000)
"""So slow that no time passes."""
TOLD = BUDGET.quota // SHARE
Make = Callable[[str, int], list[SharedLimiter]]


@pytest.fixture
async def processes() -> AsyncIterator[Make]:
    """Limiters that share the Redis at a URL."""
    made: list[SharedLimiter] = []

    def make(url: str, count: int) -> list[SharedLimiter]:
        made.extend(SharedLimiter(url) for _ in range(count))
        return made[-count:]

    yield make
    for each in made:
        await each._redis.aclose()


@asynccontextmanager
async def running(*limiters: Limiter) -> AsyncIterator[None]:
    tasks = [asyncio.create_task(each.run()) for each in limiters]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        assert all(
            isinstance(end, asyncio.CancelledError) for end in await asyncio.gather(*tasks, return_exceptions=True)
        )


def admitted(limits: Limiter, tries: int, who: object = "ada", budget: Budget = BUDGET) -> int:
    return taken(limits, budget, str(who), tries)


async def test_what_is_spent_in_one_is_spent_in_all(redis_url: str, processes: Make) -> None:
    one, two, three = processes(redis_url, 3)
    assert admitted(one, 15) == 15
    assert await one.settle()
    assert admitted(two, TOLD) == TOLD
    assert await two.settle()
    assert admitted(two, 100) == BUDGET.quota - 15 - TOLD
    assert await two.settle()
    assert admitted(three, TOLD) == TOLD
    assert await three.settle()
    assert admitted(three, 100) == 0
    assert admitted(three, 100, "bob") == BUDGET.quota
    refused = balance(three, BUDGET, "ada")
    assert refused.left == 0
    assert refused.wait_s == pytest.approx(BUDGET.interval_s * (TOLD + 1), abs=60)


@pytest.mark.parametrize("count", [2, 5])
async def test_in_turns_they_admit_the_budget_and_what_they_had_not_told(
    redis_url: str, processes: Make, count: int
) -> None:
    limiters = processes(redis_url, count)
    total = 0
    for _ in range(3 * BUDGET.quota):
        for each in limiters:
            total += admitted(each, 1)
            if each._untold:
                assert await each.settle()
    assert BUDGET.quota <= total <= BUDGET.quota + count * TOLD


async def test_control_without_redis_each_admits_the_whole_budget() -> None:
    assert sum(admitted(each, 100) for each in (Limiter(), Limiter())) == 2 * BUDGET.quota


async def test_all_at_once_is_owed_and_paid_back(redis_url: str, processes: Make) -> None:
    """Both admit all of it before they hear of each other; then it takes twice as long until there is more."""
    one, two = processes(redis_url, 2)
    assert admitted(one, 100) + admitted(two, 100) == 2 * BUDGET.quota
    assert await one.settle()
    assert await two.settle()
    assert balance(two, BUDGET, "ada").wait_s == pytest.approx(BUDGET.window_s + BUDGET.interval_s, abs=60)


async def test_what_is_spent_meanwhile_is_not_forgotten(redis_url: str, processes: Make) -> None:
    one, two = processes(redis_url, 2)
    admitted(two, 4)
    assert await two.settle()
    admitted(one, 10)
    (tab,) = one._untold.values()
    settling = asyncio.create_task(one.settle())
    while tab.untold:  # noqa: ASYNC110 - until the call is on its way
        await asyncio.sleep(0)
    assert admitted(one, 3) == 3
    assert await settling
    assert admitted(one, 100) == BUDGET.quota - 17
    assert await one.settle()
    admitted(two, TOLD)
    assert await two.settle()
    assert admitted(two, 100) == 0


async def test_time_gives_back_by_the_clock_of_redis(redis_url: str, processes: Make) -> None:
    quick = Budget("quick", 1000, 1)
    one, two = processes(redis_url, 2)
    assert admitted(one, 900, budget=quick) >= 900
    assert await one.settle()
    async with redis.asyncio.Redis.from_url(redis_url) as client:
        await eventually(lambda: _is_empty(client), 15, "the end of the debt")
    assert admitted(two, 500, budget=quick) >= 500
    assert await two.settle()
    assert admitted(two, 400, budget=quick) >= 400


async def _is_empty(client: redis.asyncio.Redis) -> bool:
    return int(await client.dbsize()) == 0


async def test_little_is_not_told_and_names_are_short(redis_url: str, processes: Make) -> None:
    (one,) = processes(redis_url, 1)
    async with running(one), redis.asyncio.Redis.from_url(redis_url) as client:
        for number in range(100):
            admitted(one, TOLD - 1, number)
        admitted(one, TOLD, "https://client.example/" + "x" * 2000)
        await eventually(lambda: _has_keys(client, 1), 15, "the key")
        (key,) = await client.keys()
        assert len(key) < 80
        assert b"client" not in key
        assert 0 < await client.pttl(key) <= BUDGET.window_s * 1000


async def _has_keys(client: redis.asyncio.Redis, count: int) -> bool:
    return int(await client.dbsize()) == count


async def test_very_many_are_told_in_turns(redis_url: str, processes: Make) -> None:
    (one,) = processes(redis_url, 1)
    async with running(one), redis.asyncio.Redis.from_url(redis_url) as client:
        for number in range(2000):
            admitted(one, TOLD, number)
        await eventually(lambda: _has_keys(client, 2000), 30, "all keys")


async def test_emptied_it_is_told_anew(redis_url: str, processes: Make) -> None:
    one, two = processes(redis_url, 2)
    async with running(one, two), redis.asyncio.Redis.from_url(redis_url) as client:
        admitted(one, 10)
        await eventually(lambda: _has_keys(client, 1), 15, "the key")
        await client.flushall()
        await client.script_flush()
        admitted(one, TOLD)
        await eventually(lambda: _has_keys(client, 1), 15, "the key")
        assert admitted(one, 100) == BUDGET.quota - 10 - TOLD


async def test_nobody_is_locked_out_when_the_clock_of_redis_is_set_back(redis_url: str, processes: Make) -> None:
    (one,) = processes(redis_url, 1)
    async with redis.asyncio.Redis.from_url(redis_url) as client:
        admitted(one, TOLD)
        assert await one.settle()
        (key,) = await client.keys()
        await client.set(key, int(await client.get(key) or 0) + 10**12)
        admitted(one, TOLD)
        assert await one.settle()
        assert balance(one, BUDGET, "ada").wait_s <= BUDGET.window_s + BUDGET.interval_s


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP])
async def test_while_redis_is_away_each_counts_its_own_and_then_they_share_again(
    own_valkey: Valkey, processes: Make, how: signal.Signals
) -> None:
    one, two = processes(own_valkey.url, 2)
    os.kill(own_valkey.pid or 0, how)
    for number in range(50):
        assert admitted(one, 100, number) == admitted(two, 100, number) == BUDGET.quota
    for each in (one, two):
        assert not await each.settle()
        assert not each._untold
    if how == signal.SIGKILL:
        await own_valkey.start()
    else:
        os.kill(own_valkey.pid or 0, signal.SIGCONT)

    async def is_told() -> bool:
        admitted(one, 1, uuid4())
        return await one.settle()

    await eventually(is_told, 30, "an answer")
    assert admitted(one, 100, "bob") == BUDGET.quota
    assert await one.settle()
    admitted(two, TOLD, "bob")
    assert await two.settle()
    assert admitted(two, 100, "bob") == 0


async def test_what_was_spent_in_an_outage_is_not_told_later(own_valkey: Valkey, processes: Make) -> None:
    (one,) = processes(own_valkey.url, 1)
    os.kill(own_valkey.pid or 0, signal.SIGKILL)
    for number in range(2 * TOGETHER):
        admitted(one, 100, number)
    assert not await one.settle()
    await own_valkey.start()
    async with redis.asyncio.Redis.from_url(own_valkey.url) as client:
        assert await one.settle()
        assert await client.dbsize() == 0
