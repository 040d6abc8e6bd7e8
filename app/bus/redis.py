"""The bus between processes: Redis Streams, beside what the process's own listeners get at once.

A message goes to the stream `starling:bus:<shard>`, chosen by its feed, in one entry with what else was waiting for
that shard: `s` is the sending process, `m` the messages in MessagePack. A process reads on from where it was, so that a
short outage is made up for from the streams. What is lost all the same is found by the hub, which is told to look.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import cast
from uuid import UUID

import msgspec
import structlog

from app import telemetry
from app.bus import shared_texts
from app.bus.client import connect, succeeds
from app.bus.local import LocalBus
from app.bus.outbox import Outbox
from app.model import Delta, Message

SHARDS = 8
STREAMS = [f"starling:bus:{shard}" for shard in range(SHARDS)]
KEPT = 1_000
"""About how many entries of a shard are kept for those who come back."""
READ_COUNT = 16
BLOCK_MS = 1_000
TIMEOUT_S = 3.0
"""For any call, above `BLOCK_MS`: a stopped Redis takes commands and never answers."""
SETTLE_S = 5.0
"""How often is looked whether the streams are still the same."""
RETRY_S = 0.25
BEGINNING = b"0-0"

log = structlog.get_logger(__name__)
_encode = msgspec.msgpack.Encoder(uuid_format="bytes").encode
_decode = msgspec.msgpack.Decoder(list[Message]).decode
_Entries = list[tuple[bytes, dict[bytes, bytes]]]


def shard_of(feed_id: UUID) -> int:
    """The same in every process, now and later."""
    return feed_id.int % SHARDS


class RedisBus(LocalBus):
    """Run `run()` as one task of the process: without it messages stay in this process."""

    def __init__(self, url: str, process: UUID) -> None:
        """`process` names this process among those that share the bus."""
        super().__init__()
        self._process = process.bytes
        self._publishing, self._reading = connect(url, TIMEOUT_S), connect(url, TIMEOUT_S)
        self._outbox = Outbox()
        self._places: dict[str, bytes] = {}
        self._connected: bool | None = None

    @property
    def is_connected(self) -> bool:
        """Whether messages of other processes arrive."""
        return self._connected is True

    def publish(self, messages: Sequence[Message]) -> None:
        """Passes the messages on, here at once and to the other processes in a moment. Never waits and never fails."""
        super().publish(messages)
        self._outbox.put(messages)

    async def run(self, on_gap: Callable[[], None]) -> None:
        """Exchanges messages until cancelled. `on_gap` is called when some of the others' may have been lost."""
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._publish_on_and_on())
                tasks.create_task(self._read_on_and_on(on_gap))
        finally:
            await self._publishing.aclose()
            await self._reading.aclose()

    async def _publish_on_and_on(self) -> None:
        while True:
            batch = await self._outbox.take()
            while not await succeeds(self._send(batch), TIMEOUT_S):  # noqa: ASYNC110 - it is tried again; twice is harmless
                await asyncio.sleep(RETRY_S)

    async def _read_on_and_on(self, on_gap: Callable[[], None]) -> None:
        loop = asyncio.get_running_loop()
        while True:
            reads = await succeeds(self._settle(on_gap), TIMEOUT_S)
            if reads and not self._connected:
                on_gap()
            self._tell(connected=reads)
            until = loop.time() + SETTLE_S
            while reads and loop.time() < until:
                reads = await succeeds(self._read(), TIMEOUT_S)
            if not reads:
                self._tell(connected=False)
                await asyncio.sleep(RETRY_S)

    async def _send(self, batch: Sequence[Message]) -> None:
        shards: dict[int, list[Message]] = {}
        for message in batch:
            shards.setdefault(shard_of(message.feed_id), []).append(message)
        pipeline = self._publishing.pipeline(transaction=False)
        shared_texts.add(pipeline, [each for each in batch if isinstance(each, Delta)])
        for shard, messages in shards.items():
            entry = {"s": self._process, "m": _encode(messages)}
            pipeline.xadd(STREAMS[shard], entry, maxlen=KEPT, approximate=True)  # type: ignore[arg-type]
        await pipeline.execute()

    async def _settle(self, on_gap: Callable[[], None]) -> None:
        """Finds the places to read on from: at first, the streams' ends."""
        ends = await self._ends()
        self._places = self._places or ends
        # Streams that end before our place were emptied, and all that they hold is new.
        emptied = {name for name, end in ends.items() if _order(end) < _order(self._places[name])}
        if emptied:
            self._places |= dict.fromkeys(emptied, BEGINNING)
            on_gap()

    async def _ends(self) -> dict[str, bytes]:
        pipeline = self._reading.pipeline(transaction=False)
        for name in STREAMS:
            pipeline.xrevrange(name, count=1)
        found: list[_Entries] = await pipeline.execute()
        return {name: entries[-1][0] if entries else BEGINNING for name, entries in zip(STREAMS, found, strict=True)}

    async def _read(self) -> None:
        places = dict(self._places)
        found = await self._reading.xread(places, count=READ_COUNT, block=BLOCK_MS)  # type: ignore[arg-type]
        for name, entries in cast("list[tuple[bytes, _Entries]]", found):
            for _, entry in entries:
                self._hear(entry)
            self._places[name.decode()] = entries[-1][0]

    def _hear(self, entry: dict[bytes, bytes]) -> None:
        if entry.get(b"s") == self._process:
            return
        try:
            messages = _decode(entry.get(b"m", b""))
        except msgspec.DecodeError:  # of another version, or no Starling's
            log.warning("bus.entry_skipped")
            return
        self.hand_out(messages)

    def _tell(self, *, connected: bool) -> None:
        if connected is self._connected:
            return
        self._connected = connected
        telemetry.bus_connected.set(connected)
        (log.info if connected else log.warning)("bus.connected" if connected else "bus.disconnected")


def _order(entry_id: bytes) -> tuple[int, int]:
    milliseconds, _, number = entry_id.partition(b"-")
    return int(milliseconds), int(number)
