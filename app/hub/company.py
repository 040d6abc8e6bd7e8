"""Who else is there: live devices are told when others of their user come and go."""

import asyncio
import time
from uuid import UUID

import structlog

from app.bus.presence import Presence
from app.hub import sse
from app.hub.feed import Feed
from app.hub.stream import Stream

LOOK_S = 0.25
AGAIN_S = 3.0
"""How often a feed with devices in other processes is looked at unasked: a process that was killed says nothing."""
GRACE_S = 6.0
"""How long a device may be away without a word: more than one that was told to reconnect takes (`sse.RETRY_MS`)."""
CROWD = 64
"""Of more devices than these nobody is told: what everybody is told of everybody grows with their square."""
FEEDS_AT_ONCE = 200

log = structlog.get_logger(__name__)


class Company:
    """Keeps `feed.online` up to what all processes say. Run `run()` as one task of the process."""

    def __init__(self, presence: Presence) -> None:
        self._presence = presence
        self._due: dict[Feed[Stream], float] = {}

    def look_soon(self, feed: Feed[Stream]) -> None:
        """A device of this feed came or went, here or elsewhere."""
        self._due[feed] = 0.0

    async def run(self) -> None:
        """Looks until cancelled."""
        while True:
            await asyncio.sleep(LOOK_S)
            now = time.monotonic()
            due = [feed for feed, at in self._due.items() if at <= now][:FEEDS_AT_ONCE]
            try:
                await asyncio.gather(*(self._look(feed) for feed in due))
            except Exception:  # hints are lost, and items go on
                log.exception("hub.company_failed")

    async def _look(self, feed: Feed[Stream]) -> None:
        del self._due[feed]
        if not feed.streams:
            return
        found = await self._presence.online(feed.id)
        if len(found) <= CROWD:
            self._settle(feed, found, time.monotonic())
        if not feed.streams or feed in self._due:
            return
        if feed.missing:
            self._due[feed] = min(feed.missing.values()) + GRACE_S
        if feed.online - self._presence.live(feed.id):
            self._due[feed] = min(self._due.get(feed, time.monotonic() + AGAIN_S), time.monotonic() + AGAIN_S)

    @staticmethod
    def _settle(feed: Feed[Stream], found: frozenset[UUID], now: float) -> None:
        missing = {device: feed.missing.get(device, now) for device in feed.online - found}
        feed.missing = {device: since for device, since in missing.items() if now - since < GRACE_S}
        online = found.union(feed.missing)
        if online != feed.online:
            feed.online = online
            for stream in tuple(feed.live):
                tell(stream)


def tell(stream: Stream) -> None:
    """Writes a live stream what has changed about the other devices since it was last told."""
    feed = stream.feed
    news, stream.company = (stream.company ^ feed.online) - {stream.device_id}, feed.online
    for device in news:
        told = {"device_id": device, "online": device in feed.online}
        stream.write(sse.chunk(sse.event("presence", stream.cursor, told)))
