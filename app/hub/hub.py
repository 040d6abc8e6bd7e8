"""The hub's desk: admits streams, greets them, and hears from them what becomes of them."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from contextlib import suppress
from typing import Any
from uuid import UUID

import msgspec
import structlog

from app import telemetry
from app.bus.presence import Presence
from app.bus.texts import Text
from app.errors import DeviceRequired, StarlingError, TooManyStreams, Unavailable
from app.hub.answers import OpenAnswers, told
from app.hub.company import Company
from app.hub.feed import Feed
from app.hub.fill import Filler, reset
from app.hub.pump import Pump
from app.hub.stream import Phase, Stream
from app.hub.visits import Visits
from app.hub.watch import Watch
from app.model import Cursor, Head, Message, Principal, Start
from app.store.devices import Devices
from app.store.feed import FeedReader
from app.store.grants import Grants

CHECK_S = 3.0

log = structlog.get_logger(__name__)


class Caps(msgspec.Struct, frozen=True):
    """How many streams a device and a user may have open, and how long one lives at most (seconds)."""

    per_device: int
    per_user: int
    lifetime_s: int


class History(msgspec.Struct, frozen=True):
    """Who looks after it: `settle` runs before every check of the heads, `renew` when a feed's head fell."""

    settle: Callable[[], Awaitable[object]]
    renew: Callable[[], Awaitable[object]]


