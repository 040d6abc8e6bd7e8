"""Whatever happens to a feed, in whatever order: devices hold what the database holds, and were sent it in order."""

import asyncio
import random
from collections.abc import AsyncIterator, Collection, Coroutine
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from app.hub.fill import Filler
from tests.harness.counts import times
from tests.harness.judge import JudgedWorld
from tests.harness.waiting import eventually

TOGETHER = (
    *("post", "update", "delete", "connect", "drop", "rotate", "poll"),
    *("ack", "revoke", "prune", "expire", "check", "rename"),
)
STEPS = 25
EXAMPLES = times(12, full=150)
ALONE = ("save", "restore", "lose_bus", "find_bus", "restart")
number = st.integers(0, 60)


class Happenings(RuleBasedStateMachine):
    """Every example is a new person and a new server on the same database. The server runs only during a rule."""

    database_url: ClassVar[str]
    data_dir: ClassVar[Path]
    world: JudgedWorld

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner(loop_factory=asyncio.new_event_loop)

    def do(self, *work: Coroutine[Any, Any, Any]) -> None:
        """All of it at once."""

        async def together() -> None:
            await asyncio.gather(*work)

        self.runner.run(together())

    @initialize(seed=st.integers(0, 2**32))
    def begin(self, seed: int) -> None:
        self.world = JudgedWorld(self.database_url, self.data_dir, random.Random(seed))
        self.do(self.world.begin())
        self.do(self.world.connect(0), self.world.connect(1))

    @rule(name=st.sampled_from(TOGETHER), n=number)
    def one_thing_happens(self, name: str, n: int) -> None:
        self.do(getattr(self.world, name)(n))

    @rule(name=st.sampled_from(ALONE), n=number)
    def one_big_thing_happens(self, name: str, n: int) -> None:
        self.do(getattr(self.world, name)(n))

    @rule(things=st.lists(st.tuples(st.sampled_from(TOGETHER), number), min_size=2, max_size=8))
    def much_happens_at_once(self, things: list[tuple[str, int]]) -> None:
        self.do(*(getattr(self.world, name)(n) for name, n in things))

    @rule()
    def all_converges(self) -> None:
        self.do(self.world.converge())

    def teardown(self) -> None:
        if not hasattr(self, "world"):
            return
        try:
            self.do(self.world.connect(0), self.world.connect(1))
            self.do(self.world.converge())
        finally:
            self.do(self.world.end())
            self.runner.close()


@pytest.fixture
def machine(database_url: str, own_dir: Path, monkeypatch: pytest.MonkeyPatch) -> type[Happenings]:
    """On pages and tails so small that a few items fill them, and a hub that checks only when it is told to."""
    monkeypatch.setattr("app.hub.pump.PAGE_ROWS", 3)
    monkeypatch.setattr("app.hub.fill.FILL_ROWS", 3)
    monkeypatch.setattr("app.hub.feed.TAIL_BYTES", 2500)
    monkeypatch.setattr("app.hub.feed.SLICE_BYTES", 900)
    monkeypatch.setattr("app.hub.hub.CHECK_S", 3600)
    return type("Machine", (Happenings,), {"database_url": database_url, "data_dir": own_dir})


def walk(machine: type[Happenings], examples: int) -> None:
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=STEPS,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        ),
    )


@pytest.mark.case(
    8, f"{EXAMPLES} random walks of {STEPS} steps: {len(TOGETHER) + len(ALONE)} kinds of happening, SQL as the oracle"
)
def test_devices_hold_what_the_database_holds_whatever_happens(machine: type[Happenings]) -> None:
    walk(machine, EXAMPLES)


@pytest.fixture
async def world(machine: type[Happenings]) -> AsyncIterator[JudgedWorld]:
    """With two live devices."""
    made = JudgedWorld(machine.database_url, machine.data_dir, random.Random(0))
    await made.begin()
    await made.connect(0)
    await made.connect(1)
    await made.converge()
    yield made
    await made.end()


async def test_a_deletion_that_was_pruned_before_the_hub_read_it_still_reaches_live_devices(world: JudgedWorld) -> None:
    await world.post(2)
    await world.converge()
    await world.lose_bus(0)
    await world.delete(0)
    await world.prune(0)
    await world.converge()


async def test_a_revocation_after_a_restore_is_noticed_though_the_counter_was_put_back(world: JudgedWorld) -> None:
    await world.save(0)
    await world.revoke(2)
    await world.converge()
    await world.restore(0)
    await world.converge()
    await world.revoke(1)
    await world.post(2)
    await world.converge()


async def test_a_device_that_joins_while_another_one_is_judged_is_not_taken_for_revoked(world: JudgedWorld) -> None:
    grants, opened = world.live.starling.grants, asyncio.Event()
    asked, good = asyncio.Event(), grants.good

    async def held_up(hashes: Collection[bytes]) -> set[bytes]:
        asked.set()
        await opened.wait()
        return await good(hashes)

    await world.drop(1)
    await eventually(lambda: len(world._streams()) == 1)
    grants.good = held_up  # type: ignore[method-assign]
    await world.revoke(2)
    await asked.wait()
    await world.connect(1)
    await eventually(lambda: all(stream.phase > 0 for stream in world._streams()))
    opened.set()
    await world.post(2)
    await world.converge()
    assert [seat.replica.farewell for seat in world.seats[:2]] == [None, None]


@pytest.mark.control(8, "a hub without the gap check, one that forgets a reset")
@pytest.mark.parametrize("broken", ["gaps", "resets"])
async def test_a_broken_hub_is_found_out(world: JudgedWorld, broken: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: a hub that takes whatever comes for the next change, and one that forgets to say `reset`."""
    if broken == "gaps":
        monkeypatch.setattr(Filler, "start", lambda _, feed, hint=0: setattr(feed, "head", max(hint, feed.head)))
    else:
        monkeypatch.setattr("app.hub.fill.reset", lambda *_: None)
    await world.post(2)
    await world.lose_bus(0)
    await world.delete(0)
    await world.post(5)
    if broken == "resets":
        await world.rename(0)
    await world.find_bus(0)
    await world.post(8)
    with pytest.raises(AssertionError, match=r"unseen|phantom|doubled|reordered"):
        await world.converge()
