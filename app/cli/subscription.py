"""A device's stream from the device's side: kept open, with a token that is good, from the cursor on.

Whoever handles an event stores `cursor` then; what comes after a reconnect begins there.
"""

import asyncio
import random
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing, suppress

import httpx2

from app.cli.access import Access, Unreachable, retry_after
from app.cli.credentials import SignedOut
from app.errors import StarlingError
from app.events import Decoder, Event

FIRST_RETRY_S, LAST_RETRY_S = 1.5, 60.0
"""The server names a time with its first event; while it does not answer, the pauses double."""
STREAM_TIMEOUT = httpx2.Timeout(10, read=30)  # a comment comes at least every 12 s
NOW = "now"
"""In place of a cursor: only what happens from now on."""


class StreamRefused(StarlingError):
    """The server does not open a stream for this device."""

    code = "stream_refused"


class Revoked(SignedOut):
    """This device was signed out, on the account's page or by whoever runs the server."""

    code = "revoked"


class _Renew(Exception):
    """The token is about to end: the stream goes on with another one."""


class Subscription:
    """`cursor` is the last id seen. `dialled`: when the stream was asked for last, by the performance counter."""

    def __init__(self, http: httpx2.AsyncClient, access: Access, cursor: str = "") -> None:
        self._http = http
        self._access = access
        self.cursor = cursor
        self.dialled = 0.0
        self._retry_s = FIRST_RETRY_S
        self._failures = 0
        self._token = ""
        self._stale: str | None = None
        self.on_wait: Callable[[str, float], None] = lambda reason, seconds: None
        """Called before a pause that is not the server's wish: why, and for how long."""

    async def events(self) -> AsyncGenerator[Event]:
        """Every event, reconnecting as often as it takes. Raises `Revoked`, `SignedOut`, `StreamRefused`."""
        while True:
            try:
                async with aclosing(self._read()) as events:
                    async for event in events:
                        yield event
                        self._heed(event)
                wait_s = self._retry_s
            except _Renew:
                continue
            except (httpx2.TransportError, Unreachable) as error:
                wait_s = self._pause(error)
                self.on_wait(_reason(error), wait_s)
            await asyncio.sleep(wait_s)

    async def _read(self) -> AsyncGenerator[Event]:
        self._token = await self._access.token(self._stale)
        headers = {"authorization": f"Bearer {self._token}", "accept": "text/event-stream"}
        asked = {"cursor": NOW} if self.cursor == NOW else {}
        if self.cursor and not asked:
            headers["last-event-id"] = self.cursor
        decoder = Decoder()
        self.dialled = time.perf_counter()
        stream = self._http.stream("GET", "/v1/stream", params=asked, headers=headers, timeout=STREAM_TIMEOUT)
        async with stream as answer:
            self._require_stream(answer)
            async for received in answer.aiter_bytes():
                for event in decoder.feed(received):
                    yield event

    def _require_stream(self, answer: httpx2.Response) -> None:
        if answer.status_code == 401:
            if self._stale is not None:  # and so it is a new token that is refused
                raise Revoked
            self._stale = self._token
            raise _Renew
        if answer.status_code == 429 or answer.status_code >= 500:
            raise Unreachable(f"The server answers {answer.status_code}.", retry_after=retry_after(answer))
        media_type = answer.headers.get("content-type", "").partition(";")[0]
        if answer.status_code != 200 or media_type != "text/event-stream":
            raise StreamRefused(f"The server answers {answer.status_code} {media_type or 'without content'}.")
        self._stale = None

    def _heed(self, event: Event) -> None:
        self._failures = 0
        self.cursor = event.id or self.cursor
        if event.retry is not None:
            self._retry_s = event.retry / 1000
        if event.name == "revoked":
            raise Revoked
        if event.name == "reauth":
            self._stale = self._token
            raise _Renew

    def _pause(self, error: Exception) -> float:
        """Seconds: what the server asks for, else longer with every failure, and never the same for all devices."""
        self._failures += 1
        longest = min(LAST_RETRY_S, self._retry_s * 2.0 ** min(self._failures - 1, 6))
        asked = error.retry_after if isinstance(error, Unreachable) else 0.0
        return max(asked, longest * random.uniform(0.5, 1))  # noqa: S311 - spreads reconnects


def _reason(error: Exception) -> str:
    if isinstance(error, Unreachable):
        return error.detail
    return "The server cannot be reached." if isinstance(error, httpx2.ConnectError) else "The connection was lost."


class Receipts:
    """Tells the server how far the device is: the newest cursor only, and until the server has heard it."""

    def __init__(self, http: httpx2.AsyncClient, access: Access) -> None:
        self._http = http
        self._access = access
        self._news = asyncio.Event()
        self.reached = self.told = ""
        self.on_told: Callable[[], None] = lambda: None

    def reach(self, cursor: str) -> None:
        """The device has everything up to here."""
        self.reached = cursor
        self._news.set()

    async def run(self) -> None:
        """Tells until cancelled."""
        while True:
            await self._news.wait()
            self._news.clear()
            if self.reached != self.told and not await self.tell():
                await asyncio.sleep(FIRST_RETRY_S)
                self._news.set()

    async def tell(self) -> bool:
        """Tells the newest cursor; whether the server has heard it, even if it does not want it."""
        cursor = self.reached
        with suppress(httpx2.TransportError, Unreachable, SignedOut):
            headers = {"authorization": f"Bearer {await self._access.token()}"}
            answer = await self._http.post("/v1/ack", json={"cursor": cursor}, headers=headers)
            if answer.is_success:
                self.told = cursor
                self.on_told()
            # A cursor of a history that is no more is refused; the stream tells of the new one.
            return answer.is_success or answer.status_code in (409, 422)
        return False
