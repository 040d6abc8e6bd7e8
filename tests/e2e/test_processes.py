"""Two processes on one database and one bus: what happens in one is known in the other, with Redis and without."""

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import redis.asyncio

from app.bus.redis import RedisBus
from app.local import Valkey
from tests.harness.live import Live, serving
from tests.harness.mcp import ERAS, LEGACY, Wire
from tests.harness.people import Person, TestDevice
from tests.harness.problems import problem
from tests.harness.waiting import eventually

Pair = tuple[Live, Live]
Fault = Callable[[Valkey], Awaitable[None]]


@asynccontextmanager
async def paired(database_url: str, directory: Path, redis_url: str, **settings: Any) -> AsyncIterator[Pair]:
    for name in ("a", "b"):
        (directory / name).mkdir(parents=True)
    more = {"redis_url": redis_url, **settings}
    async with (
        serving(database_url, directory / "a", **more) as one,
        serving(database_url, directory / "b", **more) as two,
    ):
        for live in (one, two):
            await eventually(lambda live=live: live.starling.bus.is_connected, 15, "the bus")  # type: ignore[misc]
        yield one, two


@pytest.fixture
async def pair(
    database_url: str, own_dir: Path, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Pair]:
    """Nothing but the bus tells one of the other: no check of the heads, and a cache of tokens that lasts."""
    monkeypatch.setattr("app.hub.hub.CHECK_S", 3600)
    monkeypatch.setattr("app.auth.tokens.CACHE_S", 3600)
    async with paired(database_url, own_dir, redis_url) as both:
        yield both


async def ack(live: Live, device: TestDevice, cursor: str | None) -> None:
    answer = await live.http.post("/v1/ack", json={"cursor": cursor}, headers=device.headers)
    assert answer.status_code == 204, answer.text


def names(devices: list[dict[str, Any]]) -> list[str]:
    return [device["name"] for device in devices]


async def delivery(live: Live, person: Person, within: str, count: int) -> dict[str, Any]:
    """A save's receipts, once that many devices are in the list."""
    found: dict[str, Any] = {}

    async def seen() -> bool:
        found.update((await (await live.assistant(person)).save())["delivery"])
        return len(found[within]) == count

    await eventually(seen, 15, f"{count} {within} devices")
    return found


