"""Answers while they are written: every live stream of the feed gets each piece, in order and without a hole."""

import asyncio
from collections.abc import Awaitable, Callable
from uuid import UUID

import msgspec
import structlog

from app.bus.texts import Text
from app.errors import Unavailable
from app.hub import sse
from app.hub.feed import Feed
from app.hub.stream import Stream
from app.model import Delta
from app.store.fold import encode

RETRY_S = 0.5
MAX_WAITING = 1000

log = structlog.get_logger(__name__)


class Piece(msgspec.Struct, frozen=True):
    """The data of an `answer` event; `offset` counts the code points before `text`."""

    id: UUID
    offset: int
    text: str


class OpenAnswers:
    """Keeps what each followed feed has of its open answers. `read` gives a feed's, as of after the call."""

    def __init__(self, read: Callable[[UUID], Awaitable[dict[UUID, Text]]]) -> None:
        self._read = read

    def hear(self, feed: Feed[Stream], delta: Delta) -> None:
        """Passes a piece on, or reads all that there is when something before it is missing."""
        if feed.answers is None:
            return  # whoever turns live reads them
        if feed.reading is not None or feed.judging is not None:
            if len(feed.deltas) < MAX_WAITING:  # else there is a hole, which is filled later
                feed.deltas.append(delta)
            return
        waiting, feed.deltas = [*feed.deltas, delta], []
        for number, each in enumerate(waiting):
            if not self._pass_on(feed, each):
                feed.deltas = waiting[number:]
                self._start(feed)
                return

    async def load(self, feed: Feed[Stream]) -> None:
        """Returns when the feed's answers are known, or after a pause."""
        self._start(feed)
        if feed.reading is not None:
            await asyncio.shield(feed.reading)
        if feed.answers is None:
            await asyncio.sleep(RETRY_S)

    def tell(self, stream: Stream) -> None:
        """Writes a stream that is about to turn live what it has not got of the open answers."""
        for answer_id, text in (stream.feed.answers or {}).items():
            offset = stream.told.get(answer_id, 0)
            if text.length > offset:
                stream.write(_frame(stream.cursor, Piece(answer_id, offset, str(text)[offset:])))
        stream.told = told(stream.feed)

    def _pass_on(self, feed: Feed[Stream], delta: Delta) -> bool:
        """False when something is missing."""
        text = (feed.answers or {}).get(delta.answer_id)
        new = None if text is None else text.take(delta.offset, delta.text)
        if text is None or new is None:
            return False
        if new:
            _ring(feed, Piece(delta.answer_id, text.length - len(new), new))
        return True

    def _start(self, feed: Feed[Stream]) -> None:
        if feed.reading is None:
            feed.ended.clear()
            feed.reading = asyncio.create_task(self._read_all(feed, feed.answers))

    async def _read_all(self, feed: Feed[Stream], before: dict[UUID, Text] | None) -> None:
        found = None
        try:
            found = await self._read(feed.id)
            while feed.judging is not None:  # nothing is delivered until it is known who may have it
                await asyncio.shield(feed.judging)
        except Unavailable:
            pass  # the next piece finds the same hole
        except Exception:
            log.exception("hub.answers_failed")
        finally:
            feed.reading = None
        if found is not None and feed.answers is before:  # else the feed began anew meanwhile
            self._take(feed, before or {}, found)
        waiting, feed.deltas = feed.deltas, []
        for delta in waiting:
            self._pass_on(feed, delta)

    def _take(self, feed: Feed[Stream], before: dict[UUID, Text], found: dict[UUID, Text]) -> None:
        feed.answers = {}
        for answer_id, text in found.items():
            if answer_id in feed.ended:
                continue
            known = before.get(answer_id)
            if known is not None and known.length >= text.length:
                feed.answers[answer_id] = known
                continue
            feed.answers[answer_id] = text
            if text.length and feed.live:
                _ring(feed, Piece(answer_id, 0, str(text)))


def told(feed: Feed[Stream]) -> dict[UUID, int]:
    """How much of each open answer a live stream of the feed was written."""
    return {answer_id: text.length for answer_id, text in (feed.answers or {}).items()}


def _ring(feed: Feed[Stream], piece: Piece) -> None:
    frame = _frame(f"{feed.epoch}.{feed.head}", piece)
    for stream in tuple(feed.live):
        stream.write(frame)


def _frame(cursor: str, piece: Piece) -> bytes:
    return sse.chunk(sse.answer(cursor, encode(piece)))
