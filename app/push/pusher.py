"""From a committed notification to the push services of its sleeping devices, and the withdrawal of what was pushed."""

import asyncio
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

import structlog

from app import telemetry
from app.bus.presence import Presence
from app.errors import Unavailable
from app.model import Changed
from app.outbound import FetchFailed, Internet, Outbound, UrlRefused
from app.push.envelope import seal
from app.push.keys import Vapid
from app.push.message import Notice, notice_of
from app.store.push import Subscription, Subscriptions

MAX_WAITING, MAX_SENDING = 1000, 1000
MAX_ANSWER_BYTES, WITHIN_S = 16 * 1024, 10.0
PAUSES_S = (1.0, 5.0, 30.0, 120.0, 600.0)
"""Between the attempts."""
LOOK_AGAIN_S = 1.0
GONE = (404, 410)
"""The subscription has ended (RFC 8030, sections 7.3 and 8.1)."""

log = structlog.get_logger(__name__)


class Pusher:
    """Give `take` what was committed here; run `run()` as one task of the process. Nobody who writes waits for it."""

    def __init__(self, internet: Internet, subscriptions: Subscriptions, presence: Presence, vapid: Vapid) -> None:
        self._outbound = Outbound(internet, max_bytes=MAX_ANSWER_BYTES, within_s=WITHIN_S)
        self._subscriptions = subscriptions
        self._presence = presence
        self._vapid = vapid
        self._waiting: asyncio.Queue[tuple[Changed, Notice]] = asyncio.Queue(MAX_WAITING)
        self._sending: set[asyncio.Task[None]] = set()

    def take(self, changes: Sequence[Changed]) -> None:
        """Never waits: what is too much is not pushed, and stays in the feed."""
        for change in changes:
            notice = notice_of(change.wire) if change.wire is not None else None
            if notice is None:
                continue
            try:
                self._waiting.put_nowait((change, notice))
            except asyncio.QueueFull:
                telemetry.pushes.labels("dropped").inc()

    async def run(self) -> None:
        """Pushes until cancelled."""
        try:
            while True:
                change, notice = await self._waiting.get()
                try:
                    await self._begin(change, notice)
                except Unavailable:
                    telemetry.pushes.labels("dropped").inc()
                    await asyncio.sleep(LOOK_AGAIN_S)
                except Exception:  # one notification's failure is no other's
                    log.exception("push.failed")
        finally:
            for task in self._sending:
                task.cancel()
            await asyncio.gather(*self._sending, return_exceptions=True)

    async def _begin(self, change: Changed, notice: Notice) -> None:
        life = notice.life_s(time.time())
        if not notice.is_wanted:
            targets = await self._subscriptions.pushed(change.feed_id, notice.id)
        elif life > 0:
            awake = await self._presence.online(change.feed_id)
            found = await self._subscriptions.sleeping(change.feed_id, awake)
            targets = [each for each in found if change.audience is None or each.device_id in change.audience]
        else:
            return
        if notice.is_wanted and targets:
            until = datetime.now(UTC) + timedelta(seconds=life)
            await self._subscriptions.note(change.feed_id, notice.id, [each.device_id for each in targets], until)
        for target in targets:
            if len(self._sending) >= MAX_SENDING:
                telemetry.pushes.labels("dropped").inc()
                continue
            task = asyncio.create_task(self._send(change.feed_id, notice, target))
            self._sending.add(task)
            task.add_done_callback(self._sent)

    def _sent(self, task: asyncio.Task[None]) -> None:
        self._sending.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("push.failed", exc_info=error)

    async def _send(self, feed_id: UUID, notice: Notice, target: Subscription) -> None:
        """Tries again while the push service is away, unless the item was read meanwhile or is of no use any more."""
        for pause in (*PAUSES_S, None):
            outcome = await self._attempt(notice, target)
            if outcome == "gone":
                await self._subscriptions.drop(target.device_id, target.endpoint)
            if outcome != "failed" or pause is None:
                telemetry.pushes.labels(outcome).inc()
                return
            await asyncio.sleep(pause)
            if notice.is_wanted and not await self._subscriptions.is_noted(feed_id, notice.id, target.device_id):
                return

    async def _attempt(self, notice: Notice, target: Subscription) -> str:
        """`sent`; `gone`: nobody is there any more; `refused`: it will not do; `failed`: it may do later."""
        now = time.time()
        if notice.life_s(now) <= 0 and notice.is_wanted:
            return "refused"
        headers = notice.headers(now) | {"authorization": self._vapid.authorization(target.endpoint, now)}
        body = seal(notice.body(), target.p256dh, target.auth)
        try:
            async with self._outbound.post(target.endpoint, body, headers) as response:
                status = response.status
        except UrlRefused:
            return "gone"
        except FetchFailed:
            return "failed"
        if 200 <= status < 300:
            return "sent"
        if status in GONE:
            return "gone"
        if status == 429 or status >= 500:
            return "failed"
        log.warning("push.refused", status=status)
        return "refused"
