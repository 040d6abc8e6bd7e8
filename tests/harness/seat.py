"""A device of the random walk: what it holds, its stream if it has one, and what is known of it."""

import asyncio
from dataclasses import dataclass, field

from tests.harness.listener import Listener
from tests.harness.people import TestDevice
from tests.harness.survivors import Replica, follow


@dataclass
class Seat:
    """Its place in the world."""

    device: TestDevice
    replica: Replica
    listener: Listener | None = None
    following: "asyncio.Task[None] | None" = None
    cursors: list[str] = field(default_factory=list)
    revoked_at: tuple[int, str, int] | None = None
    """Where in the journal, and at which epoch and head, it was revoked."""
    acked: tuple[str, int] = ("", 0)
    busy: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def is_connected(self) -> bool:
        """Whether its stream is open as far as it knows."""
        return self.listener is not None and not self.listener.ended

    async def leave(self) -> None:
        """Drops the connection."""
        if self.listener is not None and self.following is not None:
            await self.listener.close()
            await self.following
        self.listener = None

    async def take_stream(self, listener: Listener) -> None:
        """Follows a stream that has just opened."""
        self.replica.opened()
        self.listener = listener
        self.following = asyncio.create_task(follow(listener, self.replica))

    def saw(self, mark: str) -> bool:
        """Whether that event came, or the stream ended before it."""
        return self.listener is None or self.listener.ended or any(mark in event.data for event in self.listener.events)
