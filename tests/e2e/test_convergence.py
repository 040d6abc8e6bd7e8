"""Old state + events = a fresh read of the state, for every event type (case 9)."""

import json
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from app.model import Origin
from app.store.fold import Change
from tests.harness.counts import times
from tests.harness.listener import Listener
from tests.harness.live import Live
from tests.harness.people import Assistant, Person, TestDevice
from tests.harness.waiting import eventually

State = dict[str, dict[str, Any]]
Step = Callable[["House"], Awaitable[None]]


@dataclass
class Follower:
    """A device that keeps its state over connections, as the protocol tells it to."""

    live: Live
    device: TestDevice
    state: State = field(default_factory=dict)
    cursor: str | None = None
    connection: Listener | None = None
    handled: int = 0
    kinds: set[str] = field(default_factory=set)

    async def connect(self) -> None:
        """Goes on from its cursor."""
        self.handled = 0
        self.connection = await self.live.listen(self.device, self.cursor)

    async def drop(self) -> None:
        """Loses the connection, with what it had not handled."""
        if self.connection is not None:
            await self.connection.close()
        self.connection = None

    def handle(self, at_most: int = 10**9) -> None:
        """Takes events that have come, in order; each moves the cursor once it is handled."""
        assert self.connection is not None
        for event in self.connection.events[self.handled : self.handled + at_most]:
            self.handled += 1
            self.kinds.add(event.name)
            if event.name == "reset":
                self.state.clear()
            elif event.name == "item":
                apply(self.state, json.loads(event.data))
            self.cursor = event.id or self.cursor

    async def catch_up(self, epoch: str, item: dict[str, Any]) -> None:
        """Connects if need be; returns when the item has come in that history."""
        if self.connection is None:
            await self.connect()

        def has_come() -> bool:
            self.handle()
            return self.cursor is not None and self.cursor.startswith(epoch) and self.state.get(item["id"]) == item

        await eventually(has_come, 30, "catching up")


def apply(state: State, item: dict[str, Any]) -> None:
    """What an item event does to a device's state."""
    if item["deleted"]:
        state.pop(item["id"], None)
    elif item["seq"] > state.get(item["id"], {"seq": 0})["seq"]:
        state[item["id"]] = item


@dataclass
class House:
    """One user with a follower, an assistant, and all that can happen to them."""

    live: Live
    person: Person
    assistant: Assistant
    follower: Follower

    @classmethod
    async def open(cls, live: Live) -> "House":
        person = await live.person()
        return cls(live, person, await live.assistant(person), Follower(live, await person.device()))

    async def any_id(self) -> str:
        found = sorted(await self.listed())
        return random.choice(found) if found else str((await self.assistant.save())["item"]["id"])

    async def listed(self) -> State:
        """A fresh read by GET /v1/items."""
        found: State = {}
        page = total = 1
        while page <= total:
            answer = await self.live.get(f"/v1/items?limit=100&page={page}", self.follower.device.token)
            total, page = answer.json()["total_pages"], page + 1
            found |= {item["id"]: item for item in answer.json()["items"]}
        return found

    async def paged(self, limit: int) -> State:
        """A fresh read by GET /v1/changes from the beginning."""
        found: State = {}
        cursor, has_more = "", True
        while has_more:
            path = f"/v1/changes?limit={limit}&cursor={cursor}"
            answer = (await self.live.get(path, self.follower.device.token)).json()
            for item in answer["items"]:
                apply(found, item)
            cursor, has_more = answer["cursor"], answer["has_more"]
        return found

    async def verify(self) -> None:
        """The follower, once caught up, holds what a fresh read gives."""
        me = (await self.live.get("/v1/me", self.follower.device.token)).json()
        await self.follower.catch_up(me["feed"]["epoch"], (await self.assistant.save())["item"])
        fresh = await self.listed()
        assert self.follower.state == fresh
        assert await self.paged(7) == fresh


async def create(house: House) -> None:
    await house.assistant.save(title=str(uuid4()), tags=["\u2028"], data={"n": random.random()})


