"""Workers renewed one after another under load, over a migration: nothing is lost, and the end is quick."""

import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from app.store.schema import migrate
from tests.harness.build import BuildProcess
from tests.harness.counts import times
from tests.harness.crew import crew
from tests.harness.own_database import own_database
from tests.harness.trial import Trial, trying
from tests.store.scratch import Scratch

WORKERS = times(2, full=4)
WRITERS = times(3, full=16)
DEVICES = times(3, full=12)
RENEWALS = times(2, full=3)


@pytest.fixture
async def server(cluster_url: str, data_dir: Path) -> AsyncIterator[BuildProcess]:
    """On a database that has not the last migration."""
    async with own_database(cluster_url, "renewing") as url, crew(data_dir, url, WORKERS) as made:
        yield made


def interrupted(trial: Trial) -> int:
    """Requests that were repeated because their worker did not answer."""
    return len({entry.request_id for entry in trial.journal.of("fail", "unknown")})


@pytest.mark.case(
    18,
    f"{RENEWALS} renewals of {WORKERS} workers under {WRITERS} writers and {DEVICES} devices, a `pre_` migration "
    "between two of them; SIGTERM with all streams open",
)
async def test_renewals_under_load_and_a_migration_between_them_lose_nothing(
    server: BuildProcess, tmp_path: Path, saw: Callable[[str], None]
) -> None:
    scratch = Scratch.make(tmp_path / "migrations")
    revision = scratch.add("pre", "alter table items add column note text")
    async with trying(server, writers=WRITERS, devices=DEVICES) as trial:
        for number in range(RENEWALS):
            await trial.progress(20)
            if number == 1:
                assert await migrate(server.database_url, "pre", directory=scratch.directory) == [revision]
            before = server.worker_pids
            await server.renew()
            assert set(before).isdisjoint(server.worker_pids)
        await trial.progress(20)
        assert await trial.verdict() == []
        assert all(len(trial.journal.of("opened", who=device)) > 1 for device in trial.journal.devices)
        told = time.monotonic()
        assert await server.stop(within=90) == 0
        took = time.monotonic() - told
        saw(f"{trial.journal.acknowledged} writes, {interrupted(trial)} of them repeated; ended after {took:.1f} s")


@pytest.mark.control(18, "a server that answers before it commits")
async def test_control_a_server_that_answers_before_it_commits_is_found_out(server: BuildProcess) -> None:
    server.module, server.workers = "tests.harness.hasty", 2
    async with trying(server, writers=4, devices=1) as trial:
        await trial.progress(20)
        await server.renew()
        await trial.progress(20)
        assert "lost" in {anomaly.name for anomaly in await trial.verdict()}
