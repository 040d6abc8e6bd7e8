"""Bringing a feed up to the database: too far behind, history changed, revocations judged before anything is sent."""

import asyncio
import json
from typing import Any
from uuid import uuid4

import pytest

from app.errors import Unavailable
from app.hub import fill
from app.hub.stream import Phase
from app.model import Changed, Revoked
from app.store.lineage import rename_histories
from tests.harness.people import Person
from tests.harness.room import Room, Seat
from tests.harness.waiting import eventually


async def live(room: Room, person: Person, name: str = "laptop", cursor: str | None = None) -> Seat:
    return await (await room.sit(await person.device(name), cursor)).live()


async def test_a_feed_too_far_behind_sends_its_streams_to_the_store(
    room: Room, person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fill, "FILL_ROWS", 5)
    seats = [await live(room, person, name) for name in ("laptop", "phone")]
    room.deaf = True
    for _ in range(12):
        await room.put(person)
    room.deaf = False
    await room.put(person)
    for seat in seats:
        await seat.until_seq(13)
        await seat.live()
        assert seat.seqs == list(range(1, 14))
        assert seat.names.count("ready") == 1


async def test_a_new_epoch_resets_open_streams_and_sends_the_whole_feed(room: Room, person: Person) -> None:
    for n in range(3):
        await room.put(person, f"item {n}")
    seats = [await live(room, person, name) for name in ("laptop", "phone")]
    before = await room.head(person)
    await rename_histories(room.database)
    await room.hub.watch.check()
    after = await room.head(person)
    assert after.epoch != before.epoch
    for seat in seats:
        told = await seat.until("reset")
        assert told.id == f"{after.epoch}.0.3"
        assert json.loads(told.data) == {"reason": "epoch_changed"}
        await eventually(lambda seat=seat: len(seat.seqs) == 6, 15, "the whole feed")  # type: ignore[misc]
        rest = seat.events[seat.names.index("reset") + 1 :]
        assert [event.name for event in rest] == ["item"] * 3
        assert [event.id for event in rest] == [f"{after.epoch}.{n}" for n in ("1.3", "2.3", "3")]
    await room.put(person)
    for seat in seats:
        await seat.until_seq(4)
        assert seat.events[-1].id == f"{after.epoch}.4"


async def test_a_change_of_a_new_epoch_is_delivered_only_after_the_reset(room: Room, person: Person) -> None:
    await room.put(person)
    seat = await live(room, person)
    await rename_histories(room.database)
    await room.put(person)
    await eventually(lambda: seat.seqs == [1, 1, 2], 15, "both items of the new history")
    assert seat.names == ["hello", "item", "ready", "reset", "item", "item"]


class Gate:
    """Holds the look at the tokens until it is opened; it was made before that."""

    def __init__(self, room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
        self.asked, self.open = asyncio.Event(), asyncio.Event()
        self._good = room.grants.good
        monkeypatch.setattr(room.grants, "good", self._held)

    async def _held(self, hashes: Any) -> set[bytes]:
        good = await self._good(hashes)
        self.asked.set()
        await self.open.wait()
        return good


async def test_nothing_is_delivered_while_revocations_are_judged(
    room: Room, person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    lost, kept = await live(room, person, "lost"), await live(room, person, "kept")
    gate = Gate(room, monkeypatch)
    await room.devices.revoke(person.feed_id, lost.stream.device_id)
    await room.put(person, "secret")  # carries the newer auth; nobody says `Revoked`
    await gate.asked.wait()
    await room.put(person, "more")
    assert (lost.seqs, kept.seqs) == ([], [])
    gate.open.set()
    await kept.until_seq(2)
    await lost.until("revoked")
    assert kept.seqs == [1, 2]
    assert b"secret" not in lost.raw
    assert lost.stream.phase is Phase.ENDED
    assert lost.raw.endswith(b"event: revoked\nid: %b\ndata: {}\n\n" % lost.events[-1].id.encode())


async def test_a_page_read_during_a_judgement_is_not_delivered(
    room: Room, person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    await room.put(person)
    device = await person.device("lost")
    await live(room, person, "kept")
    reading, go_on, done = asyncio.Event(), asyncio.Event(), asyncio.Event()
    frames = room.reader.frames

    async def held(*arguments: Any, **options: Any) -> Any:
        if options["device_id"] == device.id:
            reading.set()
            await go_on.wait()
        found = await frames(*arguments, **options)
        if options["device_id"] == device.id:
            done.set()
        return found

    monkeypatch.setattr(room.reader, "frames", held)
    gate = Gate(room, monkeypatch)
    lost = await room.sit(device)
    await reading.wait()
    room.say(Revoked(person.feed_id, await room.devices.revoke(person.feed_id, device.id)))
    await gate.asked.wait()
    await room.put(person, "secret")
    go_on.set()
    await done.wait()
    gate.open.set()
    await lost.until("revoked")
    assert b"secret" not in lost.raw


async def test_a_stream_that_joins_during_a_judgement_is_looked_at_after_it(
    room: Room, person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    device = await person.device("lost")
    principal = await room.principal(device)
    await room.devices.revoke(person.feed_id, (await person.device("another")).id)
    kept = await live(room, person, "kept")
    good, asked, go_on = room.grants.good, asyncio.Event(), asyncio.Event()

    async def first_answer_is_slow(hashes: Any) -> set[bytes]:
        answer = await good(hashes)
        if not asked.is_set():
            asked.set()
            await go_on.wait()
        return answer

    monkeypatch.setattr(room.grants, "good", first_answer_is_slow)
    lost = await room.sit(device, principal=principal)
    await asked.wait()
    room.say(Revoked(person.feed_id, await room.devices.revoke(person.feed_id, device.id)))
    await room.put(person, "secret")
    await kept.until_seq(1)
    go_on.set()
    await lost.joining
    assert lost.names == ["revoked"]


async def test_a_judgement_waits_for_a_database_that_is_away(
    room: Room, person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fill, "RETRY_S", 0.01)
    lost, kept = await live(room, person, "lost"), await live(room, person, "kept")
    good, failures = room.grants.good, iter(range(3))

    async def away_at_first(hashes: Any) -> set[bytes]:
        if next(failures, None) is not None:
            raise Unavailable
        return await good(hashes)

    monkeypatch.setattr(room.grants, "good", away_at_first)
    auth = await room.devices.revoke(person.feed_id, lost.stream.device_id)
    room.say(Revoked(person.feed_id, auth))
    await lost.until("revoked")
    await room.put(person)
    await kept.until_seq(1)


async def test_a_fill_waits_for_a_database_that_is_away(
    room: Room, person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fill, "RETRY_S", 0.01)
    seat = await live(room, person)
    room.deaf = True
    await room.put(person)
    page, failures = room.reader.page, iter(range(3))

    async def away_at_first(*arguments: Any, **options: Any) -> Any:
        if next(failures, None) is not None:
            raise Unavailable
        return await page(*arguments, **options)

    monkeypatch.setattr(room.reader, "page", away_at_first)
    head = await room.head(person)
    room.say(Changed(person.feed_id, head.epoch, head.auth, 1, uuid4(), None, None))
    await seat.until_seq(1)


async def test_a_feed_that_is_gone_ends_its_streams(room: Room, person: Person) -> None:
    seat = await live(room, person)
    async with room.database.engine.begin() as connection:
        await connection.exec_driver_sql("set role none")
        for table in ("tokens", "devices", "feeds"):
            column = "id" if table == "feeds" else "feed_id"
            await connection.exec_driver_sql(f"delete from {table} where {column} = '{person.feed_id}'")
    await room.hub.watch.check()
    await seat.until("revoked")
