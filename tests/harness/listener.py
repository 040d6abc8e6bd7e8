"""A device's stream over a raw socket: chunked HTTP, our decoder, and a log of every event in order."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

from app.events import Decoder, Event

DEADLINE_S = 15.0


@dataclass
class Listener:
    """`async with Listener(url, token) as device:`; then `until(...)`, `items`, `cursor`."""

    url: str
    token: str | None = None
    cursor: str | None = None
    query: str = ""
    events: list[Event] = field(default_factory=list)
    company: list[Event] = field(default_factory=list)
    """The presence events: they come at any time, between any others."""
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    raw: bytearray = field(default_factory=bytearray)
    ended: bool = False
    dropped: bool = False
    """The connection ended without the last chunk."""

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        await self.close()

    async def open(self) -> Self:
        """Connects and reads the head of the response; from then on a task reads events."""
        parts = urlsplit(self.url)
        self.decoder = Decoder()
        self.ended = self.dropped = False
        self._changed = asyncio.Event()
        self.reader, self.writer = await asyncio.open_connection(parts.hostname, parts.port, limit=2**22)
        request = [f"GET /v1/stream{self.query} HTTP/1.1", f"Host: {parts.netloc}"]
        if self.token is not None:
            request.append(f"Authorization: Bearer {self.token}")
        if self.cursor is not None:
            request.append(f"Last-Event-ID: {self.cursor}")
        self.writer.write("\r\n".join([*request, "", ""]).encode())
        head = (await asyncio.wait_for(self.reader.readuntil(b"\r\n\r\n"), DEADLINE_S)).decode("latin-1")
        status, *lines = head.strip().split("\r\n")
        self.status = int(status.split()[1])
        self.headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
        if self.status != 200:
            self.body = await self.reader.readexactly(int(self.headers.get("content-length", "0")))
            self.ended = True
            self._task = None
            return self
        self._task = asyncio.create_task(self._read())
        return self

    async def close(self) -> None:
        """Hangs up."""
        if getattr(self, "_task", None) is not None and self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if hasattr(self, "writer"):
            self.writer.transport.abort()

    def pause(self) -> None:
        """Stops reading from the socket."""
        self.reader._transport.pause_reading()  # type: ignore[attr-defined]

    def resume(self) -> None:
        """Reads again."""
        self.reader._transport.resume_reading()  # type: ignore[attr-defined]

    async def _read(self) -> None:
        try:
            while size := int((await self.reader.readline()).strip() or b"0", 16):
                data = (await self.reader.readexactly(size + 2))[:-2]
                self.raw += data
                for event in self.decoder.feed(data):
                    (self.company if event.name == "presence" else self.events).append(event)
                    if event.id:
                        self.cursor = event.id
                self._changed.set()
        except (asyncio.IncompleteReadError, ConnectionError):
            self.dropped = True
        finally:
            self.ended = True
            self._changed.set()

    async def until(self, condition: Callable[["Listener"], bool], within: float = DEADLINE_S) -> Self:
        """Returns when the condition holds of what was received so far."""
        async with asyncio.timeout(within):
            while not condition(self):
                assert not self.ended, f"the stream ended; last events: {self.events[-3:]}"
                self._changed.clear()
                await self._changed.wait()
        return self

    async def until_event(self, name: str, within: float = DEADLINE_S) -> Event:
        """The first event of that name."""
        await self.until(lambda seen: any(event.name == name for event in seen.events), within)
        return next(event for event in self.events if event.name == name)

    async def until_ready(self) -> Self:
        """Returns when the device was told that it has caught up."""
        await self.until_event("ready")
        return self

    async def until_seq(self, seq: int, within: float = DEADLINE_S) -> Self:
        """Returns when the item event of that seq, or a later one, has come."""
        return await self.until(lambda seen: bool(seen.seqs) and max(seen.seqs) >= seq, within)

    async def until_end(self, within: float = DEADLINE_S) -> Self:
        """Returns when the server has ended the stream."""
        async with asyncio.timeout(within):
            while not self.ended:
                self._changed.clear()
                await self._changed.wait()
        return self

    @property
    def items(self) -> list[dict[str, Any]]:
        """The items of all item events, in order."""
        return [json.loads(event.data) for event in self.events if event.name == "item"]

    @property
    def seqs(self) -> list[int]:
        """Their seqs."""
        return [item["seq"] for item in self.items]

    @property
    def names(self) -> list[str]:
        """The names of the events, in order."""
        return [event.name for event in self.events]

    def state(self) -> dict[str, dict[str, Any]]:
        """What a device that follows the protocol holds by now: items by id, tombstones removed, resets obeyed."""
        held: dict[str, dict[str, Any]] = {}
        for event in self.events:
            if event.name == "reset":
                held.clear()
            elif event.name == "item":
                item = json.loads(event.data)
                if item["deleted"]:
                    held.pop(item["id"], None)
                elif held.get(item["id"], {"seq": 0})["seq"] < item["seq"]:
                    held[item["id"]] = item
        return held
