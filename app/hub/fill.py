"""Brings a feed up to the database after a gap, a hint or a change of history; judges its streams on revocations."""

import asyncio
from collections.abc import Callable

import structlog

from app import telemetry
from app.errors import Unavailable
from app.hub.answers import told
from app.hub.feed import Entry, Feed
from app.hub.stream import NOTHING, Phase, Stream
from app.model import Cursor, Head
from app.store.feed import FeedReader, Page
from app.store.grants import Grants

FILL_ROWS = 1000
RETRY_S = 0.5

log = structlog.get_logger(__name__)


class Filler:
    """Runs at most one fill and one judgement a feed. `pump` is called with each stream that fell behind."""

    def __init__(self, reader: FeedReader, grants: Grants, pump: Callable[[Stream], None]) -> None:
        self._reader = reader
        self._grants = grants
        self._pump = pump

    def start(self, feed: Feed[Stream], hint: int = 0) -> None:
        """Begins a fill up to `hint` unless one runs; that one then goes on to it."""
        feed.hint = max(feed.hint, hint)
        if feed.fill is None and feed.judging is None:
            feed.fill = asyncio.create_task(self._fill(feed))

    async def filled(self, feed: Feed[Stream], hint: int = 0) -> None:
        """Returns when a fill has ended, or there is a judgement to wait for first."""
        self.start(feed, hint)
        if feed.fill is not None:
            await asyncio.shield(feed.fill)

    def judge(self, feed: Feed[Stream], auth: int) -> None:
        """Something of this feed was revoked: nothing is delivered until its streams' tokens were looked at again."""
        feed.auth = max(feed.auth, auth)
        if feed.judging is None:
            feed.judging = asyncio.create_task(self._judge(feed))

    async def _judge(self, feed: Feed[Stream]) -> None:
        try:
            while True:
                looked_at = feed.auth
                await self._end_revoked(feed)
                if looked_at == feed.auth:
                    break
        finally:
            feed.judging = None
            feed.wake()  # those who poll look at their tokens again
        if feed.is_watched:
            self.start(feed)

    async def _end_revoked(self, feed: Feed[Stream]) -> None:
        while feed.streams:
            try:
                asked = {stream.token_hash for stream in feed.streams}
                revoked = asked - await self._grants.good(asked)
            except Unavailable:
                await asyncio.sleep(RETRY_S)
                continue
            except Exception:  # nothing is delivered until it is known who may have it
                log.exception("hub.judgement_failed")
                await asyncio.sleep(RETRY_S)
                continue
            for stream in joined(feed):
                if stream.token_hash in revoked:  # one that came meanwhile was looked at as it came
                    stream.revoke()
            return

    async def _fill(self, feed: Feed[Stream]) -> None:
        telemetry.fills.inc()
        try:
            while feed.is_watched and await self._step(feed):
                pass
        except Exception:  # the next check starts it again
            log.exception("hub.fill_failed")
        finally:
            feed.fill = None
            feed.wake()

    async def _step(self, feed: Feed[Stream]) -> bool:
        """Reads one page; whether there is more to do."""
        feed.hint = 0  # what was hinted at by now is in what is read next, or was not true
        try:
            page = await self._reader.page(feed.id, feed.head, device_id=None, limit=FILL_ROWS)
        except Unavailable:
            await asyncio.sleep(RETRY_S)
            return True
        if page is None:
            for stream in joined(feed):
                stream.revoke()
            return False
        if page.head.auth > feed.auth or feed.judging is not None:
            self.judge(feed, page.head.auth)
            return False  # the judgement starts a fill again
        if page.head.epoch != feed.epoch:
            self._rewritten(feed, page.head)
        elif page.has_more or page.head.floor > feed.head:  # too much, or a deletion that is pruned already
            self._left_behind(feed, page.head)
        else:
            self._extend(feed, page)
        return feed.hint > feed.head

    def _extend(self, feed: Feed[Stream], page: Page) -> None:
        for row in page.rows:
            ring(feed, feed.append(row.seq, row.item_id, row.audience, row.wire))
        feed.head = max(feed.head, page.end)
        feed.wake()

    def _left_behind(self, feed: Feed[Stream], head: Head) -> None:
        behind, answered = list(feed.live), told(feed)
        feed.live.clear()
        for stream in behind:
            stream.seq, stream.base, stream.told = feed.head, 0, answered
            stream.phase = Phase.BEHIND
        feed.load(head)
        feed.wake()
        for stream in behind:
            self._pump(stream)

    def _rewritten(self, feed: Feed[Stream], head: Head) -> None:
        log.info("feed.history_changed", feed=str(feed.id))
        feed.live.clear()
        feed.auth = head.auth  # a restore puts it back, and the tokens with it
        feed.load(head)
        feed.wake()
        self.judge(feed, head.auth)
        for stream in joined(feed):
            reset(stream, head, "epoch_changed")
            self._pump(stream)


def joined(feed: Feed[Stream]) -> list[Stream]:
    """The streams that the feed answers for; one that is still joining looks at the feed's row itself."""
    return [stream for stream in feed.streams if stream.phase in (Phase.BEHIND, Phase.LIVE)]


def ring(feed: Feed[Stream], entry: Entry) -> None:
    """Writes a change that was just appended to every live stream that it is for."""
    frame = entry.frame
    written = 0
    for stream in tuple(feed.live):  # a stream whose buffer fills up leaves the set meanwhile
        if entry.audience is None or stream.device_id in entry.audience:
            stream.transport.write(frame)  # type: ignore[union-attr]
            written += 1
    telemetry.output.add(written, written * len(frame))


def reset(stream: Stream, head: Head, reason: str) -> None:
    """Tells the device to drop its state; the whole feed follows."""
    telemetry.resets.labels(reason).inc()
    start = Cursor.beginning(head)
    stream.phase = Phase.BEHIND
    stream.seq, stream.base, stream.told, stream.company = start.seq, start.base, NOTHING, frozenset()
    if stream.ready_at >= 0:
        stream.ready_at = head.head
    stream.send("reset", {"reason": reason})
