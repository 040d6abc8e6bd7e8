"""The desk: who is admitted, and a connection that goes away while it is greeted."""

import asyncio
from typing import Any

import msgspec
import pytest

from app.errors import DeviceRequired, TooManyStreams, Unavailable
from app.hub.stream import Phase
from app.store.database import Database
from tests.harness.people import Person
from tests.harness.room import Room, open_room


async def test_the_caps_count_a_device_s_and_a_user_s_streams(database: Database, person: Person) -> None:
    other = await Person.make(database)
    async with open_room(database, per_device=2, per_user=3) as room:
        laptop, phone = await person.device("laptop"), await person.device("phone")
        seats = [await room.sit(laptop), await room.sit(laptop), await room.sit(phone)]
        with pytest.raises(TooManyStreams) as of_device:
            await room.sit(laptop)
        assert of_device.value.members["limit"] == 2
        with pytest.raises(TooManyStreams) as of_user:
            await room.sit(phone)
        assert of_user.value.members["limit"] == 3
        await (await room.sit(await other.device())).live()
        seats[0].hang_up()
        await (await room.sit(phone)).live()


async def test_only_a_device_is_admitted(room: Room, person: Person) -> None:
    principal = await room.principal(await person.device())
    with pytest.raises(DeviceRequired):
        room.hub.admit(msgspec.structs.replace(principal, device_id=None), None)


async def test_a_draining_hub_admits_nobody(room: Room, person: Person) -> None:
    room.hub.drain()
    with pytest.raises(Unavailable):
        await room.sit(await person.device())


async def test_a_place_without_a_connection_is_given_back(room: Room, person: Person) -> None:
    stream = room.hub.admit(await room.principal(await person.device()), None)
    room.hub.release(stream)
    assert room.hub.watch._feeds == {}


@pytest.fixture
def slow_head(room: Room, monkeypatch: pytest.MonkeyPatch) -> tuple[asyncio.Event, asyncio.Event]:
    asked, go_on, head = asyncio.Event(), asyncio.Event(), room.reader.head

    async def slow(feed_id: Any) -> Any:
        found = await head(feed_id)
        asked.set()
        await go_on.wait()
        return found

    monkeypatch.setattr(room.reader, "head", slow)
    return asked, go_on


async def test_who_hangs_up_while_joining_is_not_taken_for_live(
    room: Room, person: Person, slow_head: tuple[asyncio.Event, asyncio.Event]
) -> None:
    asked, go_on = slow_head
    seat = await room.sit(await person.device())
    await asked.wait()
    seat.hang_up()
    go_on.set()
    await seat.joining
    assert room.presence.live(person.feed_id) == frozenset()
    assert room.hub.watch._feeds == {}
    assert seat.names == []


async def test_nothing_follows_the_bye_of_a_shutdown_while_joining(
    room: Room, person: Person, slow_head: tuple[asyncio.Event, asyncio.Event]
) -> None:
    asked, go_on = slow_head
    seat = await room.sit(await person.device())
    await asked.wait()
    seat.stream.shutdown()
    go_on.set()
    await seat.joining
    assert seat.names == ["bye"]
    assert seat.stream.phase is Phase.ENDED


async def test_a_database_that_is_away_sends_the_device_away_for_a_moment(
    room: Room, person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(_: Any) -> Any:
        raise Unavailable

    monkeypatch.setattr(room.reader, "head", away)
    seat = await room.sit(await person.device())
    await seat.joining
    assert seat.names == ["bye"]
    assert seat.events[0].retry is not None


async def test_presence_and_last_seen_follow_the_streams(room: Room, person: Person) -> None:
    device = await person.device()
    seats = [await (await room.sit(device)).live() for _ in range(2)]
    assert room.presence.live(person.feed_id) == {device.id}
    seats[0].hang_up()
    assert room.presence.live(person.feed_id) == {device.id}
    seats[1].hang_up()
    assert room.presence.live(person.feed_id) == frozenset()
    assert (person.feed_id, device.id) in room.hub._seen
