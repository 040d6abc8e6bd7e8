"""Bringing one device up to its feed: the first sync, coming back, slow readers, audiences, `ready`."""

import asyncio
import json
from typing import Any

import pytest

from app.errors import Unavailable
from app.hub import pump
from app.hub.stream import Phase
from app.model import Cursor
from app.store.lineage import rename_histories
from tests.harness.people import Person
from tests.harness.room import Room
from tests.harness.waiting import eventually


async def epoch(room: Room, person: Person) -> str:
    return (await room.head(person)).epoch


@pytest.mark.parametrize("followed", [True, False], ids=["with a tail", "without one"])
async def test_a_first_sync_carries_its_base_until_it_is_reached(room: Room, person: Person, followed: bool) -> None:
    if followed:
        await (await room.sit(await person.device("other"))).live()
    for _ in range(3):
        await room.put(person)
    seat = await (await room.sit(await person.device())).live()
    word = await epoch(room, person)
    assert seat.names == ["hello", "item", "item", "item", "ready"]
    assert [event.id for event in seat.events] == [f"{word}.{at}" for at in ("0.3", "1.3", "2.3", "3", "3")]
    hello, ready = json.loads(seat.events[0].data), json.loads(seat.events[-1].data)
    assert hello == {"device_id": str(seat.stream.device_id), "cursor": f"{word}.0.3", "head": 3}
    assert ready == {"device_id": str(seat.stream.device_id), "cursor": f"{word}.3"}


async def test_an_empty_feed_is_ready_at_once(room: Room, person: Person) -> None:
    seat = await (await room.sit(await person.device())).live()
    assert seat.names == ["hello", "ready"]
    assert {event.id for event in seat.events} == {f"{await epoch(room, person)}.0"}


@pytest.mark.parametrize("followed", [True, False], ids=["from the tail", "from the store"])
async def test_a_device_that_comes_back_goes_on_from_its_cursor(room: Room, person: Person, followed: bool) -> None:
    if followed:
        await (await room.sit(await person.device("other"))).live()
    for _ in range(5):
        await room.put(person)
    seat = await (await room.sit(await person.device(), f"{await epoch(room, person)}.2")).live()
    assert seat.seqs == [3, 4, 5]
    assert seat.names[-1] == "ready"


async def test_pages_are_joined_without_gap_or_repeat(
    room: Room, person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pump, "PAGE_ROWS", 4)
    for _ in range(19):
        await room.put(person)
    seat = await (await room.sit(await person.device())).live()
    assert seat.seqs == list(range(1, 20))


async def test_now_is_live_only(room: Room, person: Person) -> None:
    await room.put(person)
    seat = await (await room.sit(await person.device(), "now")).live()
    await room.put(person, "later")
    await seat.until_seq(2)
    assert seat.names == ["hello", "ready", "item"]
    assert json.loads(seat.events[0].data)["cursor"] == f"{await epoch(room, person)}.1"
    assert seat.seqs == [2]