class Hub:
    """Everything this process delivers. Run `run()` as one task of the process."""

    def __init__(
        self,
        reader: FeedReader,
        grants: Grants,
        devices: Devices,
        presence: Presence,
        caps: Caps,
        *,
        history: History,
        read_answers: Callable[[UUID], Awaitable[dict[UUID, Text]]],
    ) -> None:
        """`read_answers` gives what is written of a feed's open answers, by their ids."""
        self._reader = reader
        self._grants = grants
        self._devices = devices
        self._presence = presence
        self._caps = caps
        self._on_check = history.settle
        self._filler = Filler(reader, grants, self._start_pump)
        answers = OpenAnswers(read_answers)
        self._pump = Pump(reader, self._filler, answers)
        self._visits = Visits(caps.lifetime_s)
        self._company = Company(presence)
        self.watch = Watch(reader, self._filler, answers, self._company, history.renew)
        self._seen: set[tuple[UUID, UUID]] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._look_now = asyncio.Event()
        self._is_draining = False

    async def run(self, messages: AsyncIterator[list[Message]]) -> None:
        """Delivers until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.watch.hear(messages))
            tasks.create_task(self._visits.calendar.run())
            tasks.create_task(self._company.run())
            tasks.create_task(self._check_on_and_on())

    def admit(
        self, principal: Principal, sent_cursor: str | None, elsewhere: Mapping[UUID, int] | None = None
    ) -> Stream:
        """A place for one more stream; `release` it if the connection does not come to be.

        `sent_cursor` is as the client sent it, or `now`; `elsewhere` the user's open streams in other processes, by
        device.

        Raises `DeviceRequired`, `TooManyStreams` above the caps, `Unavailable` while the server stops.
        """
        if self._is_draining:
            raise Unavailable("The server is stopping.")
        if principal.device_id is None:
            raise DeviceRequired("Only a device's token opens a stream.")
        feed = self.watch.feed(principal.feed_id)
        others = elsewhere or {}
        of_device = others.get(principal.device_id, 0)
        of_device += sum(stream.device_id == principal.device_id for stream in feed.streams)
        if of_device >= self._caps.per_device:
            raise TooManyStreams("This device has too many open streams.", limit=self._caps.per_device, retryable=True)
        if len(feed.streams) + sum(others.values()) >= self._caps.per_user:
            raise TooManyStreams("Your devices have too many open streams.", limit=self._caps.per_user, retryable=True)
        stream = Stream(self, feed, principal, principal.device_id, sent_cursor)
        feed.streams.add(stream)
        return stream

    def release(self, stream: Stream) -> None:
        """Gives up the place of a stream that never got its connection."""
        if stream.transport is None:
            self.left(stream)

    async def join(self, stream: Stream, principal: Principal) -> None:
        """Serves a connection that is this stream's by now: hello, what it missed, and then what happens.

        Returns when the stream is live, paused or ended.
        """
        began = time.monotonic()
        self._visits.begin(stream, principal)
        try:
            head = await self._head_for(stream, principal)
        except StarlingError:
            stream.bye("drain")  # the database is away: come back in a moment
            return
        except Exception:
            log.exception("hub.join_failed")
            stream.bye("drain")
            return
        if head is None:
            stream.revoke()
            return
        self._greet(stream, head)
        await self._pump.run(stream)
        if stream.ready_at < 0:  # `ready` was said
            telemetry.join_seconds.observe(time.monotonic() - began)

    async def _head_for(self, stream: Stream, principal: Principal) -> Head | None:
        """The feed's row, read after the request came; None when feed or stream are gone or the token was revoked."""
        feed = stream.feed
        while stream.is_open:
            head = await self._reader.head(feed.id)
            if head is None:
                return None
            self.watch.apply(feed, head)
            auth = feed.auth
            if auth > principal.auth and not await self._grants.good([principal.token_hash]):
                return None
            if head.epoch != feed.epoch:
                await self._filler.filled(feed)
            elif auth == feed.auth and stream.is_open:  # no judgement passed over it while it was looked at
                return head
        return None

    def _greet(self, stream: Stream, head: Head) -> None:
        sent, stream.sent_cursor = stream.sent_cursor, None
        start = Start(Cursor(head.epoch, head.head)) if sent == "now" else Start.judge(sent, head)
        stream.phase = Phase.BEHIND
        stream.seq, stream.base = start.cursor.seq, start.cursor.base
        stream.ready_at = head.head
        if start.reset is not None:
            reset(stream, head, start.reset)
        told = {"device_id": str(stream.device_id), "cursor": stream.cursor, "head": head.head}
        stream.send("hello", told, retry=True)
        stream.is_present = True
        self._presence.enter(stream.feed.id, stream.device_id)
        self._company.look_soon(stream.feed)
        self._seen.add((stream.feed.id, stream.device_id))

    def paused(self, stream: Stream) -> None:
        """A live stream that is not read leaves the live ones; its cursor stays where it was."""
        if stream.phase is Phase.LIVE:
            stream.feed.live.discard(stream)
            stream.seq, stream.base, stream.told = stream.feed.head, 0, told(stream.feed)
            stream.phase = Phase.BEHIND

    def resumed(self, stream: Stream) -> None:
        """It goes on from its cursor."""
        self._start_pump(stream)

    def left(self, stream: Stream) -> None:
        """The stream is gone."""
        feed = stream.feed
        if stream not in feed.streams:
            return
        if stream.is_present:
            self._presence.leave(feed.id, stream.device_id)
            self._company.look_soon(feed)
            self._seen.add((feed.id, stream.device_id))
        stream.phase = Phase.ENDED
        feed.live.discard(stream)
        feed.streams.discard(stream)
        self.watch.release(feed)

    def check_soon(self) -> None:
        """Messages may have been lost: the next check is made now."""
        self._look_now.set()

    def drain(self) -> None:
        """The server stops: no more streams, and those who wait for a change wait no longer."""
        self._is_draining = True
        self.watch.wake_all()

    async def changed(self, feed_id: UUID, after: int, timeout_s: float) -> bool:
        """Waits until the feed's head is above `after` or its history changed; False when the time is over first."""
        if self._is_draining:
            return False
        feed: Feed[Stream] = self.watch.feed(feed_id)
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        feed.waiters.add(waiter)
        try:
            async with asyncio.timeout(timeout_s):
                head = await self._reader.head(feed_id)
                if head is None or head.head > after:
                    return True
                self.watch.apply(feed, head)
                await waiter
                return not self._is_draining
        except TimeoutError:
            return False
        finally:
            feed.waiters.discard(waiter)
            self.watch.release(feed)

    def _start_pump(self, stream: Stream) -> None:
        if stream.phase is Phase.BEHIND and not stream.is_pumped:
            self._spawn(self._pump.run(stream))

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("hub.pump_failed", exc_info=error)

    async def _note_seen(self) -> None:
        if seen := set(self._seen):
            await self._devices.seen(seen)
            self._seen -= seen

    async def _check_on_and_on(self) -> None:
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(CHECK_S):
                    await self._look_now.wait()
            self._look_now.clear()
            for part in (self.watch.check, self._on_check, self._note_seen):
                try:
                    await part()
                except Unavailable as error:
                    log.warning("hub.check_failed", reason=error.detail)
                except Exception:  # one part's failure is no other's
                    log.exception("hub.check_failed")