async def update(house: House) -> None:
    body = {random.choice(["title", "text", "collection"]): random.choice([None, "a", "b", str(uuid4())])}
    await house.assistant.call("PATCH", f"/actions/items/{await house.any_id()}", body)


async def delete(house: House) -> None:
    await house.assistant.call("DELETE", f"/actions/items/{await house.any_id()}")


async def expire(house: House) -> None:
    body = {"expires_at": (datetime.now(UTC) - timedelta(minutes=1)).isoformat()}
    await house.assistant.call("PATCH", f"/actions/items/{await house.any_id()}", body)
    await house.live.starling.upkeep.expire()


async def reset(house: House) -> None:
    await house.live.starling.lineage.renew()


async def prune(house: House) -> None:
    house.live.starling.upkeep._age = timedelta(0)
    await house.live.starling.upkeep.prune()


async def batch(house: House) -> None:
    device = house.follower.device
    feed = (await house.live.get("/v1/me", device.token)).json()["feed"]
    known, new = await house.any_id(), str(uuid4())
    changes = [
        {"id": new, "base_seq": None, "put": {"title": "1"}},
        {"id": known, "base_seq": feed["head"], "put": {"title": "2"}},
        {"id": new, "base_seq": feed["head"] + 1, "put": {"text": "3"}},
        {"id": known, "base_seq": 0, "put": {"title": "a conflict"}},
    ]
    body = {"epoch": feed["epoch"], "changes": [{"change_id": str(uuid4()), **change} for change in changes]}
    assert (await house.live.http.post("/v1/changes", json=body, headers=device.headers)).status_code == 200


async def for_others(house: House) -> None:
    change = Change(house.person.feed_id, uuid4(), "put", "create", Origin("action", "chatgpt"), audience=(uuid4(),))
    await house.live.starling.committer.submit(change)


async def drop(house: House) -> None:
    await house.follower.drop()


async def connect(house: House) -> None:
    if house.follower.connection is None:
        await house.follower.connect()


async def handle_some(house: House) -> None:
    if house.follower.connection is not None:
        house.follower.handle(random.randint(0, 3))


SEEDS = times(6, full=30)
CHANGES = [create, update, delete, expire, batch, reset, prune, for_others]
ALL: list[Step] = [*CHANGES, create, update, update, batch, drop, connect, handle_some, handle_some]


@pytest.mark.case(9, f"{len(CHANGES)} kinds of change, on a live device and one that was away")
@pytest.mark.parametrize("is_connected", [True, False], ids=["live", "away"])
@pytest.mark.parametrize("step", CHANGES, ids=lambda step: str(step.__name__))
async def test_after_every_kind_of_change_the_device_holds_the_state(
    live: Live, step: Step, is_connected: bool
) -> None:
    house = await House.open(live)
    for _ in range(5):
        await create(house)
    await house.verify()
    if not is_connected:
        await house.follower.drop()
    await step(house)
    await house.verify()
    assert house.follower.state
    assert ("reset" in house.follower.kinds) == (step is reset)


@pytest.mark.case(9, f"{SEEDS} random sequences of 75 steps")
@pytest.mark.parametrize("seed", range(SEEDS))
async def test_after_any_sequence_of_changes_and_connections_the_device_holds_the_state(live: Live, seed: int) -> None:
    random.seed(seed)
    house = await House.open(live)
    for _ in range(3):
        for step in random.choices(ALL, k=25):
            await step(house)
        await house.verify()


@pytest.mark.control(9, "a device that misses one event")
@pytest.mark.parametrize("lost", ["item", "reset"])
async def test_control_a_device_that_misses_one_event_is_found_out(live: Live, lost: str) -> None:
    house = await House.open(live)
    await create(house)
    await house.verify()
    await (delete(house) if lost == "item" else house.live.starling.lineage.renew())
    follower = house.follower
    assert follower.connection is not None
    await follower.connection.until(lambda seen: lost in [event.name for event in seen.events[follower.handled :]])
    events = follower.connection.events
    del events[next(n for n in range(follower.handled, len(events)) if events[n].name == lost)]
    if lost == "reset":
        follower.state["of an older history"] = {"seq": 1}
    with pytest.raises(AssertionError):
        await house.verify()
