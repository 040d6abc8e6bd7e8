"""Floods of requests against the budgets as they are: who floods is refused, nobody else notices, Redis may go away."""

import asyncio
import os
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest

from app.api.actions import ActionsController
from app.api.limited import spends
from app.limits.budgets import ACTIONS, PAGES, Budget
from app.local import Valkey
from tests.harness.counts import times
from tests.harness.live import Live, serving
from tests.harness.people import Assistant
from tests.harness.waiting import eventually

SAVES = times(250, full=1000)
SPOOFS = times(200, full=1000)


async def at_once(number: int, ask: Callable[[int], Awaitable[httpx2.Response]]) -> Counter[int]:
    """The statuses of so many requests, 20 at a time."""
    gate = asyncio.Semaphore(20)

    async def one(number: int) -> int:
        async with gate:
            return (await ask(number)).status_code

    return Counter(await asyncio.gather(*map(one, range(number))))


def most(budget: Budget, since: float) -> float:
    """What may have been spent of it since then."""
    return budget.quota + 1 + (time.monotonic() - since) / budget.interval_s


@pytest.fixture
async def limited(database_url: str, own_dir: Path) -> AsyncIterator[Live]:
    async with serving(database_url, own_dir, rate_limits="on") as live:
        yield live


@pytest.mark.case(26, f"{SAVES} saves by one assistant at once")
async def test_a_flood_of_saves_gets_its_budget_and_others_do_not_notice(
    limited: Live, saw: Callable[[str], None]
) -> None:
    greedy, other = await limited.person(), await limited.person()
    flooding, quiet = await limited.assistant(greedy), await limited.assistant(other)
    sibling = await limited.assistant(greedy, client="another")
    begun = time.monotonic()
    codes, *_ = await asyncio.gather(
        at_once(SAVES, lambda number: flooding.call("POST", "/actions/items", {"title": f"{number}"})),
        *(quiet.save() for _ in range(5)),
        *(sibling.save() for _ in range(5)),
    )
    assert codes.keys() == {201, 429}
    assert ACTIONS.quota <= codes[201] <= most(ACTIONS, begun)
    items = (await quiet.call("GET", "/v1/items")).json()
    assert items["total"] == 5
    saw(f"{codes[429]} of {SAVES} saves answered with 429")


async def spoof(live: Live) -> Counter[int]:
    def ask(number: int) -> Awaitable[httpx2.Response]:
        address = f"203.0.113.{number % 250}"
        named = {"x-forwarded-for": address, "x-real-ip": address, "forwarded": f"for={address}"}
        return live.http.get("/sign-in", headers=named)

    return await at_once(SPOOFS, ask)


@pytest.mark.case(26, f"{SPOOFS} requests for a page, each with another spoofed address")
async def test_a_spoofed_address_buys_no_request(limited: Live, saw: Callable[[str], None]) -> None:
    begun = time.monotonic()
    codes = await spoof(limited)
    assert codes.keys() == {200, 429}
    assert PAGES.quota <= codes[200] <= most(PAGES, begun)
    saw(f"{SPOOFS} spoofed addresses bought 0 requests")


@pytest.mark.control(26, "a server that trusts its neighbours as proxies")
async def test_control_a_server_that_trusts_its_neighbours_sells_them(database_url: str, own_dir: Path) -> None:
    async with serving(database_url, own_dir, rate_limits="on", trusted_proxies=("127.0.0.1",)) as live:
        assert await spoof(live) == {200: SPOOFS}


QUICK = Budget(ACTIONS.name, 40, 2)
"""One that comes back soon."""


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ActionsController, "opt", spends(QUICK))


@asynccontextmanager
async def pair(database_url: str, data_dir: Path, redis_url: str | None) -> AsyncIterator[tuple[Live, Live]]:
    """Two servers on one database; they share a Redis if there is one."""
    given: dict[str, Any] = {"rate_limits": "on", "redis_url": redis_url}
    async with serving(database_url, data_dir, **given) as one, serving(database_url, data_dir, **given) as two:
        yield one, two


@asynccontextmanager
async def flooded(assistant: Assistant) -> AsyncIterator[Counter[int]]:
    """Requests without a pause while the body runs; their statuses."""
    codes: Counter[int] = Counter()

    async def flood() -> None:
        while True:
            codes[(await assistant.call("GET", "/actions/items")).status_code] += 1

    tasks = [asyncio.create_task(flood()) for _ in range(4)]
    try:
        yield codes
    finally:
        for task in tasks:
            task.cancel()
        ends = await asyncio.gather(*tasks, return_exceptions=True)
        assert all(isinstance(end, asyncio.CancelledError) for end in ends), ends


async def left(assistant: Assistant) -> int:
    """What the server says is left; nothing while it is at least half."""
    answer = await assistant.call("GET", "/actions/items")
    told = answer.headers.get("ratelimit")
    return QUICK.quota if told is None else int(told.partition("r=")[2].partition(";")[0])


async def knows(assistant: Assistant) -> bool:
    """Asks more slowly than the budget comes back, so that there is little left only if others spend it."""
    await asyncio.sleep(2 * QUICK.interval_s)
    return await left(assistant) < QUICK.quota // 2


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP])
@pytest.mark.case(26, "Redis is killed and stopped under a flood: two servers share a budget, count alone, share again")
async def test_servers_share_a_budget_except_while_redis_is_away(
    database_url: str, own_dir: Path, own_valkey: Valkey, quick: None, how: signal.Signals
) -> None:
    async with pair(database_url, own_dir, own_valkey.url) as (one, two):
        person = await one.person()
        token = await person.token()
        here, there = Assistant(one.http, token), Assistant(two.http, token)
        async with flooded(here) as codes:
            for _ in range(QUICK.quota // 10):
                await left(there)
            await eventually(lambda: knows(there), 60, "what was spent elsewhere")
            os.kill(own_valkey.pid or 0, how)
            before = codes.copy()
            await eventually(lambda: answered(there), 60, "an own budget")
            assert (codes - before).keys() == {200, 429}
            if how == signal.SIGKILL:
                await own_valkey.start()
            else:
                os.kill(own_valkey.pid or 0, signal.SIGCONT)
            await eventually(lambda: knows(there), 60, "what is spent elsewhere again")
        assert codes.keys() == {200, 429}


async def answered(assistant: Assistant) -> bool:
    """Whether nearly the whole budget is there again."""
    await asyncio.sleep(2 * QUICK.interval_s)
    return await left(assistant) > QUICK.quota * 0.9


@pytest.mark.control(26, "two servers without a Redis")
async def test_control_servers_without_redis_know_nothing_of_each_other(
    database_url: str, own_dir: Path, quick: None
) -> None:
    async with pair(database_url, own_dir, None) as (one, two):
        token = await (await one.person()).token()
        here, there = Assistant(one.http, token), Assistant(two.http, token)
        async with flooded(here) as codes:
            await eventually(lambda: bool(codes[429]), 60, "the end of the budget")
        assert await left(there) == QUICK.quota
