"""What is left of a device's connection: a transport to write to and a cursor. The hub decides what is written."""

import asyncio
import random
import time
from collections.abc import Mapping
from enum import IntEnum
from typing import Any, Protocol
from uuid import UUID

from app import telemetry
from app.hub import sse
from app.hub.feed import Feed
from app.model import Cursor, Principal

NEVER = float("inf")
NOTHING: Mapping[UUID, int] = {}
"""Of no answer was anything written; shared, for most streams hear of none."""


class Phase(IntEnum):
    """Where a stream is in its life."""

    JOINING = 0
    BEHIND = 1
    LIVE = 2
    ENDED = 3


class Desk(Protocol):
    """What a stream tells the hub."""

    def paused(self, stream: "Stream") -> None:
        """The device takes less than it is sent."""

    def resumed(self, stream: "Stream") -> None:
        """The device has taken what was sent."""

    def left(self, stream: "Stream") -> None:
        """The connection is gone."""


class Stream(asyncio.Protocol):
    """One open stream. While it is LIVE its cursor is the feed's head: `seq`, `base`, `told` count while it is not."""

    __slots__ = (
        "base",
        "company",
        "connections",
        "desk",
        "device_id",
        "ends_at",
        "ends_for",
        "feed",
        "is_paused",
        "is_present",
        "is_pumped",
        "lost",
        "phase",
        "ready_at",
        "reauth_at",
        "sent_cursor",
        "seq",
        "stalled_at",
        "stalled_bytes",
        "token_hash",
        "told",
        "transport",
    )

    def __init__(
        self, desk: Desk, feed: Feed["Stream"], principal: Principal, device_id: UUID, sent_cursor: str | None = None
    ) -> None:
        self.desk = desk
        self.feed = feed
        self.device_id = device_id
        self.token_hash = principal.token_hash
        self.sent_cursor = sent_cursor
        self.phase = Phase.JOINING
        self.transport: asyncio.Transport | None = None
        self.connections: set[Any] = set()
        self.told: Mapping[UUID, int] = NOTHING
        self.seq = 0
        self.base = 0
        self.ready_at = 0
        self.is_paused = False
        self.is_pumped = False
        self.is_present = False
        self.lost = False
        self.company: frozenset[UUID] = frozenset()
        """The devices that it was told are there."""
        self.stalled_at = NEVER
        self.stalled_bytes = 0
        self.ends_at = NEVER
        self.ends_for = "rotate"
        self.reauth_at = NEVER

    def taken_over(self, transport: asyncio.Transport, connections: set[Any]) -> None:
        """The connection is this stream's from now on."""
        self.transport = transport
        self.connections = connections
        connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """The peer is gone, or we have closed."""
        self.lost = True
        self.connections.discard(self)
        self.desk.left(self)

    def pause_writing(self) -> None:
        """More is buffered than the transport likes (64 KiB)."""
        self.is_paused = True
        self.stalled_at, self.stalled_bytes = time.monotonic(), self.buffered
        self.desk.paused(self)

    def resume_writing(self) -> None:
        """The buffer has drained."""
        self.is_paused = False
        self.stalled_at = NEVER
        self.desk.resumed(self)

    def shutdown(self) -> None:
        """The server goes down: the device comes back to another process, or to this one's successor."""
        self.bye("drain")

    @property
    def buffered(self) -> int:
        """Bytes that the kernel has not taken yet."""
        return self.transport.get_write_buffer_size() if self.transport else 0

    @property
    def is_open(self) -> bool:
        """Whether events may still be written."""
        return self.phase is not Phase.ENDED

    @property
    def cursor(self) -> str:
        """The device's cursor once it has handled all that was written; before `hello` the one it sent, if any."""
        if self.phase is Phase.JOINING:
            return self.sent_cursor if self.sent_cursor and Cursor.parse(self.sent_cursor) else ""
        if self.phase is Phase.LIVE:
            return f"{self.feed.epoch}.{self.feed.head}"
        return str(Cursor(self.feed.epoch, self.seq, self.base))

    def write(self, frames: bytes) -> None:
        """Sends whole chunks."""
        if self.transport is not None and self.phase is not Phase.ENDED:
            self.transport.write(frames)

    def send(self, name: str, data: object, *, retry: bool = False) -> None:
        """Sends one event that is this device's alone."""
        after = random.randint(*sse.RETRY_MS) if retry else None  # noqa: S311 - spreads reconnects
        self.write(sse.chunk(sse.event(name, self.cursor, data, retry=after)))

    def bye(self, reason: str) -> None:
        """Ends the stream; the device is to reconnect."""
        self._end("bye", {"reason": reason}, reason, retry=True)

    def revoke(self) -> None:
        """Ends the stream; the device is not to come back."""
        self._end("revoked", {}, "revoked")

    def cut(self, reason: str) -> None:
        """Drops the connection at once: the peer does not take what it is sent."""
        self._leave(reason)
        if self.transport is not None:
            self.transport.abort()

    def _end(self, name: str, data: object, reason: str, *, retry: bool = False) -> None:
        if not self.is_open:
            return
        self.send(name, data, retry=retry)
        self.write(sse.LAST_CHUNK)
        self._leave(reason)
        if self.transport is not None:
            # What a device does not read it must not get later either, once it is revoked.
            (self.transport.abort if reason == "revoked" and self.is_paused else self.transport.close)()

    def _leave(self, reason: str) -> None:
        if self.is_open:
            telemetry.cuts.labels(reason).inc()
        self.phase = Phase.ENDED
        self.feed.live.discard(self)
