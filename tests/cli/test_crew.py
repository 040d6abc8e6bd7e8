"""The workers' places when the system has no process to give: what there is goes on, and it is tried again."""

import asyncio
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from app.cli.crew import Place
from app.cli.server import address_of, listen
from app.cli.worker import Orders
from tests.harness.waiting import eventually

WITHIN_S = 90.0


@pytest.fixture
async def place(
    database_url: str, redis_url: str, own_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Place]:
    """An empty one."""
    monkeypatch.setenv("STARLING_UNSAFE_DURABILITY", "true")
    monkeypatch.setenv("STARLING_DATA_DIR", str(own_dir))
    with listen("127.0.0.1", 0) as listener:
        made = Place(Orders(listener, database_url, redis_url, address_of(listener), None, None))
        yield made
        await made.clear()


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


async def test_a_place_that_no_worker_could_be_started_for_is_filled_later(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    with capture_logs() as logged, monkeypatch.context() as broken:
        broken.setattr(sys, "executable", "/nowhere/python")
        before = open_files()
        assert not await place.fill()
        assert open_files() == before
        keeping = asyncio.create_task(place.keep())
        await eventually(lambda: len(logged) > 1, WITHIN_S, "another try")
    assert {entry["event"] for entry in logged} == {"worker.not_started"}
    await eventually(lambda: place._worker is not None or keeping.done(), WITHIN_S, "a worker")
    assert place._worker is not None
    assert await place._worker.serves()
    keeping.cancel()
    await asyncio.gather(keeping, return_exceptions=True)


async def test_a_worker_stays_when_no_successor_could_be_started(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    assert await place.fill()
    worker = place._worker
    assert worker is not None
    with monkeypatch.context() as broken:
        broken.setattr(sys, "executable", "/nowhere/python")
        assert not await place.renew()
    assert place._worker is worker
    assert not worker._is_gone.done()
