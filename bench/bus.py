"""What a change costs a server that only hears of it over the bus, and how late its devices have it."""

import time
from collections.abc import Callable, Sequence
from contextlib import closing
from statistics import median
from typing import cast

from redis import Redis

from app.bus.redis import SHARDS
from bench import accounts, clients
from bench.accounts import Account
from bench.pair import Pair, Used
from bench.pair import pair as both
from bench.probe import Played, Probe
from bench.results import Result, quantile
from bench.sink import Sink, sink

CALLERS = 64
FEEDS = 334
DEVICES = 3
ITEM_BYTES = 400
EACH = 40
ROUNDS = 5
RATE = 100.0
SECONDS = 5
TURNS = 3
USERS = 20
QUIET_S = 5.0
ENTRIES, CROWD_RATE = 12_000, 4_000
BURSTS = (1, 100)
CROWD = b"bench"
"""Who sends them: neither of the two."""
SETTLE_S = 5.0
"""After this the server has told others which devices came and went, and has forgotten the tokens it had just seen."""
MICROSECONDS = 1_000_000
MILLISECONDS = 1000


def run(progress: Callable[[str], None]) -> list[Result]:
    """Saves at one server; the other follows none of the feeds, then all. Then they come back, and then latency."""
    with both() as (pair, url), sink() as devices:
        people = accounts.create(url, FEEDS, devices_each=DEVICES)
        streams = [clients.get_stream("/v1/stream?cursor=now", token) for each in people for token in each.devices]
        time.sleep(SETTLE_S)
        rest = _quiet(pair)
        progress("bus: saves that nobody follows")
        unheard = _saves(pair, people)
        stored = _stored(pair.redis)
        progress(f"bus: {DEVICES} streams of each user at the other server")
        devices.open(pair.other.port, streams, b"event: ready")
        heard = _saves(pair, people, devices)
        frame = len(devices.sample())
        progress("bus: devices come back")
        register = _registers(pair.redis)
        alone = _returns(pair, devices, streams, at_once=1)
        together = _returns(pair, devices, streams, at_once=len(streams) + 1)
        devices.close()
        unfollowed, latencies = _latency(pair, accounts.create(url, USERS, devices_each=DEVICES), progress)
        progress("bus: many servers")
        crowds = {burst: _crowd(pair, burst) for burst in BURSTS}
    return [
        _hearing(unheard, rest, unfollowed, crowds, stored),
        _delivering(heard, frame),
        _returning(alone, together, register),
        *latencies,
    ]


def _quiet(pair: Pair) -> Used:
    """What a second costs in which nothing happens."""
    before = pair.used()
    time.sleep(QUIET_S)
    return pair.used().since(before).by(QUIET_S)


def _saves(pair: Pair, people: Sequence[Account], devices: Sink | None = None) -> Used:
    """What each save costs while 64 callers save as fast as they are answered."""
    _save(pair, people, devices, 1)  # warms up
    before = pair.used()
    for turn in range(ROUNDS):
        _save(pair, people, devices, turn + 2)
    return pair.used().since(before).by(ROUNDS * CALLERS * EACH)


def _save(pair: Pair, people: Sequence[Account], devices: Sink | None, turn: int) -> None:
    tokens = [account.assistant for account in people[:CALLERS]]
    work = [[clients.post("/actions/items", token, clients.item(ITEM_BYTES)) for _ in range(EACH)] for token in tokens]
    clients.call(pair.writer.port, work)
    if devices is not None:
        devices.total(turn * CALLERS * EACH * DEVICES)


def _stored(redis: Redis) -> dict[str, float]:
    """What Valkey keeps of the saves that nobody followed."""
    streams = redis.keys("starling:bus:*")
    entries = sum(redis.xinfo_stream(each)["entries-added"] for each in streams)
    kept = sum(redis.xlen(each) for each in streams)
    size = sum(redis.memory_usage(each, samples=0) or 0 for each in streams)
    return {"changes an entry": (ROUNDS + 1) * CALLERS * EACH / entries, "bytes Valkey keeps of an entry": size / kept}


def _registers(redis: Redis) -> float:
    """Bytes that Valkey keeps of a feed with streams."""
    live = redis.keys("starling:live:*")
    return sum(redis.memory_usage(each) or 0 for each in live) / len(live)


def _returns(pair: Pair, devices: Sink, streams: list[bytes], *, at_once: int) -> Used:
    """What each stream costs that ends and comes back."""
    time.sleep(SETTLE_S)
    before = pair.used()
    devices.close()
    devices.open(pair.other.port, streams, b"event: ready", at_once=at_once)
    time.sleep(SETTLE_S)
    return pair.used().since(before).by(len(streams))


def _crowd(pair: Pair, burst: int) -> Used:
    """What an entry of one change costs that nobody follows, when a crowd of servers sends many of them.

    They come in bursts of so many for each of the bus's streams.
    """
    streams = pair.redis.keys("starling:bus:*")
    newest = {name: _newest(pair.redis, name) for name in streams}
    before, started = pair.used(), time.monotonic()
    for sent in range(0, ENTRIES, burst * len(streams)):
        time.sleep(max(0, started + sent / CROWD_RATE - time.monotonic()))
        pipeline = pair.redis.pipeline(transaction=False)
        for name in streams * burst:
            pipeline.xadd(name, {"s": CROWD, "m": newest[name]}, maxlen=1000, approximate=True)
        pipeline.execute()
    time.sleep(1)
    return pair.used().since(before).by(ENTRIES)


