"""Which devices have an open stream in any process: what each process says of itself, in Redis.

`starling:live:<feed>` is a hash of process -> `{device: open streams}` in MessagePack. It counts while the process
renews `starling:process:<process>`, so that the cost of staying alive does not grow with the devices.
"""

import asyncio
from collections import Counter, OrderedDict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from uuid import UUID

import msgspec
import structlog

from app.bus.client import connect, succeeds
from app.bus.presence import Presence
from app.model import Message, Present
from app.shared import SharedRead

ALIVE_S = 15
RENEW_S = 5.0
BELIEVED_S = 1.0
"""How long a process that was found alive is not asked for again."""
CALL_S = 1.0
READ_S = 0.25
"""The longest that a receipt waits for Redis."""
REST_S = 1.0
"""How long it is not asked again after it failed."""
KNOWN_S = 30.0
KNOWN_FEEDS = 20_000
FEEDS_AT_ONCE = 500
MARGIN_S = 60

log = structlog.get_logger(__name__)
_encode = msgspec.msgpack.Encoder(uuid_format="bytes").encode
_decode = msgspec.msgpack.Decoder(dict[UUID, int]).decode


class _Known(msgspec.Struct, frozen=True):
    counts: Mapping[UUID, int]
    at: float


class SharedPresence(Presence):
    """Run `run()` as one task of the process: without it the others do not learn of this one's devices."""

    def __init__(
        self, url: str, process: UUID, stream_lifetime_s: int, publish: Callable[[Sequence[Message]], None]
    ) -> None:
        """`process` names this process. No stream lives longer than `stream_lifetime_s`, and no entry much longer.

        `publish` is given `Present` once Redis knows of a change, so that who hears of it finds it there.
        """
        super().__init__()
        self._publish = publish
        self._name = process.hex.encode()
        self._expires_s = stream_lifetime_s + MARGIN_S
        self._redis = connect(url, CALL_S)
        self._changed: set[UUID] = set()
        self._wake = asyncio.Event()
        self._reads = SharedRead(self._read)
        self._rests_until = 0.0
        self._is_told_of = False
        self._known: OrderedDict[UUID, _Known] = OrderedDict()
        self._alive_until: dict[bytes, float] = {}

    def enter(self, feed_id: UUID, device_id: UUID) -> None:
        """One more stream of this device is open here."""
        super().enter(feed_id, device_id)
        self._note([feed_id])

    def leave(self, feed_id: UUID, device_id: UUID) -> None:
        """One stream less."""
        super().leave(feed_id, device_id)
        self._note([feed_id])

    async def elsewhere(self, feed_id: UUID) -> Mapping[UUID, int]:
        """The open streams of the feed's devices in other processes. While Redis is away: those last known of."""
        return await self._reads.get(feed_id) or {}

    async def run(self) -> None:
        """Tells the other processes of this one's devices until cancelled, and then that it is gone."""
        try:
            while True:
                self._wake.clear()
                changed = {self._changed.pop() for _ in range(min(len(self._changed), FEEDS_AT_ONCE))}
                if await succeeds(self._tell(changed), CALL_S):
                    self._publish([Present(feed_id) for feed_id in changed])
                else:
                    self._note(changed)
                    await asyncio.sleep(REST_S)
                self._note(())
                with suppress(TimeoutError):
                    async with asyncio.timeout(RENEW_S):
                        await self._wake.wait()
        finally:
            await succeeds(self._redis.delete(_process_key(self._name)), CALL_S)
            await self._redis.aclose()

    def _note(self, feed_ids: Iterable[UUID]) -> None:
        self._changed.update(feed_ids)
        if self._changed:
            self._wake.set()

    async def _tell(self, feed_ids: Collection[UUID]) -> None:
        pipeline = self._redis.pipeline(transaction=False)
        pipeline.set(_process_key(self._name), b"", ex=ALIVE_S, get=True)
        for feed_id in feed_ids:
            key, counts = _live_key(feed_id), self._open.get(feed_id)
            if counts:
                pipeline.hset(key, self._name, _encode(dict(counts)))
                pipeline.expire(key, self._expires_s)
            else:
                pipeline.hdel(key, self._name)
        before, *_ = await pipeline.execute()
        if before is None and self._is_told_of:
            self._start_over()
        self._is_told_of = True

    def _start_over(self) -> None:
        """Redis was emptied: it is asked again when all processes have had the time to tell it anew."""
        self._rests_until = asyncio.get_running_loop().time() + RENEW_S + CALL_S
        self._note(self._open)

    async def _read(self, feed_ids: Collection[UUID]) -> dict[UUID, Mapping[UUID, int]]:
        now = asyncio.get_running_loop().time()
        if now >= self._rests_until and not await succeeds(self._look(feed_ids), READ_S):
            self._rests_until = now + READ_S + REST_S
        known = {feed_id: self._known.get(feed_id) for feed_id in feed_ids}
        return {feed_id: each.counts for feed_id, each in known.items() if each and each.at > now - KNOWN_S}

    async def _look(self, feed_ids: Collection[UUID]) -> None:
        pipeline = self._redis.pipeline(transaction=False)
        for feed_id in feed_ids:
            pipeline.hgetall(_live_key(feed_id))
        pipeline.exists(_process_key(self._name))
        *found, is_known = await pipeline.execute()
        if self._is_told_of and not is_known:
            self._start_over()
            return
        said: dict[UUID, dict[bytes, bytes]] = dict(zip(feed_ids, found, strict=True))
        dead = await self._dead({name for each in found for name in each} - {self._name})
        now = asyncio.get_running_loop().time()
        for feed_id, each in said.items():
            counts: Counter[UUID] = Counter()
            for name in each.keys() - dead - {self._name}:
                counts.update(_counted(each[name]))
            self._known[feed_id] = _Known(counts, now)
            self._known.move_to_end(feed_id)
        while len(self._known) > KNOWN_FEEDS:
            self._known.popitem(last=False)
        await self._bury({feed_id: each.keys() & dead for feed_id, each in said.items() if each.keys() & dead})

    async def _dead(self, names: Collection[bytes]) -> set[bytes]:
        """Those that have stopped renewing their key."""
        now = asyncio.get_running_loop().time()
        self._alive_until = {name: until for name, until in self._alive_until.items() if until > now}
        asked = [name for name in names if name not in self._alive_until]
        if not asked:
            return set()
        pipeline = self._redis.pipeline(transaction=False)
        for name in asked:
            pipeline.exists(_process_key(name))
        alive = dict(zip(asked, await pipeline.execute(), strict=True))
        self._alive_until |= {name: now + BELIEVED_S for name, lives in alive.items() if lives}
        return {name for name, lives in alive.items() if not lives}

    async def _bury(self, dead: Mapping[UUID, Collection[bytes]]) -> None:
        if not dead:
            return
        pipeline = self._redis.pipeline(transaction=False)
        for feed_id, names in dead.items():
            pipeline.hdel(_live_key(feed_id), *names)
        await pipeline.execute()


async def forget(url: str, process: UUID) -> None:
    """Tells all processes that this one has died: its devices are offline. Does nothing while Redis is away."""
    async with connect(url, CALL_S) as redis:
        await succeeds(redis.delete(_process_key(process.hex.encode())), CALL_S)


def _live_key(feed_id: UUID) -> str:
    return f"starling:live:{feed_id.hex}"


def _process_key(name: bytes) -> bytes:
    return b"starling:process:" + name


def _counted(value: bytes) -> dict[UUID, int]:
    try:
        return _decode(value)
    except msgspec.DecodeError:  # of another version
        log.warning("presence.entry_skipped")
        return {}
