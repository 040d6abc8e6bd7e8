"""A revoked device: cut at once with the bus, in seconds without it, and nothing committed later reaches it."""

import asyncio
from collections.abc import Sequence

import pytest

from app.bus.local import LocalBus, _Listener
from app.hub.feed import Feed
from app.hub.fill import Filler, ring
from app.hub.stream import Stream
from app.hub.watch import Watch
from app.model import Changed, Message, Revoked
from tests.harness.live import Live
from tests.harness.people import TestDevice
from tests.harness.problems import problem
from tests.harness.waiting import eventually


async def revoke(live: Live, device: TestDevice) -> None:
    response = await live.http.delete(f"/v1/devices/{device.id}", headers=device.headers)
    assert response.status_code == 204, response.text


def lose(monkeypatch: pytest.MonkeyPatch, kinds: type | tuple[type, ...]) -> None:
    """Messages of these kinds never reach a listener."""

    def take(listener: _Listener, messages: Sequence[Message]) -> None:
        keep(listener, [message for message in messages if not isinstance(message, kinds)])

    keep = _Listener.take
    monkeypatch.setattr(_Listener, "take", take)


async def test_open_streams_are_told_and_end_and_its_token_is_worthless_at_once(live: Live) -> None:
    person = await live.person()
    lost, kept = await person.device("lost"), await person.device("kept")
    streams = [await live.listen(lost) for _ in range(3)]
    other = await live.listen(kept)
    for stream in [*streams, other]:
        await stream.until_ready()
    assert (await live.get("/v1/me", lost.token)).status_code == 200
    await revoke(live, lost)
    for path in ("/v1/me", "/v1/changes", "/v1/stream", "/v1/devices"):
        problem(await live.get(path, lost.token), 401, "unauthorized")
    for stream in streams:
        await stream.until_end(within=3)
        assert (stream.names[-1], stream.events[-1].data) == ("revoked", "{}")
        assert stream.events[-1].retry is None
        assert not stream.dropped
    await (await live.assistant(person)).save()
    await other.until_seq(1)
    assert not other.ended
    listed = (await live.get("/v1/devices", kept.token)).json()["devices"]
    assert [device["name"] for device in listed] == ["kept"]


async def test_revoking_another_device_needs_the_scope_and_the_same_user(live: Live) -> None:
    person, stranger = await live.person(), await live.person()
    device, other = await person.device(), await person.device("other")
    manager = await person.device("manager", more=["devices:manage"])
    foreign = await stranger.device(more=["devices:manage"])
    stream = await live.listen(device)
    await stream.until_ready()
    path = f"/v1/devices/{device.id}"
    problem(await live.http.delete(path, headers=other.headers), 403, "insufficient_scope")
    problem(await live.http.delete(path, headers=foreign.headers), 404, "not_found")
    assert not stream.ended
    assert (await live.http.delete(path, headers=manager.headers)).status_code == 204
    await stream.until_event("revoked")
    problem(await live.http.delete(path, headers=manager.headers), 404, "not_found")


async def test_without_the_bus_the_check_cuts_it(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    person = await live.person()
    lost, kept = await person.device("lost"), await person.device("kept")
    stream, other = await live.listen(lost), await live.listen(kept)
    for each in (stream, other):
        await each.until_ready()
    monkeypatch.setattr(LocalBus, "publish", lambda *_: None)
    monkeypatch.setattr(live.starling.committer, "_publish", lambda _: None)
    lose(monkeypatch, (Changed, Revoked))
    await revoke(live, lost)
    await (await live.assistant(person)).save(title="later")
    await stream.until_event("revoked", within=15)
    await stream.until_end()
    await other.until_seq(1)
    assert stream.items == []

    async def refused() -> bool:
        return (await live.get("/v1/me", lost.token)).status_code == 401

    await eventually(refused, 15, "the token's end")


async def heard_after(live: Live, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Titles that a device got which were committed after its revocation; only the changes tell of that."""
    person = await live.person()
    lost, kept = await person.device("lost"), await person.device("kept")
    stream, other = await live.listen(lost), await live.listen(kept)
    for each in (stream, other):
        await each.until_ready()
    lose(monkeypatch, Revoked)
    await revoke(live, lost)
    assistant = await live.assistant(person)
    for n in range(20):
        await assistant.save(title=f"secret {n}")
    await other.until_seq(20)
    await stream.until(lambda seen: seen.ended or len(seen.items) == 20)
    return [item["title"] for item in stream.items]


@pytest.mark.case(32, "20 items saved after a revocation of which only they tell")
async def test_nothing_committed_after_the_revocation_is_delivered(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    assert await heard_after(live, monkeypatch) == []


@pytest.mark.control(32, "a watch that delivers before it validates")
async def test_control_a_watch_that_ignores_revocations_delivers(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    def take(_: Watch, feed: Feed[Stream], change: Changed) -> None:
        if change.seq == feed.head + 1 and change.wire:
            ring(feed, feed.append(change.seq, change.item_id, change.audience, change.wire))

    monkeypatch.setattr(Watch, "_take", take)
    monkeypatch.setattr(Filler, "judge", lambda *_: None)
    assert await heard_after(live, monkeypatch) != []


async def test_a_long_poll_of_a_revoked_device_gets_nothing_that_came_after(live: Live) -> None:
    person = await live.person()
    device, other = await person.device("poller"), await person.device("other")
    assistant = await live.assistant(person)
    head = (await live.get("/v1/me", device.token)).json()["feed"]["cursor"]
    poll = asyncio.create_task(live.get(f"/v1/changes?cursor={head}&wait=20", device.token))
    await eventually(lambda: bool(live.starling.hub.watch.feed(person.feed_id).waiters), what="the poll")
    revoked = await live.http.delete(f"/v1/devices/{device.id}", headers=device.headers)
    assert revoked.status_code == 204
    await assistant.save(title="after")
    answer = await poll
    assert answer.status_code == 401
    assert "after" not in answer.text
    assert (await live.get("/v1/changes", other.token)).json()["items"][0]["title"] == "after"
