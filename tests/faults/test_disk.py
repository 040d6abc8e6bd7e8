"""The disk is full: writes are refused cleanly, what was acknowledged stays, and all heals when there is room again."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from tests.harness.counts import times
from tests.harness.killing import family, kill_family
from tests.harness.smalldisk import SmallDisk, why_not
from tests.harness.trial import Trial, trying
from tests.harness.waiting import eventually

WRITERS = 8
ROUNDS = times(0, full=3)
REFUSALS = 40
WHY_NOT = why_not()

pytestmark = pytest.mark.skipif(WHY_NOT is not None, reason=str(WHY_NOT))


@pytest.fixture
async def server(data_dir: Path) -> AsyncIterator[SmallDisk]:
    """A server on a small disk; ended whatever happens."""
    process = SmallDisk(data_dir)
    yield process
    if process.process is not None:
        process.kill()


async def fill_up(server: SmallDisk, trial: Trial) -> None:
    """Until writers were refused again and again. What the database gives back meanwhile is taken, too."""
    wanted = len(trial.journal.of("fail", "unknown", "refused")) + REFUSALS

    def is_full() -> bool:
        server.fill()
        return len(trial.journal.of("fail", "unknown", "refused")) >= wanted

    await eventually(is_full, 90, "refusals")


@pytest.mark.case(12, f"the disk fills up under {WRITERS} writers {ROUNDS} times; then also with a kill -9 of Postgres")
async def test_on_a_full_disk_writes_are_refused_and_nothing_acknowledged_is_lost(
    server: SmallDisk, saw: Callable[[str], None]
) -> None:
    async with trying(server, writers=WRITERS, devices=2) as trial:
        for crashes in [False] * ROUNDS + [True]:
            await trial.progress(40)
            await fill_up(server, trial)
            if crashes:
                assert server.process is not None
                kill_family(family(server.process.pid)[1])
            server.free()
            await trial.progress(40)
        assert await trial.verdict() == []
        refusals = trial.journal.of("fail", "unknown")
        saw(f"{trial.journal.acknowledged} acknowledged, {len(refusals)} answered 503, 0 lost")


@pytest.mark.control(12, "a server that answers before it commits")
async def test_control_a_server_that_says_yes_before_it_commits_is_found_out(server: SmallDisk) -> None:
    server.module = "tests.harness.hasty"
    async with trying(server, writers=WRITERS, devices=1) as trial:
        await trial.progress(40)
        await fill_up(server, trial)
        server.free()
        await trial.progress(10)
        assert "lost" in {anomaly.name for anomaly in await trial.verdict()}
