"""A stream whose device takes less than it is sent: it leaves the live ones, and comes back without a loss."""

from typing import Any

import pytest

from app.hub import pump
from tests.harness.people import Person
from tests.harness.room import Room, Seat
from tests.harness.waiting import eventually


async def pause(seat: Seat) -> None:
    seat.wire.buffered = 100_000
    seat.stream.pause_writing()


async def test_a_slow_reader_gets_nothing_until_it_reads_again_and_then_all_of_it(room: Room, person: Person) -> None:
    slow = await (await room.sit(await person.device("slow"))).live()
    quick = await (await room.sit(await person.device("quick"))).live()
    await room.put(person)
    await slow.until_seq(1)
    await pause(slow)
    for _ in range(4):
        await room.put(person)
    await quick.until_seq(5)
    assert slow.seqs == [1]
    slow.wire.buffered = 0
    slow.stream.resume_writing()
    await slow.live()
    await room.put(person)
    await slow.until_seq(6)
    assert slow.seqs == [1, 2, 3, 4, 5, 6]
    assert slow.names.count("ready") == 1


async def test_a_pump_stops_when_the_buffer_fills_up(
    room: Room, person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pump, "PAGE_ROWS", 2)
    for _ in range(10):
        await room.put(person)
    seat = await room.sit(await person.device())
    take = seat.wire.write

    def fills_up(data: Any) -> None:
        take(data)
        if b"event: item" in data and not seat.stream.is_paused:
            seat.stream.pause_writing()

    monkeypatch.setattr(seat.wire, "write", fills_up)
    for at in (2, 4, 6):
        await seat.until_seq(at)
        await eventually(lambda: not seat.stream.is_pumped)
        assert seat.seqs == list(range(1, at + 1))
        seat.stream.resume_writing()
    monkeypatch.setattr(seat.wire, "write", take)
    await eventually(lambda: not seat.stream.is_pumped)
    seat.stream.resume_writing()
    await seat.live()
    assert seat.seqs == list(range(1, 11))
