"""A device: holds its stream open over HTTP, notes what arrives, acknowledges it, and reconnects from its cursor."""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import httpx2
import msgspec

from app.hub.sse import Decoder, Event
from app.model import Cursor

DEADLINE_S = 10.0
KEPT = 1000
_STREAM_TIMEOUT = httpx2.Timeout(DEADLINE_S, read=30)  # a comment comes at least every 12 s


@dataclass(frozen=True)
class Receipt:
    """An item, or its tombstone, as it came. `at` is in seconds of the performance counter."""

    item: dict[str, Any]
    at: float


class Follower:
    """`received` holds what came since `forget()`, `cursor` the last id seen; times are of the performance counter."""

    def __init__(self, http: httpx2.AsyncClient, name: str, kind: str, token: str) -> None:
        self.name, self.kind, self.token = name, kind, token
        self.cursor = self.acknowledged = ""
        self.received: deque[Receipt] = deque(maxlen=KEPT)
        self.resets = 0
        self.dialled = self.ready_at = 0.0
        self.is_revoked = False
        self.on_receipt: Callable[[Receipt], None] = lambda _: None
        self._http = http
        self._headers = {"authorization": f"Bearer {token}"}
        self._retry_s = 1.5
        self._news = asyncio.Event()
        self._work: asyncio.Task[None] | None = None

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
            tasks.create_task(self._acknowledge())

    async def _follow(self) -> None:
        while not self.is_revoked:
            with suppress(httpx2.HTTPError):
                await self._read()
            await asyncio.sleep(self._retry_s)

    async def _read(self) -> None:
        headers = {**self._headers, **({"last-event-id": self.cursor} if self.cursor else {})}
        decoder = Decoder()
        self.dialled = time.perf_counter()
        async with self._http.stream("GET", "/v1/stream", headers=headers, timeout=_STREAM_TIMEOUT) as response:
            if response.status_code in {401, 403}:
                self.is_revoked = True
            response.raise_for_status()
            async for received in response.aiter_bytes():
                at = time.perf_counter()
                for event in decoder.feed(received):
                    self._take(event, at)

    def _take(self, event: Event, at: float) -> None:
        self.cursor = event.id
        if event.retry is not None:
            self._retry_s = event.retry / 1000
        if event.name == "item":
            self._keep(Receipt(msgspec.json.decode(event.data), at))
        elif event.name == "ready":
            self.ready_at = at
        elif event.name == "reset":
            self.resets += 1
        elif event.name == "revoked":
            self.is_revoked = True
        self._news.set()

    def _keep(self, receipt: Receipt) -> None:
        self.received.append(receipt)
        self.on_receipt(receipt)

    async def _acknowledge(self) -> None:
        while True:
            await self._until(lambda: self.acknowledged != self.cursor)
            cursor = self.cursor
            try:
                response = await self._http.post("/v1/ack", json={"cursor": cursor}, headers=self._headers)
                response.raise_for_status()
            except httpx2.HTTPError:
                await asyncio.sleep(self._retry_s)
                continue
            self.acknowledged = cursor
            self._news.set()
