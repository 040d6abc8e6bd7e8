"""The feeds that somebody follows here, what the bus says of them, and the check that finds what it did not say."""

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from math import inf
from uuid import UUID

import structlog

from app import telemetry
from app.hub.answers import OpenAnswers
from app.hub.company import Company
from app.hub.feed import Feed
from app.hub.fill import Filler, ring
from app.hub.stream import Stream
from app.model import Changed, Delta, Head, Message, Present, Revoked
from app.store.feed import FeedReader

log = structlog.get_logger(__name__)


class Watch:
    """Keeps each followed feed up to the database. `on_rewound` runs when a feed's head fell: history was rewritten."""

    def __init__(
        self,
        reader: FeedReader,
        filler: Filler,
        answers: OpenAnswers,
        company: Company,
        on_rewound: Callable[[], Awaitable[object]],
    ) -> None:
        self._reader = reader
        self._filler = filler
        self._answers = answers
        self._company = company
        self._on_rewound = on_rewound
        self._feeds: dict[UUID, Feed[Stream]] = {}
        self._oldest = inf

    def feed(self, feed_id: UUID) -> Feed[Stream]:
        """The feed, held from now on if it was not."""
        feed = self._feeds.get(feed_id)
        if feed is None:
            feed = self._feeds[feed_id] = Feed(feed_id)
        return feed

    def feeds(self) -> Collection[Feed[Stream]]:
        """All of them."""
        return self._feeds.values()

    def release(self, feed: Feed[Stream]) -> None:
        """Lets go of a feed that nobody follows any more."""
        if not feed.is_watched and self._feeds.get(feed.id) is feed:
            del self._feeds[feed.id]

    def wake_all(self) -> None:
        """Wakes all who wait for a change of any feed."""
        for feed in self._feeds.values():
            feed.wake()

    async def hear(self, messages: AsyncIterator[list[Message]]) -> None:
        """Takes what the bus says, until cancelled."""
        async for batch in messages:
            for message in batch:
                feed = self._feeds.get(message.feed_id)
                if feed is None:
                    continue
                try:
                    self._hear_one(feed, message)
                except Exception:  # a lost message costs seconds, a deaf hub everything
                    log.exception("hub.message_failed")
            if self._oldest < inf:
                telemetry.delivery_seconds.observe(max(0, time.time() - self._oldest))
                self._oldest = inf

    def _hear_one(self, feed: Feed[Stream], message: Message) -> None:
        if isinstance(message, Changed):
            self._take(feed, message)
        elif isinstance(message, Delta):
            self._answers.hear(feed, message)
        elif isinstance(message, Revoked) and message.auth > feed.auth:
            self._filler.judge(feed, message.auth)
        elif isinstance(message, Present):
            self._company.look_soon(feed)

    def _take(self, feed: Feed[Stream], change: Changed) -> None:
        if not feed.is_loaded:
            feed.hint = max(feed.hint, change.seq)
        elif change.auth > feed.auth:
            feed.hint = max(feed.hint, change.seq)
            self._filler.judge(feed, change.auth)
        elif change.epoch == feed.epoch and change.seq <= feed.head:
            return
        elif change.epoch == feed.epoch and change.seq == feed.head + 1 and change.wire and feed.is_settled:
            ring(feed, feed.append(change.seq, change.item_id, change.audience, change.wire))
            feed.wake()
            self._oldest = min(self._oldest, change.at)
        else:
            self._filler.start(feed, change.seq)

    def apply(self, feed: Feed[Stream], head: Head) -> bool:
        """Takes a feed's row as an event; whether it said anything new."""
        if not feed.is_loaded:
            feed.load(head)
            if feed.hint > feed.head:
                self._filler.start(feed, feed.hint)
            return False
        if head.auth > feed.auth:
            self._filler.judge(feed, head.auth)
            return True
        if head.epoch != feed.epoch or head.head > feed.head:
            self._filler.start(feed, head.head)
            return True
        return False

    async def check(self) -> None:
        """Compares every followed feed with the database in one query. Raises `Unavailable`."""
        before = {feed.id: (feed.epoch, feed.head) for feed in self._feeds.values() if feed.is_loaded}
        if not before:
            return
        heads = await self._reader.heads(before.keys())
        fell = False
        for feed_id, (epoch, known) in before.items():
            feed, head = self._feeds.get(feed_id), heads.get(feed_id)
            if feed is None:
                continue
            if head is None:
                self._filler.start(feed)
            elif head.epoch == epoch and head.head < known:
                fell = True
            elif self.apply(feed, head):
                telemetry.check_finds.inc()
        if fell:
            log.warning("hub.history_fell")
            await self._on_rewound()