def _newest(redis: Redis, stream: bytes | str) -> bytes:
    (_, entry), *_ = cast("list[tuple[bytes, dict[bytes, bytes]]]", redis.xrevrange(stream, count=1))
    return entry[b"m"]


def _latency(pair: Pair, people: list[Account], progress: Callable[[str], None]) -> tuple[Used, list[Result]]:
    """100 saves a second; devices at the server that saves and at the other one, by turns.

    Also what a change costs at that rate while the streams are where it was saved.
    """
    ports = {"here": pair.writer.port, "there": pair.other.port}
    played: dict[str, list[Played]] = {"here": [], "there": []}
    unfollowed: list[Used] = []
    for turn in range(TURNS):
        for place, port in ports.items():
            progress(f"bus: latency, round {turn + 1} of {TURNS}")
            with closing(Probe(pair.writer.port, people, ITEM_BYTES, streams_port=port)) as probe:
                probe.play(int(RATE), RATE)  # warms up
                before = pair.used()
                played[place].append(probe.play(int(RATE * SECONDS), RATE))
                if place == "here":
                    unfollowed.append(pair.used().since(before).by(RATE * SECONDS))
    median_used = Used(*(median(each) for each in zip(*unfollowed, strict=True)))
    return median_used, [_compare(name, share, played) for name, share in (("p50", 0.5), ("p99", 0.99))]


def _compare(name: str, share: float, played: dict[str, list[Played]]) -> Result:
    here, there = ([quantile(each.delivered, share) for each in played[place]] for place in ("here", "there"))
    return Result(
        f"action to device of the other server, {name}",
        "ms",
        measured=median(there) * MILLISECONDS,
        reference=median(here) * MILLISECONDS,
        ratio=median(mine / its for mine, its in zip(there, here, strict=True)),
        against="device of the same server",
        note=f"({RATE:.0f} actions a second, counted from when each was due)",
        client_share=max(each.client_share for each in played["there"]),
        details={
            "the bus adds ms": (median(there) - median(here)) * MILLISECONDS,
            "lowest ms": min(there) * MILLISECONDS,
            "highest ms": max(there) * MILLISECONDS,
        },
    )


def _hearing(used: Used, rest: Used, unfollowed: Used, crowds: dict[int, Used], stored: dict[str, float]) -> Result:
    return Result(
        "bus: a change that nobody follows",
        "µs CPU",
        measured=(used.other - rest.other * used.at) * MICROSECONDS,
        note="(of the server that did not make it, less what it takes at rest; 64 callers, as fast as they can)",
        details={
            f"at {RATE:.0f} a second": (unfollowed.other - rest.other / RATE) * MICROSECONDS,
            "changes a second": 1 / used.at,
            "µs of the server that saves": used.writer * MICROSECONDS,
            "of Postgres": used.postgres * MICROSECONDS,
            "of Valkey": used.valkey * MICROSECONDS,
            f"of Valkey at {RATE:.0f} a second": unfollowed.valkey * MICROSECONDS,
            "commands a change": used.commands,
            "bytes out of Valkey a change": used.sent,
            **stored,
            **_crowded(crowds),
            "ms CPU a second at rest": rest.other * MILLISECONDS,
        },
    )


def _crowded(crowds: dict[int, Used]) -> dict[str, float]:
    said: dict[str, float] = {}
    for burst, crowd in crowds.items():
        name = f"µs of an entry of one change, {CROWD_RATE:,} a second by {burst * SHARDS}"
        said |= {name: crowd.other * MICROSECONDS, f"{name}, of Valkey": crowd.valkey * MICROSECONDS}
    return said


def _delivering(used: Used, frame: int) -> Result:
    return Result(
        "bus: a delivery of the other's change",
        "µs CPU",
        measured=used.other * MICROSECONDS / DEVICES,
        note=f"(hearing of it included, {DEVICES} streams a feed; 64 callers, as fast as they can)",
        details={"µs a change": used.other * MICROSECONDS, "changes a second": 1 / used.at, "bytes a frame": frame},
    )


def _returning(alone: Used, together: Used, register: float) -> Result:
    return Result(
        "a stream ends and comes back",
        "ms CPU",
        measured=alone.other * MILLISECONDS,
        note=f"(of the server, {FEEDS * DEVICES:,} one after another; closing, joining, and what is noted of it)",
        details={
            "Postgres": alone.postgres * MILLISECONDS,
            "Valkey": alone.valkey * MILLISECONDS,
            "commands to Valkey": alone.commands,
            "bytes of WAL": alone.wal,
            "all at once": together.other * MILLISECONDS,
            "Postgres then": together.postgres * MILLISECONDS,
            "bytes Valkey keeps of a feed with streams": register,
        },
    )
