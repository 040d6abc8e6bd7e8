"""A server in this process and everything that can happen to one person's feed.

Every happening is a coroutine of one small number, so that a random walk can choose among them.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

from app.hub.stream import Phase
from app.model import Cursor, Origin
from app.store.fold import Change
from app.store.upkeep import Upkeep
from tests.harness.journal import Journal
from tests.harness.listener import Listener
from tests.harness.live import Live, serving
from tests.harness.oracle import Oracle
from tests.harness.people import Person
from tests.harness.seat import Seat
from tests.harness.survivors import Replica

DEVICES = 3


@dataclass
class World:
    """`await begin()`, then whatever happens, and `await end()`."""

    database_url: str
    data_dir: Path
    chance: random.Random
    journal: Journal = field(default_factory=Journal)
    seats: list[Seat] = field(default_factory=list)
    saved: dict[str, Any] | None = None
    saved_revoked: set[str] = field(default_factory=set)
    heard: set[Any] | None = None
    """The listeners that the bus has lost."""

    async def begin(self) -> None:
        """A server, a person, devices; the last of them reads pages."""
        self.oracle = Oracle(self.database_url)
        await self._start()
        self.person = await Person.make(self.live.starling.database)
        self.pages = f"{DEVICES - 1}"
        for n in range(DEVICES):
            self.seats.append(Seat(await self.person.device(f"{n}"), Replica(f"{n}", self.journal)))
        self.journal.note(self.pages, "opened")
        self.token = await self.person.token()

    async def end(self) -> None:
        """Stops all of it."""
        for seat in self.seats:
            await seat.leave()
        await self.stack.aclose()
        await self.oracle.close()

    async def _start(self) -> None:
        self.stack = AsyncExitStack()
        self.live: Live = await self.stack.enter_async_context(serving(self.database_url, self.data_dir))
        self.heard = None
        starling = self.live.starling
        reader, grants = starling.reader, starling.grants
        reader.page = self._slowed(reader.page)  # type: ignore[method-assign, assignment]
        reader.frames = self._slowed(reader.frames)  # type: ignore[method-assign, assignment]
        reader._shared._read = self._slowed(reader._shared._read)
        grants.good = self._slowed(grants.good)  # type: ignore[method-assign, assignment]

    def _slowed(self, read: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def slow(*values: Any, **named: Any) -> Any:
            await asyncio.sleep(self.chance.choice((0, 0, 0.002, 0.01)))
            found = await read(*values, **named)
            await asyncio.sleep(self.chance.choice((0, 0, 0.002, 0.01)))
            return found

        return slow

    async def _call(self, method: str, path: str, token: str, body: Any = None) -> tuple[int, Any]:
        headers = {"authorization": f"Bearer {token}"}
        answer = await self.live.http.request(method, path, json=body, headers=headers)
        return answer.status_code, answer.json() if answer.content else None

    # Writes

    async def post(self, n: int) -> None:
        """A new item: for all, for some devices, or one that has expired already."""
        if n % 3 == 0:
            audience = tuple(seat.device.id for k, seat in enumerate(self.seats) if (n // 3) >> k & 1)
            origin, values = Origin("system", "test"), {"title": f"for {audience}"}
            change = Change(self.person.feed_id, uuid4(), "put", "create", origin, values=values, audience=audience)
            assert (await self.live.starling.committer.submit(change)).status == "applied"
            return
        body: dict[str, Any] = {"title": str(uuid4()), "text": "x" * (n * 10)}
        if n % 3 == 1:
            body["expires_at"] = (datetime.now(UTC) - timedelta(seconds=1)).isoformat()
        status, answer = await self._call("POST", "/actions/items", self.token, body)
        assert status == 201, answer

    async def update(self, n: int) -> None:
        """A change of some item."""
        if item := await self._some_item(n):
            status, answer = await self._call("PATCH", f"/actions/items/{item}", self.token, {"title": str(uuid4())})
            assert status in (200, 404), answer

    async def delete(self, n: int) -> None:
        """The end of some item."""
        if item := await self._some_item(n):
            status, answer = await self._call("DELETE", f"/actions/items/{item}", self.token)
            assert status in (200, 404), answer

    async def _some_item(self, n: int) -> str | None:
        items = [item for item in (await self.oracle.items(self.person.feed_id)).values() if not item["deleted"]]
        return items[n % len(items)]["id"] if items else None

    # Devices

    async def connect(self, n: int) -> None:
        """A device opens its stream with the cursor it has kept."""
        seat = self.seats[n % (DEVICES - 1)]
        async with seat.busy:
            if seat.is_connected:
                return
            await seat.leave()
            listener = await Listener(self.live.url, seat.device.token, seat.replica.cursor).open()
            if listener.status != 200:
                await listener.close()
                assert (listener.status, seat.revoked_at is None) == (401, False), listener.body
                return
            await seat.take_stream(listener)

    async def drop(self, n: int) -> None:
        """A device hangs up."""
        seat = self.seats[n % (DEVICES - 1)]
        async with seat.busy:
            await seat.leave()

    async def rotate(self, n: int) -> None:
        """The server ends streams as it does when their time is over."""
        for stream in [*self._streams()][: n % 2 + 1]:
            if stream.phase is not Phase.JOINING:
                stream.bye("rotate")

    async def poll(self, n: int) -> bool:
        """The last device reads a page; whether there is more."""
        seat = self.seats[-1]
        async with seat.busy:
            if seat.revoked_at is not None:
                return False
            asked = f"/v1/changes?limit={n % 4 + 1}&cursor={seat.replica.cursor or ''}"
            status, page = await self._call("GET", asked, seat.device.token)
            assert status == 200, page
            seat.replica.turn(page)
            return bool(page["has_more"])

    async def ack(self, n: int) -> None:
        """A device acknowledges a cursor it once had."""
        seat = self.seats[n % DEVICES]
        async with seat.busy:
            seat.cursors.append(seat.replica.cursor or "")
            cursor = Cursor.parse(seat.cursors[n // DEVICES % len(seat.cursors)])
            if cursor is None:
                return
            status, answer = await self._call("POST", "/v1/ack", seat.device.token, {"cursor": str(cursor)})
            assert status in ((204, 409) if seat.revoked_at is None else (401, 404, 409)), answer
            if status == 204:
                before = seat.acked[1] if seat.acked[0] == cursor.epoch else 0
                seat.acked = (cursor.epoch, max(before, cursor.seq))
            assert await self.oracle.acked(self.person.feed_id, seat.device.id) == seat.acked

    async def revoke(self, n: int) -> None:
        """A device revokes itself."""
        seat = self.seats[n % DEVICES]
        async with seat.busy:
            if seat.revoked_at is None:
                status, answer = await self._call("DELETE", f"/v1/devices/{seat.device.id}", seat.device.token)
                assert status == 204, answer
                seat.revoked_at = (len(self.journal.entries), *await self.oracle.head(self.person.feed_id))

    # The server and its database

    def _streams(self) -> list[Any]:
        feed = self.live.starling.hub.watch._feeds.get(self.person.feed_id)
        return [stream for stream in feed.streams if stream.phase is not Phase.ENDED] if feed else []

    async def expire(self, _: int) -> None:
        """What has expired becomes tombstones."""
        await self.live.starling.upkeep.expire()

    async def prune(self, _: int) -> None:
        """Tombstones go, however young they are."""
        starling = self.live.starling
        await Upkeep(starling.database, starling.committer, tombstone_age=timedelta(0)).run_once()

    async def check(self, _: int = 0) -> None:
        """What the hub does every few seconds."""
        hub = self.live.starling.hub
        await hub._on_check()
        await hub.watch.check()

    async def rename(self, _: int) -> None:
        """A new epoch for every feed."""
        await self.live.starling.lineage.renew()

    async def save(self, _: int) -> None:
        """A backup is made."""
        self.saved = await self.oracle.save(self.person.feed_id)
        self.saved_revoked = {seat.replica.name for seat in self.seats if seat.revoked_at is not None}

    async def restore(self, _: int) -> None:
        """The backup comes back, under the running server, and then what the runbook says: a new epoch."""
        if self.saved is None:
            return
        await self.oracle.restore(self.person.feed_id, self.saved)
        for seat in self.seats:
            still = seat.replica.name in self.saved_revoked
            seat.revoked_at = (len(self.journal.entries), "", 0) if still else None
            seat.acked = await self.oracle.acked(self.person.feed_id, seat.device.id)
        await self.live.starling.lineage.renew()
        self.live.starling.tokens._cache.clear()  # a restore takes longer than it remembers
        self.saved = None

    async def lose_bus(self, _: int) -> None:
        """From now on every message is lost."""
        if self.heard is None:
            bus = self.live.starling.bus
            self.heard, bus._listeners = bus._listeners, set()

    async def find_bus(self, _: int) -> None:
        """Messages arrive again; those of the meantime do not."""
        if self.heard is not None:
            self.live.starling.bus._listeners, self.heard = self.heard, None

    async def restart(self, n: int) -> None:
        """The server stops, politely or by dropping every connection, and another one starts on the same database."""
        if n % 2:
            for connection in tuple(self.live.server.server_state.connections):
                connection.transport.abort()
        await self.stack.aclose()
        await self._start()
