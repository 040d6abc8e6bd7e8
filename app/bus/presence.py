"""Which devices have an open stream: receipts read it."""

from collections import Counter
from collections.abc import Mapping
from uuid import UUID


class Presence:
    """Counts the open streams of each device. A device is live while it has one."""

    def __init__(self) -> None:
        self._open: dict[UUID, Counter[UUID]] = {}

    def enter(self, feed_id: UUID, device_id: UUID) -> None:
        """One more stream of this device is open."""
        self._open.setdefault(feed_id, Counter())[device_id] += 1

    def leave(self, feed_id: UUID, device_id: UUID) -> None:
        """One stream less."""
        streams = self._open.get(feed_id)
        if streams is None:
            return
        streams[device_id] -= 1
        if streams[device_id] <= 0:
            del streams[device_id]
        if not streams:
            del self._open[feed_id]

    def live(self, feed_id: UUID) -> frozenset[UUID]:
        """The feed's live devices in this process."""
        return frozenset(self._open.get(feed_id, ()))

    async def run(self) -> None:
        """Tells other processes of this one's devices until cancelled: here there are none."""

    async def online(self, feed_id: UUID) -> frozenset[UUID]:
        """The feed's live devices in all processes, as far as this one knows."""
        return self.live(feed_id).union(await self.elsewhere(feed_id))

    async def elsewhere(self, feed_id: UUID) -> Mapping[UUID, int]:
        """The open streams of the feed's devices in other processes: here there are none."""
        return {}
