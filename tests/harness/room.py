"""A hub over a real database, with committer and bus, whose devices hang on transports that only write down."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

from app.auth.tokens import digest
from app.bus.local import LocalBus
from app.bus.presence import Presence
from app.bus.texts import Text
from app.events import Decoder, Event
from app.hub.hub import Caps, History, Hub
from app.hub.stream import Phase, Stream
from app.model import Head, Message, Origin, Principal
from app.store.commit import Committer
from app.store.database import Database
from app.store.devices import Devices
from app.store.feed import FeedReader
from app.store.fold import Change, Outcome
from app.store.grants import Grants
from tests.harness.people import Person, TestDevice
from tests.harness.waiting import eventually

ORIGIN = Origin(via="system", client="test")


class Wire(asyncio.Transport):
    """A transport without a network: takes everything, remembers what it took and how it ended."""

    def __init__(self) -> None:
        super().__init__()
        self.taken = bytearray()
        self.buffered = 0
        self.closed = self.aborted = False
        self.stream: Stream | None = None

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Takes the bytes."""
        self.taken += data

    def get_write_buffer_size(self) -> int:
        """As the test says."""
        return self.buffered

    def close(self) -> None:
        """Loses the connection in a moment, as a real one does."""
        self.closed = True
        self._lose()

    def abort(self) -> None:
        """Likewise."""
        self.aborted = True
        self._lose()

    def _lose(self) -> None:
        stream, self.stream = self.stream, None
        if stream is not None:
            asyncio.get_running_loop().call_soon(stream.connection_lost, None)


@dataclass
class Seat:
    """A device in the room."""

    stream: Stream
    wire: Wire
    joining: asyncio.Task[None]

    @property
    def raw(self) -> bytes:
        """What was sent, without its chunk framing."""
        body, rest = bytearray(), bytes(self.wire.taken)
        while rest:
            size, _, rest = rest.partition(b"\r\n")
            body += rest[: int(size, 16)]
            rest = rest[int(size, 16) + 2 :]
        return bytes(body)

    @property
    def events(self) -> list[Event]:
        """All events so far, but for presence: that comes at any time, between any others."""
        return [event for event in Decoder().feed(self.raw) if event.name != "presence"]

    @property
    def company(self) -> list[Event]:
        """The presence events."""
        return [event for event in Decoder().feed(self.raw) if event.name == "presence"]

    @property
    def names(self) -> list[str]:
        """Their names."""
        return [event.name for event in self.events]

    @property
    def items(self) -> list[dict[str, Any]]:
        """The items of the item events."""
        return [json.loads(event.data) for event in self.events if event.name == "item"]

    @property
    def seqs(self) -> list[int]:
        """Their seqs."""
        return [item["seq"] for item in self.items]

    async def until(self, name: str, count: int = 1) -> Event:
        """The event of that name, or the `count`-th of them."""
        await eventually(lambda: self.names.count(name) >= count, 15, f"{name} after {self.names[-5:]}")
        return [event for event in self.events if event.name == name][count - 1]

    async def until_seq(self, seq: int, within: float = 15) -> None:
        """Returns when that item, or a later one, has come."""
        await eventually(lambda: bool(self.seqs) and self.seqs[-1] >= seq, within, f"item {seq} after {self.seqs[-5:]}")

    async def live(self) -> "Seat":
        """Returns when it is live."""
        await eventually(lambda: self.stream.phase is Phase.LIVE, 15, f"going live after {self.names[-5:]}")
        return self

    def hang_up(self) -> None:
        """As a peer does."""
        self.stream.connection_lost(None)


@dataclass
class Room:
    """What runs, and what a test does with it.

    `deaf`: what is published gets lost. `answers`: the texts of open answers, as the hub reads them.
    """

    database: Database
    hub: Hub
    bus: LocalBus
    presence: Presence
    reader: FeedReader
    grants: Grants
    devices: Devices
    committer: Committer
    deaf: bool = False
    rewound: list[str] = field(default_factory=list)
    answers: dict[UUID, str] = field(default_factory=dict)
    seats: list[Seat] = field(default_factory=list)

    def publish(self, messages: Sequence[Message]) -> None:
        """On the bus, unless it is deaf."""
        if not self.deaf:
            self.bus.publish(messages)

    def say(self, *messages: Message) -> None:
        """On the bus, deaf or not."""
        self.bus.publish(messages)

    async def principal(self, device: TestDevice) -> Principal:
        """Who the device's token acts as, by now."""
        found = await self.grants.by_token(digest(device.token))
        assert found is not None
        return found

    async def sit(self, device: TestDevice, cursor: str | None = None, principal: Principal | None = None) -> Seat:
        """A stream of the device that has begun to join."""
        principal = principal or await self.principal(device)
        stream, wire = self.hub.admit(principal, cursor), Wire()
        stream.taken_over(wire, set())
        wire.stream = stream
        self.seats.append(Seat(stream, wire, asyncio.create_task(self.hub.join(stream, principal))))
        return self.seats[-1]

    async def put(self, person: Person, title: str | None = None, **options: Any) -> Outcome:
        """A new item. `audience` and the rest as in `Change`."""
        title = title or str(uuid4())
        change = Change(person.feed_id, uuid4(), "put", "create", ORIGIN, {"title": title}, **options)
        return await self.committer.submit(change)

    async def delete(self, person: Person, item_id: UUID) -> Outcome:
        """A tombstone in the item's place."""
        return await self.committer.submit(Change(person.feed_id, item_id, "delete", "any", ORIGIN))

    async def head(self, person: Person) -> Head:
        """The feed's row by now."""
        return (await self.reader.heads([person.feed_id]))[person.feed_id]

    async def clear(self) -> None:
        """Everybody leaves, and what was being read for them is done."""
        for seat in self.seats:
            seat.hang_up()
        await asyncio.gather(*(seat.joining for seat in self.seats), return_exceptions=True)
        pool = self.database.engine.pool
        await eventually(lambda: pool.checkedout() == 0, 15, "the return of every connection")  # type: ignore[attr-defined]


@asynccontextmanager
async def open_room(database: Database, **caps: int) -> AsyncIterator[Room]:
    """A running hub. `caps` as in `Caps`."""
    bus, presence = LocalBus(), Presence()
    reader, grants, devices = FeedReader(database), Grants(database), Devices(database)

    async def nothing() -> None:
        pass

    def publish(messages: Sequence[Message]) -> None:
        room.publish(messages)

    async def open_answers(_: UUID) -> dict[UUID, Text]:
        return {answer_id: Text(text) for answer_id, text in room.answers.items()}

    async def rewound() -> None:
        room.rewound.append("rewound")

    limits = Caps(**{"per_device": 4, "per_user": 64, "lifetime_s": 600, **caps})
    hub = Hub(reader, grants, devices, presence, limits, history=History(nothing, rewound), read_answers=open_answers)
    writing = Database(database.engine.url.render_as_string(hide_password=False), pool_size=2)
    committer = Committer(writing, publish)
    room = Room(database, hub, bus, presence, reader, grants, devices, committer)
    work = [asyncio.create_task(each) for each in (hub.run(bus.listen()), committer.run())]
    await asyncio.sleep(0)
    try:
        yield room
    finally:
        await room.clear()
        for task in work:
            task.cancel()
        await asyncio.gather(*work, return_exceptions=True)
        await writing.close()