async def test_an_assistant_may_change_processes_from_message_to_message(pair: Pair) -> None:
    one, two = pair
    person = await one.person()
    token = await person.token()
    client = {"protocolVersion": LEGACY, "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}
    for era in ERAS:
        here, there = Wire(one.http, token, era), Wire(two.http, token, era)
        if era == LEGACY:
            assert (await here.ask("initialize", **client)).status_code == 200
        item = (await there.done("saveItem", title=era))["item"]
        assert await here.done("getItem", item_id=item["id"]) == item


async def test_a_change_reaches_devices_of_the_other_process(pair: Pair) -> None:
    one, two = pair
    person = await one.person()
    here, there = await person.device("here"), await person.device("there")
    streams = [await one.listen(here), await two.listen(there)]
    for stream in streams:
        await stream.until_ready()
    for n in range(50):
        await (await pair[n % 2].assistant(person)).save(title=f"{n}", text="x" * (40_000 if n == 30 else 10))
    for stream in streams:
        await stream.until_seq(50)
        assert stream.seqs == list(range(1, 51))


async def test_a_long_poll_in_the_other_process_wakes(pair: Pair) -> None:
    one, two = pair
    person = await one.person()
    device = await person.device()
    poll = asyncio.create_task(two.get("/v1/changes?wait=25", device.token))
    await eventually(lambda: bool(two.starling.hub.watch.feed(person.feed_id).waiters), what="the poll")
    await eventually(lambda: two.starling.hub.watch.feed(person.feed_id).is_loaded, what="the poll's read")
    await (await one.assistant(person)).save(title="woken")
    answer = await asyncio.wait_for(poll, 15)
    assert [item["title"] for item in answer.json()["items"]] == ["woken"]


async def test_a_revocation_ends_streams_and_tokens_of_the_other_process(pair: Pair) -> None:
    one, two = pair
    person = await one.person()
    lost, kept = await person.device("lost"), await person.device("kept")
    stream, other = await two.listen(lost), await two.listen(kept)
    for each in (stream, other):
        await each.until_ready()
    assert (await two.get("/v1/me", lost.token)).status_code == 200
    assert (await one.http.delete(f"/v1/devices/{lost.id}", headers=lost.headers)).status_code == 204
    await stream.until_event("revoked")
    await stream.until_end()
    problem(await two.get("/v1/me", lost.token), 401, "unauthorized")
    await (await one.assistant(person)).save()
    await other.until_seq(1)
    assert stream.items == []


async def test_receipts_and_the_list_know_devices_of_both_processes(pair: Pair) -> None:
    one, two = pair
    person = await one.person()
    here, there = await person.device("here"), await person.device("there")
    await person.device("asleep")
    await (await one.listen(here)).until_ready()
    stream = await (await two.listen(there)).until_ready()
    for live in pair:
        told = await delivery(live, person, "live", 2)
        assert (names(told["live"]), names(told["pending"])) == (["here", "there"], ["asleep"])
        listed = (await live.get("/v1/devices", here.token)).json()["devices"]
        assert {device["name"]: device["online"] for device in listed} == {"here": True, "there": True, "asleep": False}
    await stream.close()
    told = await delivery(one, person, "pending", 2)
    assert names(told["live"]) == ["here"]


async def test_an_acknowledgement_in_the_other_process_ends_the_wait(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.actions.receipts.RECHECK_S", 60)
    one, two = pair
    person = await one.person()
    device = await person.device()
    stream = await (await two.listen(device)).until_ready()
    await delivery(one, person, "live", 1)
    seen = len(stream.items)
    saving = asyncio.create_task((await one.assistant(person)).save(title="waited for", wait_for_delivery=5))
    await stream.until(lambda heard: any(item["title"] == "waited for" for item in heard.items[seen:]))
    await eventually(lambda: person.feed_id in one.starling.receipts._waiting, what="the wait")
    await ack(two, device, stream.cursor)
    told = (await saving)["delivery"]
    assert (names(told["acknowledged"]), told["live"]) == (["laptop"], [])


async def test_caps_hold_over_both_processes(database_url: str, own_dir: Path, own_valkey: Valkey) -> None:
    caps = {"streams_per_device": 2, "streams_per_user": 3}
    async with paired(database_url, own_dir, own_valkey.url, **caps) as (one, two):
        person = await one.person()
        device, other, third = [await person.device(name) for name in ("laptop", "phone", "tablet")]
        for live in (one, two):
            await (await live.listen(device)).until_ready()
        presence = one.starling.presence

        async def counted(expected: int) -> bool:
            return sum((await presence.elsewhere(person.feed_id)).values()) == expected

        await eventually(lambda: counted(1), 15, "the other's stream")
        refused = await one.listen(device)
        assert (refused.status, json.loads(refused.body)["limit"]) == (429, 2)
        await (await two.listen(other)).until_ready()
        await eventually(lambda: counted(2), 15, "the other's streams")
        refused = await one.listen(third)
        assert (refused.status, json.loads(refused.body)["limit"]) == (429, 3)
        os.kill(own_valkey.pid or 0, signal.SIGKILL)
        presence._known.clear()  # type: ignore[attr-defined]
        await (await one.listen(device)).until_ready()


async def killed(valkey: Valkey) -> None:
    os.kill(valkey.pid or 0, signal.SIGKILL)


async def stopped(valkey: Valkey) -> None:
    os.kill(valkey.pid or 0, signal.SIGSTOP)


async def emptied(valkey: Valkey) -> None:
    async with redis.asyncio.Redis.from_url(valkey.url) as client:
        await client.flushall()


@pytest.mark.parametrize("fault", [killed, stopped, emptied])
async def test_without_redis_everything_works_later(
    fault: Fault, database_url: str, own_dir: Path, own_valkey: Valkey
) -> None:
    async with paired(database_url, own_dir, own_valkey.url) as (one, two):
        person = await one.person()
        kept, lost = await person.device("kept"), await person.device("lost")
        stream, other = await two.listen(kept), await two.listen(lost)
        for each in (stream, other):
            await each.until_ready()
        assistant = await one.assistant(person)
        await assistant.save()
        await stream.until_seq(1)

        await fault(own_valkey)
        for _ in range(40):
            await assistant.save()
        await stream.until_seq(41, within=15)
        assert stream.seqs == list(range(1, 42))

        saving = asyncio.create_task(assistant.save(title="waited for", wait_for_delivery=5))
        await stream.until_seq(42, within=15)
        await ack(two, kept, stream.cursor)
        assert "kept" in names((await saving)["delivery"]["acknowledged"])

        answer = await one.http.delete(f"/v1/devices/{lost.id}", headers=lost.headers)
        assert answer.status_code == 204
        await assistant.save(title="after")
        await other.until_event("revoked", within=15)
        await other.until_end()
        assert all(item["title"] != "after" for item in other.items)
        assert (await one.http.get("/readyz")).status_code == 200


async def test_readiness_tells_of_a_bus_that_is_away(database_url: str, own_dir: Path, own_valkey: Valkey) -> None:
    async with paired(database_url, own_dir, own_valkey.url) as (one, _):
        os.kill(own_valkey.pid or 0, signal.SIGKILL)

        async def says(state: str) -> bool:
            answer = await one.http.get("/readyz")
            assert answer.status_code == 200
            return bool(answer.json()["bus"] == state)

        await eventually(lambda: says("down"), 15, "the outage")
        await own_valkey.start()
        await eventually(lambda: says("up"), 15, "its end")


async def test_control_without_a_bus_the_other_process_hears_nothing(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(RedisBus, "_hear", lambda *_: None)
    one, two = pair
    person = await one.person()
    stream = await (await two.listen(await person.device())).until_ready()
    await (await one.assistant(person)).save()
    await (await two.assistant(person)).save()
    await stream.until_seq(2)  # this process's own message shows the gap
    assert stream.seqs == [1, 2]
    await (await one.assistant(person)).save()
    with pytest.raises(TimeoutError):
        await stream.until_seq(3, within=2)


async def test_devices_hear_of_those_of_the_other_process(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.hub.company.GRACE_S", 0.5)
    one, two = pair
    person = await one.person()
    here, there = await person.device("here"), await person.device("there")
    listener = await (await one.listen(here)).until_ready()
    visitor = await (await two.listen(there)).until_ready()
    for stream, other in ((listener, there), (visitor, here)):
        await stream.until(lambda seen: bool(seen.company), 30)
        assert json.loads(stream.company[0].data) == {"device_id": str(other.id), "online": True}
    await visitor.close()
    await listener.until(lambda seen: len(seen.company) == 2, 30)
    assert json.loads(listener.company[1].data) == {"device_id": str(there.id), "online": False}
