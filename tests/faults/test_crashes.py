"""Kill -9 of the database and of the server under writers: nothing acknowledged is lost, and all heals by itself."""

import random
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, NoReturn

import pytest

from app.errors import Unavailable
from app.local import sockets
from tests.harness.build import BuildProcess
from tests.harness.counts import times
from tests.harness.killing import family
from tests.harness.live import Live
from tests.harness.trial import trying
from tests.harness.waiting import eventually

ROUNDS = times(1, full=3)
WRITERS = times(8, full=16)


@pytest.fixture
async def server(data_dir: Path) -> AsyncIterator[BuildProcess]:
    """A server that is durable in earnest; ended whatever happens."""
    process = BuildProcess(data_dir)
    yield process
    if process.process is not None:
        process.kill()


@pytest.mark.case(
    2,
    f"{7 * ROUNDS} kills of Postgres, {5 * ROUNDS} of the server, {ROUNDS} of a backend, {WRITERS} writers, 3 devices",
)
async def test_nothing_acknowledged_is_lost_when_database_and_server_are_killed(server: BuildProcess) -> None:
    chance = random.Random(2)
    deaths = (["postgres"] * 4 + ["postmaster", "backend"] + ["server"] * 3 + ["both"] * 2) * ROUNDS
    chance.shuffle(deaths)
    async with trying(server, writers=WRITERS, devices=3) as trial:
        for death in deaths:
            await trial.progress(chance.randint(20, 120))
            if death in ("postgres", "postmaster"):
                await trial.kill_postgres(alone=death == "postmaster")
            elif death == "backend":
                await trial.kill_backend()
            else:
                await trial.kill_server(postgres_too=death == "both")
        await trial.progress(50)
        assert await trial.verdict() == []
        assert {entry.verb for entry in trial.journal.of("ok")} == {"POST", "PATCH", "DELETE"}
        assert trial.journal.of("unknown", "fail")
        assert len(trial.killed) == 7 * ROUNDS
        assert all(len(trial.journal.of("opened", who=who)) > 1 for who in trial.journal.devices)


@pytest.mark.control(2, "a server that answers before it commits")
async def test_a_server_that_says_yes_before_it_commits_is_found_out(server: BuildProcess) -> None:
    """The control: the same crashes, a broken build."""
    server.module = "tests.harness.hasty"
    async with trying(server, writers=8, devices=1) as trial:
        await trial.progress(40)
        await trial.kill_server(postgres_too=True)
        await trial.progress(10)
        assert "lost" in {anomaly.name for anomaly in await trial.verdict()}


async def test_restarts_under_writers_lose_nothing_and_tell_every_stream_to_come_back(server: BuildProcess) -> None:
    async with trying(server, writers=8, devices=3) as trial:
        for _ in range(2):
            await trial.progress(40)
            assert await server.stop(within=45) == 0
            assert {device.replica.farewell for device in trial.devices} <= {"bye", None}
            await server.start()
        await trial.progress(40)
        assert await trial.verdict() == []


@pytest.mark.case(2, "a server killed with its Postgres running")
async def test_a_killed_server_leaves_no_postgres_behind_and_the_next_start_needs_no_hand(
    server: BuildProcess,
) -> None:
    await server.start()
    postgres = family(server.postmaster)
    assert len(postgres) > 1
    server.kill()
    await eventually(lambda: not any(family(pid) for pid in postgres), 30, "the end of Postgres")
    await server.start()
    assert server.postmaster != postgres[0]
    assert await server.stop(within=45) == 0
    assert not family(postgres[0])
    assert not sockets.socket_directory(server.data_dir).exists()


async def test_a_write_is_not_called_undone_when_only_its_receipts_are_missing(
    live: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    assistant = await live.assistant(await live.person())

    async def away(*_: Any, **__: Any) -> NoReturn:
        raise Unavailable

    with monkeypatch.context() as broken:
        broken.setattr(live.starling.receipts, "of", away)
        body = {"title": "Milk", "request_id": "r", "wait_for_delivery": 1}
        answer = await assistant.call("POST", "/actions/items", body)
    assert (answer.status_code, answer.json()["code"]) == (503, "outcome_unknown")
    again = await assistant.save(title="Milk", request_id="r")
    assert (again["duplicate"], again["item"]["seq"]) == (True, 1)
