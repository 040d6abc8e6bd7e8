"""Brings one device up to its feed: connecting, reconnecting, a gap, a slow reader are all this one case."""

import asyncio

import structlog

from app import telemetry
from app.errors import Unavailable
from app.hub import sse
from app.hub.answers import OpenAnswers
from app.hub.company import tell
from app.hub.feed import Feed
from app.hub.fill import Filler, reset
from app.hub.stream import NOTHING, Phase, Stream
from app.model import Cursor
from app.store.feed import FeedReader

PAGES_AT_ONCE = 4
PAGE_ROWS = 500
PAGE_BYTES = 256 * 1024
RETRY_S = 0.5

log = structlog.get_logger(__name__)


class Pump:
    """Writes a stream the changes after its cursor, then lets it join the live ones. Stops while its buffer is full."""

    def __init__(self, reader: FeedReader, filler: Filler, answers: OpenAnswers) -> None:
        self._reader = reader
        self._filler = filler
        self._answers = answers
        self._pages = asyncio.Semaphore(PAGES_AT_ONCE)

    async def run(self, stream: Stream) -> None:
        """Returns when the stream is live, paused or ended. At most one run a stream."""
        if stream.is_pumped:
            return
        stream.is_pumped = True
        try:
            while stream.phase is Phase.BEHIND and not stream.is_paused:
                await self._step(stream, stream.feed)
        except Exception:
            log.exception("hub.pump_failed")
            stream.bye("drain")  # rather than leave it mute: it comes back with its cursor
        finally:
            stream.is_pumped = False

    async def _step(self, stream: Stream, feed: Feed[Stream]) -> None:
        if feed.judging is not None:
            await asyncio.shield(feed.judging)
            return
        if stream.seq >= stream.ready_at >= 0:
            stream.ready_at = -1
            stream.send("ready", {"cursor": stream.cursor, "device_id": str(stream.device_id)})
        if stream.is_paused:
            return
        if stream.ready_at > feed.head:  # hello named a head that the feed has not heard of yet
            await self._filler.filled(feed, stream.ready_at)
        elif stream.seq == feed.head and feed.answers is None:
            await self._answers.load(feed)
        elif stream.seq == feed.head:  # no await from here on, or a change could slip in between
            self._go_live(stream, feed)
        elif feed.lo <= stream.seq < feed.head and stream.seq >= stream.base:
            frames, stream.seq = feed.slice(stream.seq, stream.device_id)
            stream.write(frames)
            telemetry.output.add(frames.count(sse.ITEM), len(frames))
            await asyncio.sleep(0)  # others have their turn
        elif stream.seq > feed.head:  # a page was read past what the feed has
            await self._filler.filled(feed, stream.seq)
        else:
            await self._page(stream, feed)

    def _go_live(self, stream: Stream, feed: Feed[Stream]) -> None:
        self._answers.tell(stream)
        if not stream.is_paused and stream.phase is Phase.BEHIND:
            stream.phase = Phase.LIVE
            stream.told = NOTHING
            feed.live.add(stream)
            tell(stream)

    async def _page(self, stream: Stream, feed: Feed[Stream]) -> None:
        cursor = Cursor(feed.epoch, stream.seq, stream.base)
        try:
            async with self._pages:
                page = await self._reader.frames(
                    feed.id, cursor, device_id=stream.device_id, limit=PAGE_ROWS, max_bytes=PAGE_BYTES
                )
        except Unavailable:
            await asyncio.sleep(RETRY_S)
            return
        if stream.phase is not Phase.BEHIND or Cursor(feed.epoch, stream.seq, stream.base) != cursor:
            return  # ended or reset meanwhile
        if page is None:
            stream.revoke()
        elif page.head.auth > feed.auth or feed.judging is not None:
            self._filler.judge(feed, page.head.auth)  # read again after it
        elif page.head.epoch != cursor.epoch:
            await self._filler.filled(feed)
        elif (reason := cursor.refusal(page.head)) == "cursor_pruned":
            reset(stream, page.head, reason)
        else:
            if page.number:
                stream.write(sse.chunk(page.frames))
                telemetry.output.add(page.number, len(page.frames))
            stream.seq = page.end
