"""Pieces of answers: every live stream gets them in order; a slow one comes back to the text; no hole is sent."""

import json
from uuid import UUID, uuid4

from app.hub.stream import Phase
from app.model import Delta, Revoked
from app.store.fold import Change
from tests.harness.people import Person
from tests.harness.room import ORIGIN, Room, Seat
from tests.harness.waiting import eventually

ANSWER = uuid4()


def pieces(seat: Seat) -> list[tuple[int, str]]:
    data = [json.loads(event.data) for event in seat.events if event.name == "answer"]
    assert all(UUID(each["id"]) == ANSWER for each in data)
    return [(each["offset"], each["text"]) for each in data]


def delta(person: Person, offset: int, text: str) -> Delta:
    return Delta(person.feed_id, ANSWER, offset, text)


async def got(seat: Seat, *wanted: tuple[int, str]) -> None:
    await eventually(lambda: pieces(seat) == list(wanted), 15, f"{wanted} instead of {pieces(seat)}")


async def test_pieces_come_as_they_are_said(room: Room, person: Person) -> None:
    seat = await (await room.sit(await person.device())).live()
    room.answers[ANSWER] = ""
    room.say(delta(person, 0, "one "))
    await got(seat, (0, "one "))
    room.say(delta(person, 4, "two "), delta(person, 0, "one "), delta(person, 6, "o three"))
    await got(seat, (0, "one "), (4, "two "), (8, "three"))
    assert {event.id for event in seat.events} == {seat.events[0].id}


async def test_a_hole_is_read_and_sent_from_the_start(room: Room, person: Person) -> None:
    seat = await (await room.sit(await person.device())).live()
    room.answers[ANSWER] = "one "
    room.say(delta(person, 0, "one "))
    await got(seat, (0, "one "))
    room.answers[ANSWER] = "one two "
    room.say(delta(person, 8, "three"))
    await got(seat, (0, "one "), (0, "one two "), (8, "three"))


async def test_a_paused_stream_takes_nothing_and_goes_on_where_it_was(room: Room, person: Person) -> None:
    other = await (await room.sit(await person.device("other"))).live()
    seat = await (await room.sit(await person.device())).live()
    room.answers[ANSWER] = ""
    room.say(delta(person, 0, "one "))
    await got(seat, (0, "one "))
    seat.stream.pause_writing()
    room.say(delta(person, 4, "two "), delta(person, 8, "three "))
    await got(other, (0, "one "), (4, "two "), (8, "three "))
    await got(seat, (0, "one "))
    seat.stream.resume_writing()
    await got(seat, (0, "one "), (4, "two three "))
    await seat.live()
    room.say(delta(person, 14, "four"))
    await got(seat, (0, "one "), (4, "two three "), (14, "four"))


async def test_a_text_that_fills_the_buffer_is_not_sent_again_and_again(room: Room, person: Person) -> None:
    room.answers[ANSWER] = "x" * 1000
    seat = await room.sit(await person.device())

    def write(data: bytes) -> None:
        seat.wire.taken += data
        if len(data) > 500:
            seat.stream.pause_writing()

    seat.wire.write = write  # type: ignore[method-assign, assignment]
    await got(seat, (0, "x" * 1000))
    assert seat.stream.phase is Phase.BEHIND
    seat.stream.resume_writing()
    await seat.live()
    await got(seat, (0, "x" * 1000))


async def test_the_item_ends_it(room: Room, person: Person) -> None:
    seat = await (await room.sit(await person.device())).live()
    room.answers[ANSWER] = ""
    room.say(delta(person, 0, "one"))
    await got(seat, (0, "one"))
    change = Change(person.feed_id, ANSWER, "put", "create", ORIGIN, {"text": "one"}, kind="answer")
    await room.committer.submit(change)
    await seat.until_seq(1)
    room.answers.clear()
    room.say(delta(person, 3, " more"))
    late = await (await room.sit(await person.device("late"))).live()
    assert late.names == ["hello", "item", "ready"]
    assert seat.names[-1] == "item"


async def test_nothing_is_said_to_a_token_that_may_have_been_revoked(room: Room, person: Person) -> None:
    device = await person.device()
    seat = await (await room.sit(device)).live()
    other = await (await room.sit(await person.device("other"))).live()
    room.answers[ANSWER] = ""
    room.say(delta(person, 0, "one "))
    await got(seat, (0, "one "))
    auth = await room.devices.revoke(person.feed_id, device.id)
    room.say(Revoked(person.feed_id, auth), delta(person, 4, "two "))
    await seat.until("revoked")
    room.say(delta(person, 8, "three"))
    await got(other, (0, "one "), (4, "two "), (8, "three"))
    await got(seat, (0, "one "))
