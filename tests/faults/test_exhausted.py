"""Every database connection taken: requests are told to come again soon, streams stay, and all is well afterwards."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from tests.harness.counts import times
from tests.harness.live import serving
from tests.harness.people import Assistant
from tests.harness.problems import problem
from tests.harness.waiting import eventually

POOL = 3
READERS = times(30, full=200)
ANSWER_S = 3.0


@asynccontextmanager
async def items_locked(database_url: str) -> AsyncIterator[None]:
    """Whoever reads or writes an item waits, and keeps a connection meanwhile."""
    engine = create_async_engine(database_url)
    async with engine.begin() as connection:
        await connection.execute(text("lock table items in access exclusive mode"))
        yield
    await engine.dispose()


async def refused_among(
    assistant: Assistant, within: float
) -> tuple[list[httpx2.Response], set["asyncio.Task[httpx2.Response]"]]:
    """What READERS requests were answered by the time that all but POOL of them had an answer; and those that wait."""
    asking = {asyncio.create_task(assistant.call("GET", "/v1/items")) for _ in range(READERS)}
    refused: list[httpx2.Response] = []
    async with asyncio.timeout(within):
        while len(asking) > POOL:
            done, asking = await asyncio.wait(asking, return_when=asyncio.FIRST_COMPLETED)
            refused += [each.result() for each in done]
    return refused, asking


@pytest.mark.case(20, f"{READERS} requests on a pool of {POOL} connections, all of which wait for a lock")
async def test_without_a_free_connection_requests_are_told_to_come_again_and_streams_stay(
    database_url: str, own_dir: Path, saw: Callable[[str], None]
) -> None:
    limits = httpx2.Limits(max_connections=None)
    async with (
        serving(database_url, own_dir, database_pool=POOL) as live,
        httpx2.AsyncClient(base_url=live.url, timeout=90, limits=limits) as http,
    ):
        person = await live.person()
        assistant = Assistant(http, await person.token())
        stream = await (await live.listen(await person.device())).until_ready()
        async with items_locked(database_url):
            begun = time.monotonic()
            refused, waiting = await refused_among(assistant, 3 * ANSWER_S + 5)
            saw(f"503 within {time.monotonic() - begun:.1f} s")
            for response in refused:
                assert problem(response, 503, "unavailable")["retryable"] is True
                assert 1 <= int(response.headers["retry-after"]) <= ANSWER_S
            comments = stream.decoder.comments
            assert (await live.http.get("/healthz")).status_code == 200
        assert {(await each).status_code for each in waiting} == {200}
        await assistant.save()
        await stream.until_seq(1)
        await stream.until(lambda seen: seen.decoder.comments > comments, 60)
        assert stream.names == ["hello", "ready", "item"]
        pool = live.starling.database.engine.pool
        await eventually(lambda: pool.checkedout() == 0, 15, "the return of every connection")  # type: ignore[attr-defined]


@pytest.mark.control(20, "a pool that lets requests wait")
async def test_control_a_pool_that_lets_requests_wait_is_found_out(
    database_url: str, own_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.store.database.POOL_TIMEOUT_S", 60)
    async with serving(database_url, own_dir, database_pool=POOL) as live:
        assistant = await live.assistant(await live.person())
        async with items_locked(database_url):
            with pytest.raises(TimeoutError):
                await refused_among(assistant, 2 * ANSWER_S)
