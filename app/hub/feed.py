"""One feed as a process holds it: a tail of recent frames, and the streams that follow it."""

import asyncio
from collections import deque
from typing import Generic, TypeVar
from uuid import UUID

import msgspec

from app.bus.texts import Text
from app.hub import sse
from app.model import Delta, Head

TAIL_BYTES = 128 * 1024
SLICE_BYTES = 64 * 1024

S = TypeVar("S")


class Entry(msgspec.Struct, frozen=True):
    """A change in the tail: its frame, chunk framing included, encoded once for all streams."""

    seq: int
    item_id: UUID
    audience: frozenset[UUID] | None
    frame: bytes

    def is_for(self, device_id: UUID) -> bool:
        """Whether the device is in the audience."""
        return self.audience is None or device_id in self.audience


class Feed(Generic[S]):
    """The tail covers the changes in (lo, head]. A live stream has no state of its own: its cursor is `head`."""

    __slots__ = (
        "answers",
        "auth",
        "deltas",
        "ended",
        "epoch",
        "fill",
        "head",
        "hint",
        "id",
        "is_loaded",
        "judging",
        "live",
        "lo",
        "missing",
        "newest",
        "online",
        "reading",
        "streams",
        "tail",
        "tail_bytes",
        "waiters",
    )

    def __init__(self, feed_id: UUID) -> None:
        self.id = feed_id
        self.is_loaded = False
        self.epoch = ""
        self.auth = 0
        self.head = self.lo = 0
        self.hint = 0
        self.tail: deque[Entry] = deque()
        self.tail_bytes = 0
        self.newest: dict[UUID, int] = {}
        self.streams: set[S] = set()
        self.live: set[S] = set()
        self.online: frozenset[UUID] = frozenset()
        """The devices that live streams were told are there."""
        self.missing: dict[UUID, float] = {}
        """Those of them that are not, and since when."""
        self.waiters: set[asyncio.Future[None]] = set()
        self.fill: asyncio.Task[None] | None = None
        self.judging: asyncio.Task[None] | None = None
        self.answers: dict[UUID, Text] | None = None
        """Those being written; None until somebody has to know."""
        self.reading: asyncio.Task[None] | None = None
        self.deltas: list[Delta] = []
        self.ended: set[UUID] = set()
        """Items that came while answers were read."""

    @property
    def is_watched(self) -> bool:
        """Whether anybody follows it."""
        return bool(self.streams or self.waiters)

    @property
    def is_settled(self) -> bool:
        """Whether the next change may be appended as it comes."""
        return self.is_loaded and self.fill is None and self.judging is None

    def load(self, head: Head) -> None:
        """Begins at the database's head with an empty tail; also after history or too much was missed."""
        self.is_loaded = True
        self.epoch, self.auth = head.epoch, max(self.auth, head.auth)
        self.head = self.lo = head.head
        self.tail.clear()
        self.tail_bytes = 0
        self.newest.clear()
        self.answers, self.deltas = None, []

    def append(self, seq: int, item_id: UUID, audience: frozenset[UUID] | None, wire: bytes) -> Entry:
        """The next change. `seq` is above the head; numbers between them are of changes that were replaced since."""
        entry = Entry(seq, item_id, audience, sse.chunk(sse.item(f"{self.epoch}.{seq}", wire)))
        self.tail.append(entry)
        self.tail_bytes += len(entry.frame)
        self.newest[item_id] = seq
        self.head = seq
        self._end_answer(item_id)
        while self.tail_bytes > TAIL_BYTES and len(self.tail) > 1:
            oldest = self.tail.popleft()
            self.tail_bytes -= len(oldest.frame)
            self.lo = oldest.seq
            if self.newest[oldest.item_id] == oldest.seq:
                del self.newest[oldest.item_id]
        return entry

    def _end_answer(self, item_id: UUID) -> None:
        """An answer that is an item has ended."""
        if self.answers:
            self.answers.pop(item_id, None)
        if self.reading is not None:
            self.ended.add(item_id)

    def slice(self, after: int, device_id: UUID) -> tuple[bytes, int]:
        """Frames of the tail after `after` (at least `lo`) for the device, about 64 KiB, and the seq they reach.

        Like a page of the store, each item in its newest state only.
        """
        frames: list[bytes] = []
        size = 0
        for entry in self.tail:
            if entry.seq <= after or self.newest[entry.item_id] != entry.seq or not entry.is_for(device_id):
                continue
            frames.append(entry.frame)
            size += len(entry.frame)
            if size >= SLICE_BYTES:
                return b"".join(frames), entry.seq
        return b"".join(frames), self.head

    def wake(self) -> None:
        """Tells those who wait for a change."""
        for waiter in self.waiters:
            if not waiter.done():
                waiter.set_result(None)
