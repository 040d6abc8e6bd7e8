"""What the bus says and what it does not say: gaps, lost and bogus hints, the check, a feed that is let go."""

import asyncio
from typing import Any
from uuid import UUID, uuid4

import pytest

from app.hub import hub as hub_module
from app.model import Changed, Cursor, Message
from app.store.database import Database
from app.store.feed import Frames, Page
from tests.harness.people import Person
from tests.harness.room import Room, Seat, open_room
from tests.harness.waiting import eventually


def count_pages(room: Room, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    read: list[int] = []
    page, frames = room.reader.page, room.reader.frames

    async def counted(feed_id: UUID, after: int, **options: Any) -> Page | None:
        read.append(after)
        return await page(feed_id, after, **options)

    async def counted_too(feed_id: UUID, cursor: Cursor, **options: Any) -> Frames | None:
        read.append(cursor.seq)
        return await frames(feed_id, cursor, **options)

    monkeypatch.setattr(room.reader, "page", counted)
    monkeypatch.setattr(room.reader, "frames", counted_too)
    return read


async def live(room: Room, person: Person, name: str = "laptop") -> Seat:
    return await (await room.sit(await person.device(name))).live()


async def test_the_next_change_is_delivered_without_reading_the_database(
    room: Room, person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    seat = await live(room, person)
    read = count_pages(room, monkeypatch)
    for _ in range(3):
        await room.put(person)
    await seat.until_seq(3)
    assert seat.seqs == [1, 2, 3]
    assert read == []


async def test_a_gap_is_filled_from_the_database_in_order(room: Room, person: Person) -> None:
    seat = await live(room, person)
    room.deaf = True
    for _ in range(4):
        await room.put(person)
    room.deaf = False
    await room.put(person)
    await seat.until_seq(5)
    assert seat.seqs == [1, 2, 3, 4, 5]


async def test_a_change_without_its_bytes_is_filled_in(room: Room, person: Person) -> None:
    seat = await live(room, person)
    room.deaf = True
    outcome = await room.put(person)
    head = await room.head(person)
    room.say(Changed(person.feed_id, head.epoch, head.auth, outcome.seq, outcome.item_id, None, None))
    await seat.until_seq(1)


async def test_what_was_delivered_already_is_dropped(room: Room, person: Person) -> None:
    seat = await live(room, person)
    heard: list[Message] = []

    def keep_and_say(messages: list[Message]) -> None:
        heard.extend(messages)
        room.say(*messages)

    room.publish = keep_and_say  # type: ignore[method-assign, assignment]
    await room.put(person)
    await room.put(person)
    room.say(*heard, *heard)
    await room.put(person)
    await seat.until_seq(3)
    assert seat.seqs == [1, 2, 3]


@pytest.mark.parametrize("silent", [1, 3])
async def test_the_check_finds_what_the_bus_lost(room: Room, person: Person, silent: int) -> None:
    seat = await live(room, person)
    room.deaf = True
    for _ in range(silent):
        await room.put(person)
    await room.hub.watch.check()
    await seat.until_seq(silent)
    assert seat.seqs == list(range(1, silent + 1))


async def test_the_check_is_made_by_itself(room: Room, person: Person) -> None:
    assert hub_module.CHECK_S <= 3
    seat = await live(room, person)
    room.deaf = True
    await room.put(person)
    await seat.until_seq(1, within=15)


async def test_who_says_that_messages_may_be_lost_need_not_wait_for_the_next_check(
    database: Database, person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub_module, "CHECK_S", 3600)
    async with open_room(database) as room:
        seat = await live(room, person)
        room.deaf = True
        await room.put(person)
        room.hub.check_soon()
        await seat.until_seq(1, within=15)


@pytest.mark.parametrize("epoch", ["its own", "zzzzzzzz"])
async def test_a_bogus_hint_costs_one_read_and_never_loops(
    room: Room, person: Person, epoch: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    seat = await live(room, person)
    head = await room.head(person)
    read = count_pages(room, monkeypatch)
    said = head.epoch if epoch == "its own" else epoch
    room.say(Changed(person.feed_id, said, head.auth, 10**9, uuid4(), None, b"{}"))
    await eventually(lambda: len(read) == 1 and seat.stream.feed.fill is None)
    await room.put(person)
    await seat.until_seq(1)
    await room.put(person)
    await seat.until_seq(2)
    assert seat.seqs == [1, 2]
    assert len(read) <= 3
    assert "reset" not in seat.names


async def test_messages_of_other_feeds_touch_nobody(room: Room, person: Person) -> None:
    seat = await live(room, person)
    other = await Person.make(person.database)
    await room.put(other, "not yours")
    room.say(Changed(uuid4(), "zzzzzzzz", 1, 1, uuid4(), None, b"{}"))
    await room.put(person, "yours")
    await seat.until_seq(1)
    assert [item["title"] for item in seat.items] == ["yours"]


async def test_a_message_that_cannot_be_handled_does_not_make_the_hub_deaf(
    room: Room, person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    seat = await live(room, person)
    taken = room.hub.watch._take

    def fails_once(*arguments: object) -> None:
        monkeypatch.setattr(room.hub.watch, "_take", taken)
        raise RuntimeError("made to fail")

    monkeypatch.setattr(room.hub.watch, "_take", fails_once)
    await room.put(person)
    await room.put(person)
    await seat.until_seq(2)
    assert seat.seqs == [1, 2]


async def test_a_head_that_fell_is_history_rewritten(room: Room, person: Person) -> None:
    seat = await live(room, person)
    await room.put(person)
    await seat.until_seq(1)
    async with room.database.engine.begin() as connection:
        await connection.exec_driver_sql(f"update feeds set head = 0 where id = '{person.feed_id}'")
    await room.hub.watch.check()
    assert "rewound" in room.rewound


async def test_a_feed_is_let_go_when_nobody_follows_it(room: Room, person: Person) -> None:
    seat = await live(room, person)
    assert person.feed_id in room.hub.watch._feeds
    seat.hang_up()
    assert person.feed_id not in room.hub.watch._feeds
    await room.put(person)
    again = await live(room, person, "phone")
    assert again.seqs == [1]


async def test_waiting_for_a_change_ends_with_it_or_with_the_time(room: Room, person: Person) -> None:
    assert await room.hub.changed(person.feed_id, 0, 0.05) is False
    waiting = asyncio.create_task(room.hub.changed(person.feed_id, 0, 15))
    await eventually(lambda: person.feed_id in room.hub.watch._feeds)
    await room.put(person)
    assert await waiting is True
    assert await room.hub.changed(person.feed_id, 0, 15) is True
    assert room.hub.watch._feeds == {}


async def test_a_drained_hub_lets_nobody_wait(room: Room, person: Person) -> None:
    waiting = asyncio.create_task(room.hub.changed(person.feed_id, 0, 30))
    await eventually(lambda: any(feed.waiters for feed in room.hub.watch._feeds.values()))
    room.hub.drain()
    assert await asyncio.wait_for(waiting, 15) is False