async def test_ready_comes_once_when_the_head_that_hello_named_is_reached(
    room: Room, person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A writer that never rests cannot put it off."""
    monkeypatch.setattr(pump, "PAGE_ROWS", 2)
    for _ in range(6):
        await room.put(person)
    frames = room.reader.frames

    async def written_to_meanwhile(*arguments: Any, **options: Any) -> Any:
        if (await room.head(person)).head < 12:
            await room.put(person)
            await room.put(person)
        return await frames(*arguments, **options)

    monkeypatch.setattr(room.reader, "frames", written_to_meanwhile)
    seat = await (await room.sit(await person.device())).live()
    written = (await room.head(person)).head
    assert written > 6
    await seat.until_seq(written)
    assert seat.names.count("ready") == 1
    assert seat.names.index("ready") == 1 + json.loads(seat.events[0].data)["head"]
    assert seat.seqs == list(range(1, written + 1))


async def audience_of_one(room: Room, person: Person) -> tuple[Any, Any]:
    chosen, other = await person.device("chosen"), await person.device("other")
    for n in range(1, 10):
        await room.put(person, f"item {n}", audience=None if n % 3 == 0 else (chosen.id,))
    return chosen, other


@pytest.mark.parametrize("rows", [1000, 2])
async def test_changes_for_other_devices_never_stall_a_page_or_the_cursor(
    room: Room, person: Person, rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pump, "PAGE_ROWS", rows)
    chosen, other = await audience_of_one(room, person)
    await room.put(person, "the last", audience=(chosen.id,))
    seats = [await (await room.sit(device)).live() for device in (chosen, other)]
    assert seats[0].seqs == list(range(1, 11))
    assert seats[1].seqs == [3, 6, 9]
    for seat in seats:
        ready = seat.events[-1]
        assert (ready.name, ready.id) == ("ready", f"{await epoch(room, person)}.10")


async def test_live_changes_go_to_their_audience_alone(room: Room, person: Person) -> None:
    devices = [await person.device(name) for name in ("chosen", "other")]
    chosen, other = [await (await room.sit(device)).live() for device in devices]
    stored = await room.put(person, "for one", audience=(devices[0].id,))
    await room.delete(person, stored.item_id)
    await room.put(person, "for all")
    for seat in (chosen, other):
        await seat.until_seq(3)
    assert chosen.seqs == [1, 2, 3]
    assert other.seqs == [3]
    assert stored.item_id.bytes not in other.raw
    assert str(stored.item_id).encode() not in other.raw


async def test_a_cursor_that_is_pruned_during_a_pause_is_reset(room: Room, person: Person) -> None:
    gone = await room.put(person)
    seat = await (await room.sit(await person.device())).live()
    seat.stream.pause_writing()
    await room.delete(person, gone.item_id)
    await room.put(person, "kept")
    await eventually(lambda: seat.stream.feed.head == 3)
    seat.stream.feed.load(await room.head(person))  # the tail would have spared it
    async with room.database.engine.begin() as connection:
        await connection.exec_driver_sql("set role none")
        await connection.exec_driver_sql(f"delete from items where id = '{gone.item_id}'")
        await connection.exec_driver_sql(f"update feeds set floor = 2 where id = '{person.feed_id}'")
    seat.stream.resume_writing()
    told = await seat.until("reset")
    await seat.live()
    assert json.loads(told.data) == {"reason": "cursor_pruned"}
    assert seat.seqs == [1, 3]
    assert seat.names.count("ready") == 1


async def test_a_prune_during_a_first_sync_does_not_reset_it(
    room: Room, person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pump, "PAGE_ROWS", 1)
    stored = [await room.put(person) for _ in range(4)]
    await room.delete(person, stored[0].item_id)
    frames = room.reader.frames

    async def pruned_meanwhile(*arguments: Any, **options: Any) -> Any:
        if arguments[1].seq == 2:
            async with room.database.engine.begin() as connection:
                await connection.exec_driver_sql("set role none")
                await connection.exec_driver_sql(f"delete from items where id = '{stored[0].item_id}'")
                await connection.exec_driver_sql(f"update feeds set floor = 5 where id = '{person.feed_id}'")
        return await frames(*arguments, **options)

    monkeypatch.setattr(room.reader, "frames", pruned_meanwhile)
    seat = await (await room.sit(await person.device())).live()
    assert seat.seqs == [2, 3, 4]
    assert "reset" not in seat.names
    cursor = Cursor.parse(seat.events[-1].id)
    assert cursor == Cursor(await epoch(room, person), 5)


async def test_a_page_is_asked_for_again_while_the_database_is_away(
    room: Room, person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pump, "RETRY_S", 0.01)
    await room.put(person)
    frames, failures = room.reader.frames, iter(range(3))

    async def away_at_first(*arguments: Any, **options: Any) -> Any:
        if next(failures, None) is not None:
            raise Unavailable
        return await frames(*arguments, **options)

    monkeypatch.setattr(room.reader, "frames", away_at_first)
    seat = await (await room.sit(await person.device())).live()
    assert seat.seqs == [1]


async def test_a_device_that_hangs_up_during_its_catch_up_is_left_alone(
    room: Room, person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    await room.put(person)
    frames, reading, go_on = room.reader.frames, asyncio.Event(), asyncio.Event()

    async def slow(*arguments: Any, **options: Any) -> Any:
        reading.set()
        await go_on.wait()
        return await frames(*arguments, **options)

    monkeypatch.setattr(room.reader, "frames", slow)
    seat = await room.sit(await person.device())
    await reading.wait()
    seat.hang_up()
    go_on.set()
    await seat.joining
    assert seat.names == ["hello"]
    assert seat.stream.phase is Phase.ENDED
    assert room.presence.live(person.feed_id) == frozenset()


async def test_a_page_of_the_history_before_is_thrown_away(
    room: Room, person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(3):
        await room.put(person)
    frames, is_read, go_on = room.reader.frames, asyncio.Event(), asyncio.Event()

    async def held(*arguments: Any, **options: Any) -> Any:
        found = await frames(*arguments, **options)
        is_read.set()
        await go_on.wait()
        return found

    monkeypatch.setattr(room.reader, "frames", held)
    seat = await room.sit(await person.device(), f"{await epoch(room, person)}.1")
    await is_read.wait()
    await rename_histories(room.database)
    await room.hub.watch.check()
    told = await seat.until("reset")
    go_on.set()
    await seat.live()
    assert json.loads(told.data) == {"reason": "epoch_changed"}
    assert seat.names == ["hello", "reset", "item", "item", "item", "ready"]
    assert [event.id for event in seat.events[2:]] == [f"{await epoch(room, person)}.{n}" for n in ("1.3", "2.3", 3, 3)]


async def test_a_stream_that_joins_before_the_feed_has_heard_of_the_head_is_told_ready(
    room: Room, person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    await (await room.sit(await person.device("other"))).live()
    came = asyncio.Event()
    real = room.reader.page

    async def page(*arguments: Any, **options: Any) -> Any:
        await came.wait()
        return await real(*arguments, **options)

    monkeypatch.setattr(room.reader, "page", page)
    room.deaf = True
    await room.put(person)
    seat = await room.sit(await person.device(), f"{await epoch(room, person)}.0")
    await seat.until("hello")
    came.set()
    await seat.until_seq(1)
    await seat.until("ready")
    assert seat.names == ["hello", "item", "ready"]
