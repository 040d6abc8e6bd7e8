"""Presence: who is told of whose coming and going."""

import json
from uuid import uuid4

import pytest

from app.hub import company
from tests.harness.people import Person
from tests.harness.room import Room, Seat
from tests.harness.waiting import eventually


def told(seat: Seat) -> list[tuple[str, bool]]:
    heard = [json.loads(event.data) for event in seat.company]
    return [(each["device_id"], each["online"]) for each in heard]


async def hears(seat: Seat, *expected: tuple[object, bool]) -> None:
    wanted = [(str(device), online) for device, online in expected]
    await eventually(lambda: told(seat) == wanted, 15, f"{wanted}, after {told(seat)}")


async def test_devices_hear_of_each_other_but_not_of_themselves(room: Room, person: Person) -> None:
    laptop, phone = await person.device("laptop"), await person.device("phone")
    first = await (await room.sit(laptop)).live()
    second = await (await room.sit(phone)).live()
    await hears(first, (phone.id, True))
    await hears(second, (laptop.id, True))
    assert all(event.id == first.stream.cursor for event in first.company)


async def test_beside_an_answer_that_is_being_written(room: Room, person: Person) -> None:
    laptop, phone = await person.device("laptop"), await person.device("phone")
    room.answers[uuid4()] = "one "
    first = await (await room.sit(laptop)).live()
    second = await (await room.sit(phone)).live()
    await hears(first, (phone.id, True))
    await hears(second, (laptop.id, True))
    for seat in (first, second):
        assert [json.loads(event.data)["text"] for event in seat.events if event.name == "answer"] == ["one "]
    second.stream.pause_writing()
    second.stream.resume_writing()
    await second.live()
    await hears(second, (laptop.id, True))


async def test_a_reconnect_within_the_grace_is_no_news(
    room: Room, person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(company, "GRACE_S", 3600)
    laptop, phone, tablet = [await person.device(name) for name in ("laptop", "phone", "tablet")]
    seat = await (await room.sit(laptop)).live()
    other = await (await room.sit(phone)).live()
    await hears(seat, (phone.id, True))
    other.hang_up()
    await eventually(lambda: bool(seat.stream.feed.missing), 15, "the loss to be seen")
    await (await room.sit(phone)).live()
    await eventually(lambda: not seat.stream.feed.missing, 15, "the return to be seen")
    await (await room.sit(tablet)).live()
    await hears(seat, (phone.id, True), (tablet.id, True))


async def test_who_stays_away_is_offline(room: Room, person: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(company, "GRACE_S", 0.5)
    laptop, phone = await person.device("laptop"), await person.device("phone")
    seat = await (await room.sit(laptop)).live()
    other = await (await room.sit(phone)).live()
    await hears(seat, (phone.id, True))
    other.hang_up()
    await hears(seat, (phone.id, True), (phone.id, False))


async def test_a_slow_reader_is_told_only_what_is_still_new(
    room: Room, person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(company, "GRACE_S", 0)
    laptop, phone, tablet = [await person.device(name) for name in ("laptop", "phone", "tablet")]
    slow = await (await room.sit(laptop)).live()
    quick = await (await room.sit(tablet)).live()
    await hears(slow, (tablet.id, True))
    slow.stream.pause_writing()
    visitor = await (await room.sit(phone)).live()
    await hears(quick, (laptop.id, True), (phone.id, True))
    visitor.hang_up()
    await hears(quick, (laptop.id, True), (phone.id, True), (phone.id, False))
    quick.hang_up()
    await eventually(lambda: slow.stream.feed.online == {laptop.id}, 15, "the others to be gone")
    assert told(slow) == [(str(tablet.id), True)]
    slow.stream.resume_writing()
    await hears(slow, (tablet.id, True), (tablet.id, False))


async def test_a_crowd_is_not_told(room: Room, person: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(company, "CROWD", 2)
    devices = [await person.device(str(n)) for n in range(3)]
    seats = [await (await room.sit(device)).live() for device in devices[:2]]
    await hears(seats[0], (devices[1].id, True))
    third = await (await room.sit(devices[2])).live()
    looked = room.hub._company._due
    await eventually(lambda: not looked, 15, "the look at the crowd")
    assert told(seats[0]) == [(str(devices[1].id), True)]
    third.hang_up()
