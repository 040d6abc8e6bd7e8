"""What happens to a stream with time, told by a clock that the test moves."""

import json
import time

import msgspec
import pytest

from app.events import Decoder
from app.hub import sse
from app.hub.stream import Phase
from app.hub.visits import KEEPALIVE_S, REAUTH_S, STALL_S
from app.store.database import Database
from tests.harness.people import Person
from tests.harness.room import Room, Seat, open_room

STEP_S = 0.5


async def seated(room: Room, person: Person, life: float | None = None) -> Seat:
    device = await person.device()
    principal = await room.principal(device)
    if life is not None:
        principal = msgspec.structs.replace(principal, good_until=time.monotonic() + life)
    return await (await room.sit(device, principal=principal)).live()


class Clock:
    """Ticks the room's calendar through the time to come."""

    def __init__(self, room: Room) -> None:
        self.calendar = room.hub._visits.calendar
        self.begun = self.now = time.monotonic()

    def go(self, seconds: float) -> None:
        end = self.now + seconds
        while self.now < end:
            self.now += STEP_S
            self.calendar.tick(self.now)


def comments(seat: Seat) -> int:
    decoder = Decoder()
    list(decoder.feed(seat.raw))
    return decoder.comments


async def test_a_comment_comes_at_least_every_12_seconds(room: Room, person: Person) -> None:
    seat, clock = await seated(room, person), Clock(room)
    seen, last = 0, clock.now
    while clock.now < clock.begun + 120:
        clock.go(STEP_S)
        if comments(seat) > seen:
            assert comments(seat) == seen + 1
            assert clock.now - last <= 12
            seen, last = seen + 1, clock.now
    assert seen >= 120 // 12
    assert KEEPALIVE_S >= 5


async def test_a_stream_is_rotated_at_80_to_100_percent_of_its_longest_life(database: Database, person: Person) -> None:
    async with open_room(database, lifetime_s=100, per_device=20) as room:
        ends = [seat.stream.ends_at - time.monotonic() for seat in [await seated(room, person) for _ in range(12)]]
    assert all(79 <= end <= 100 for end in ends)
    assert max(ends) - min(ends) > 1


async def test_a_rotated_stream_says_so_and_ends(database: Database, person: Person) -> None:
    async with open_room(database, lifetime_s=100) as room:
        seat, clock = await seated(room, person), Clock(room)
        clock.go(102)
        assert seat.stream.phase is Phase.ENDED
        told = seat.events[-1]
        assert (told.name, json.loads(told.data)) == ("bye", {"reason": "rotate"})
        assert told.retry is not None
        assert 1500 <= told.retry <= 4500
        assert seat.wire.taken.endswith(sse.LAST_CHUNK)
        assert seat.wire.closed
        assert "reauth" not in seat.names


async def test_a_stream_asks_for_a_new_token_a_minute_before_and_never_outlives_it(room: Room, person: Person) -> None:
    seat, clock = await seated(room, person, life=200), Clock(room)
    clock.go(200 - REAUTH_S - 3)
    assert "reauth" not in seat.names
    clock.go(6)
    asked = seat.events[-1]
    assert (asked.name, json.loads(asked.data)) == ("reauth", {"expires_in": 60})
    while seat.stream.is_open:
        clock.go(STEP_S)
    assert 190 <= clock.now - clock.begun <= 200.5
    assert seat.names.count("reauth") == 1
    assert (seat.names[-1], json.loads(seat.events[-1].data)) == ("bye", {"reason": "expired"})


async def test_a_token_with_less_than_a_minute_left_is_asked_for_at_once(room: Room, person: Person) -> None:
    seat, clock = await seated(room, person, life=30), Clock(room)
    clock.go(3)
    assert seat.names[-1] == "reauth"
    clock.go(28)
    assert not seat.stream.is_open


def fall_behind(seat: Seat, monkeypatch: pytest.MonkeyPatch, clock: Clock, buffered: int) -> None:
    seat.wire.buffered = buffered
    monkeypatch.setattr(time, "monotonic", lambda: clock.now)
    seat.stream.pause_writing()
    monkeypatch.undo()


async def test_a_device_that_takes_nothing_is_cut_after_20_to_30_seconds(
    room: Room, person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    seat, clock = await seated(room, person), Clock(room)
    fall_behind(seat, monkeypatch, clock, 100_000)
    paused_at, taken = clock.now, len(seat.wire.taken)
    while not seat.wire.aborted:
        clock.go(STEP_S)
        assert clock.now - paused_at <= STALL_S + KEEPALIVE_S + 2
    assert clock.now - paused_at >= STALL_S - 1
    assert len(seat.wire.taken) == taken
    assert seat.stream.phase is Phase.ENDED


async def test_a_device_that_takes_something_is_not_cut(
    room: Room, person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    seat, clock = await seated(room, person), Clock(room)
    fall_behind(seat, monkeypatch, clock, 100_000)
    for _ in range(20):
        clock.go(KEEPALIVE_S)
        seat.wire.buffered -= 100
    assert seat.stream.is_open


async def test_what_does_not_get_out_after_the_end_is_dropped(
    room: Room, person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    seat, clock = await seated(room, person), Clock(room)
    monkeypatch.setattr(seat.wire, "close", lambda: None)  # waits for a reader that does not read
    seat.stream.bye("drain")
    assert not seat.wire.aborted
    clock.go(KEEPALIVE_S + 2)
    assert seat.wire.aborted


async def test_a_revoked_device_gets_nothing_of_what_it_had_not_read(room: Room, person: Person) -> None:
    seat = await seated(room, person)
    seat.stream.pause_writing()
    seat.stream.revoke()
    assert seat.wire.aborted


async def test_an_ended_stream_ends_once_and_takes_nothing_more(room: Room, person: Person) -> None:
    seat = await seated(room, person)
    seat.stream.bye("drain")
    sent = bytes(seat.wire.taken)
    seat.stream.bye("rotate")
    seat.stream.revoke()
    seat.stream.write(b"more")
    await room.put(person)
    assert bytes(seat.wire.taken) == sent
