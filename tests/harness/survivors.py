"""Clients that outlive what is killed: writers that repeat a request until it is answered, devices that come back."""

import asyncio
import json
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import httpx2

from app.events import Event
from tests.harness.journal import Journal
from tests.harness.listener import Listener

PAUSE_S = 0.05
TRY_S = 12.0


@dataclass
class Writer:
    """Creates items, and changes and deletes its own, one request at a time, each until it is answered for good."""

    name: str
    url: str
    token: str
    journal: Journal
    chance: random.Random
    roams: bool = False
    """Each request goes on a connection of its own, so that any worker may get it."""
    stopping: bool = False
    own: list[str] = field(default_factory=list)

    async def run(self) -> None:
        """Writes until `stopping`; the last request, too, is repeated until it is answered."""
        async with self.client() as http:
            while not self.stopping:
                await self._write(http, self.chance.random())

    def client(self) -> httpx2.AsyncClient:
        """For its requests."""
        headers = {"authorization": f"Bearer {self.token}"}
        limits = httpx2.Limits(max_keepalive_connections=0 if self.roams else None)
        return httpx2.AsyncClient(base_url=self.url, headers=headers, timeout=TRY_S, limits=limits)

    async def create(self, http: httpx2.AsyncClient) -> dict[str, Any] | None:
        """One more item; None when it was refused for good."""
        request_id, body = self._body()
        return await self._insist(http, "POST", "/actions/items", request_id, body)

    def _body(self) -> tuple[str, dict[str, str]]:
        request_id = str(uuid4())
        return request_id, {"title": f"{request_id} by {self.name}", "request_id": request_id}

    async def _write(self, http: httpx2.AsyncClient, what: float) -> None:
        request_id, body = self._body()
        if what < 0.6 or not self.own:
            if item := await self.create(http):
                self.own.append(item["id"])
        elif what < 0.85:
            await self._insist(http, "PATCH", f"/actions/items/{self.chance.choice(self.own)}", request_id, body)
        else:
            doomed = self.own.pop(self.chance.randrange(len(self.own)))
            await self._insist(http, "DELETE", f"/actions/items/{doomed}", request_id, None)

    async def _insist(
        self, http: httpx2.AsyncClient, verb: str, path: str, request_id: str, body: dict[str, str] | None
    ) -> dict[str, Any] | None:
        self.journal.note(self.name, "asked", request_id=request_id, verb=verb)
        while True:
            about: dict[str, Any] = {"request_id": request_id, "verb": verb}
            try:
                answer = await http.request(verb, path, json=body)
            except httpx2.TransportError as error:
                self.journal.note(self.name, "unknown", **about, detail=repr(error))
            else:
                if answer.is_success:
                    item: dict[str, Any] = answer.json()["item"]
                    self.journal.note(self.name, "ok", **about, item=item)
                    return item
                if answer.status_code != 503:
                    self.journal.note(self.name, "refused", **about, detail=answer.text)
                    return None
                is_unknown = answer.json()["code"] == "outcome_unknown"
                self.journal.note(self.name, "unknown" if is_unknown else "fail", **about, detail=answer.text)
            await asyncio.sleep(PAUSE_S)


@dataclass
class Replica:
    """A device's memory: its cursor and, in the journal, all it was sent."""

    name: str
    journal: Journal
    cursor: str | None = None
    retry_s: float = 1.5
    farewell: str | None = None
    """`bye` or `revoked`, when the last connection ended with it."""

    def opened(self) -> None:
        """A connection begins."""
        self.farewell = None
        self.journal.note(self.name, "opened", detail=self.cursor)

    def take(self, event: Event) -> None:
        """Obeys one event."""
        self.cursor = event.id or self.cursor
        if event.retry is not None:
            self.retry_s = event.retry / 1000
        epoch = (self.cursor or "").partition(".")[0]
        if event.name == "reset":
            self.journal.note(self.name, "reset", epoch=epoch, detail=event.data)
        elif event.name == "item":
            item = json.loads(event.data)
            self.journal.note(self.name, "item", epoch=epoch, seq=item["seq"], item=item)
        elif event.name in ("bye", "revoked"):
            self.farewell = event.name

    def turn(self, page: dict[str, Any]) -> None:
        """Obeys a page of `GET /v1/changes`."""
        self.cursor = page["cursor"]
        epoch = page["cursor"].partition(".")[0]
        if page["reset"]:
            self.journal.note(self.name, "reset", epoch=epoch, detail=page["reset"]["reason"])
        for item in page["items"]:
            self.journal.note(self.name, "item", epoch=epoch, seq=item["seq"], item=item)

    @property
    def seq(self) -> int:
        """Where its cursor stands."""
        return int(self.cursor.split(".")[1]) if self.cursor else 0


@dataclass
class Device:
    """Follows the stream, and after every end comes back with its cursor when `retry` is over, until cancelled."""

    url: str
    token: str
    replica: Replica

    async def run(self) -> None:
        """Ends by itself only when it was revoked."""
        while self.replica.farewell != "revoked":
            listener = Listener(self.url, self.token, self.replica.cursor)
            try:
                with suppress(OSError, EOFError, TimeoutError):
                    await self._follow(listener)
            finally:
                await listener.close()
            await asyncio.sleep(self.replica.retry_s)

    async def _follow(self, listener: Listener) -> None:
        await listener.open()
        if listener.status != 200:
            assert listener.status in (429, 503), listener.body
            return
        self.replica.opened()
        await follow(listener, self.replica)


async def follow(listener: Listener, replica: Replica) -> None:
    """Takes every event of an open stream to its end."""
    taken = 0
    while True:
        for event in listener.events[taken:]:
            replica.take(event)
        taken = len(listener.events)
        if listener.ended:
            return
        listener._changed.clear()
        await listener._changed.wait()


@asynccontextmanager
async def background(*work: "asyncio.Task[None]") -> AsyncIterator[None]:
    """Fails the test when a client failed; ends those that still run."""
    try:
        yield
        for task in work:
            if task.done():
                task.result()
    finally:
        for task in work:
            task.cancel()
        await asyncio.gather(*work, return_exceptions=True)
