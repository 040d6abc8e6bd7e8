"""A migration that meets load: it gives up rather than keep everybody waiting, and can be repeated."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import uuid4

import pytest

from app.store import schema
from app.store.schema import LOCK_TIMEOUT_MS, LockNotGranted, migrate, require_current
from tests.harness.going_on import going_on
from tests.harness.live import Live, serving
from tests.harness.own_database import own_database
from tests.harness.people import Assistant
from tests.harness.waiting import eventually
from tests.store.scratch import Scratch

PATIENCE_S = LOCK_TIMEOUT_MS / 1000
WRITERS = 4
LONG_READ = "select 1 from items limit 1"
"""A report, or a dump."""


@pytest.fixture
async def busy(cluster_url: str, own_dir: Path) -> AsyncIterator[Live]:
    """A server on a database of its own."""
    async with own_database(cluster_url, "migrating") as url, serving(url, own_dir) as live:
        yield live


@pytest.fixture
def scratch(tmp_path: Path) -> Scratch:
    """One more migration, of the table of items."""
    made = Scratch.make(tmp_path / "migrations")
    made.add("pre", "alter table items add column note text")
    return made


@asynccontextmanager
async def writing(assistants: list[Assistant]) -> AsyncIterator[list[int]]:
    """They save without pause; the status of each answer."""
    told: list[int] = []

    async def write(assistant: Assistant) -> None:
        while True:
            told.append((await assistant.call("POST", "/actions/items", {"title": str(uuid4())})).status_code)

    tasks = [asyncio.create_task(write(assistant)) for assistant in assistants]
    try:
        yield told
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def url_of(live: Live) -> str:
    return str(live.starling.settings.database_url)


@pytest.mark.case(12, f"a migration behind a long read, {WRITERS} writers")
async def test_a_migration_gives_up_at_its_lock_timeout_and_writers_go_on(busy: Live, scratch: Scratch) -> None:
    url, person = url_of(busy), await busy.person()
    device = await (await busy.listen(await person.device())).until_ready()
    assistants = [await busy.assistant(person) for _ in range(WRITERS)]
    async with writing(assistants) as told:
        await eventually(lambda: len(told) > 20, 30, "writes before")
        async with going_on(url, LONG_READ):
            async with asyncio.timeout(3 * PATIENCE_S + 5):
                with pytest.raises(LockNotGranted):
                    await migrate(url, directory=scratch.directory)
            before = len(told)
            await eventually(lambda: len(told) > before + 20, 30, "writes after")
    assert set(told) == {201}
    await require_current(url)
    head = await busy.starling.reader.head(person.feed_id)
    assert head is not None
    await device.until_seq(head.head)
    assert device.seqs == list(range(1, head.head + 1))


@pytest.mark.control(12, "a migration that waits for its locks")
async def test_control_a_migration_without_a_lock_timeout_is_found_out(
    busy: Live, scratch: Scratch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schema, "LOCK_TIMEOUT_MS", 0)
    url = url_of(busy)
    async with going_on(url, LONG_READ):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(2 * PATIENCE_S):
                await migrate(url, directory=scratch.directory)
    await require_current(url)
