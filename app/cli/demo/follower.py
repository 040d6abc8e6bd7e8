"""A device: holds its stream open over HTTP, notes what arrives, acknowledges it, and reconnects from its cursor."""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from contextlib import aclosing, suppress
from dataclasses import dataclass
from typing import Any

import httpx2
import msgspec

from app.cli.access import Access
from app.cli.credentials import Credentials, SignedOut
from app.cli.subscription import Receipts, Subscription
from app.events import Event
from app.model import Cursor

DEADLINE_S = 10.0
KEPT = 1000


@dataclass(frozen=True)
class Receipt:
    """An item, or its tombstone, as it came. `at` is in seconds of the performance counter."""

    item: dict[str, Any]
    at: float


class Follower:
    """`received` holds what came since `forget()`, `cursor` the last id seen; times are of the performance counter."""

    def __init__(self, http: httpx2.AsyncClient, name: str, kind: str, credentials: Credentials) -> None:
        self.name, self.kind = name, kind
        self.access = Access(credentials, http)
        self.cursor = ""
        self.received: deque[Receipt] = deque(maxlen=KEPT)
        self.resets = 0
        self.ready_at = 0.0
        self.on_receipt: Callable[[Receipt], None] = lambda _: None
        self._subscription = Subscription(http, self.access)
        self._receipts = Receipts(http, self.access)
        self._receipts.on_told = self._notify
        self._news = asyncio.Event()
        self._work: asyncio.Task[None] | None = None

    @property
    def dialled(self) -> float:
        """When the stream was asked for last."""
        return self._subscription.dialled

    @property
    def acknowledged(self) -> str:
        """The cursor up to which the server knows that the device has everything."""
        return self._receipts.told

    def go_online(self) -> None:
        """Opens the stream, from the cursor if there is one, and keeps it open."""
        self.ready_at = 0.0
        self._work = asyncio.create_task(self._be_online())

    async def go_offline(self) -> None:
        """Closes the stream."""
        if self._work is not None:
            self._work.cancel()
            await asyncio.wait([self._work])
            self._work = None

    def forget(self) -> None:
        """Begins a new list of what is received."""
        self.received.clear()
        self.resets = 0

    async def caught_up(self) -> bool:
        """Waits for `ready`; whether it came within the deadline."""
        return await self._within_deadline(lambda: self.ready_at > 0)

    async def reached(self, seq: int) -> bool:
        """Waits for the change `seq`; whether it came within the deadline."""
        return await self._within_deadline(lambda: self._seq >= seq)

    async def settled(self) -> bool:
        """Waits until all that came is acknowledged; whether that was so within the deadline."""
        return await self._within_deadline(lambda: self.acknowledged == self.cursor)

    @property
    def _seq(self) -> int:
        cursor = Cursor.parse(self.cursor)
        return -1 if cursor is None else cursor.seq

    async def _within_deadline(self, holds: Callable[[], bool]) -> bool:
        try:
            async with asyncio.timeout(DEADLINE_S):
                await self._until(holds)
        except TimeoutError:
            return False
        return True

    async def _until(self, holds: Callable[[], bool]) -> None:
        while not holds():
            self._news.clear()
            await self._news.wait()

    async def _be_online(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._follow())
            tasks.create_task(self._receipts.run())

    async def _follow(self) -> None:
        with suppress(SignedOut):
            async with aclosing(self._subscription.events()) as events:
                async for event in events:
                    self._take(event, time.perf_counter())

    def _take(self, event: Event, at: float) -> None:
        self.cursor = event.id
        if event.name == "item":
            self._keep(Receipt(msgspec.json.decode(event.data), at))
        elif event.name == "ready":
            self.ready_at = at
        elif event.name == "reset":
            self.resets += 1
        self._receipts.reach(self.cursor)
        self._notify()

    def _keep(self, receipt: Receipt) -> None:
        self.received.append(receipt)
        self.on_receipt(receipt)

    def _notify(self) -> None:
        self._news.set()
