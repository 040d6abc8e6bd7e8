"""The bus is a hint: with Redis killed, stopped, cut off or emptied, everything goes on, at most some seconds later."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from app.local import Valkey
from tests.harness.build import BuildProcess
from tests.harness.counts import times
from tests.harness.crew import Losable, crew, losable
from tests.harness.journal import Journal
from tests.harness.survivors import background
from tests.harness.trial import trying
from tests.harness.witness import witnessing

WORKERS = times(2, full=4)
WRITERS = times(2, full=16)
DEVICES = times(2, full=12)
LONG = times(0, full=1)
KILLED_S, STOPPED_S, CUT_OFF_S, EMPTIED_S = 20 * LONG, 30 * LONG, 60 * LONG, 20 * LONG
PROMISED_S = 5.0
"""Of one check of the heads and its reading; found out when it is over and nothing has come."""
LOST = f"Redis lost in 4 ways under {WORKERS} workers, {WRITERS} writers, {DEVICES} devices" + LONG * (
    f": killed again and again for {KILLED_S} s, stopped for {STOPPED_S} s, cut off for {CUT_OFF_S} s, "
    f"emptied again and again for {EMPTIED_S} s"
)


@pytest.fixture
async def redis(own_dir: Path, own_valkey: Valkey) -> AsyncIterator[Losable]:
    async with losable(own_valkey, own_dir) as lost:
        yield lost


def through(redis: Losable) -> dict[str, str]:
    return {"STARLING_REDIS_URL": redis.link.url}


@pytest.mark.case(13, LOST)
@pytest.mark.case(32, "two devices revoked in each of these, with streams on every worker, one while items are saved")
async def test_without_redis_writes_delivery_and_revocation_go_on(
    redis: Losable, database_url: str, own_dir: Path, saw: Callable[[str], None]
) -> None:
    faults = [
        redis.killed(KILLED_S),
        redis.stopped(STOPPED_S),
        redis.cut_off(CUT_OFF_S),
        redis.emptied(EMPTIED_S),
    ]
    async with (
        crew(own_dir, database_url, WORKERS, more=through(redis)) as server,
        trying(server, writers=WRITERS, devices=DEVICES) as trial,
        witnessing(server, redis.valkey.url, Journal(), doomed=len(faults)) as witness,
        witnessing(server, redis.valkey.url, Journal(), doomed=len(faults)) as idle,
    ):
        async with background(beating := asyncio.create_task(witness.run())):
            for fault in faults:
                async with fault:
                    await trial.progress(20)
                    await asyncio.gather(witness.revoke_one(), idle.revoke_one(quietly=True))
                assert not beating.done() or beating.exception() is None, beating.exception()
            await trial.progress(20)
        await witness.beat()
        witness.judge()
        assert await trial.verdict() == []
        for journal in (trial.journal, witness.writer.journal):
            assert journal.of("fail", "unknown", "refused") == []
        assert all(len(trial.journal.of("opened", who=who)) == 1 for who in trial.journal.devices)
        saw(f"{trial.journal.acknowledged} writes, none refused; all delivered within {witness.latest_s:.1f} s")
        saw(f"streams cut within {max(witness.cut_after_s, idle.cut_after_s):.1f} s")


@pytest.fixture
async def trusting(redis: Losable, database_url: str, own_dir: Path) -> AsyncIterator[BuildProcess]:
    async with crew(own_dir, database_url, 2, module="tests.harness.trusting", more=through(redis)) as server:
        yield await server.start()


@pytest.mark.control(13, "a hub that believes its bus")
@pytest.mark.control(32, "a hub that believes its bus")
async def test_control_a_hub_that_believes_its_bus_is_found_out(trusting: BuildProcess, redis: Losable) -> None:
    async with (
        witnessing(trusting, redis.valkey.url, Journal(), doomed=1) as idle,
        witnessing(trusting, redis.valkey.url, Journal()) as busy,
    ):
        await busy.beat()
        async with redis.cut_off(0):
            within = 2 * PROMISED_S
            work = idle.revoke_one(within, quietly=True), busy.beat(within)
            found = await asyncio.gather(*work, return_exceptions=True)
        assert [type(each) for each in found] == [TimeoutError, TimeoutError]
