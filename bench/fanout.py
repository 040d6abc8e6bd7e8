"""CPU of one delivery: one small item to many live streams of one feed, against a bare `send()` loop in C."""

import http.client
from collections.abc import Callable
from pathlib import Path
from statistics import median

from bench import accounts, clients, references, server
from bench.results import Result
from bench.sink import Sink, sink

ITEM_BYTES = 100
ROUNDS = 7
DELIVERIES = 50_000
"""In a round, at least."""
LEAST = 20
"""Items in a round, at least."""
ALONE = 200
TARGET = 1.3
MICROSECONDS = 1_000_000


def run(progress: Callable[[str], None]) -> list[Result]:
    """With 1,000 and with 5,000 streams."""
    return [_fan_out(streams, progress) for streams in (1000, 5000)]


def _fan_out(streams: int, progress: Callable[[str], None]) -> Result:
    with (
        server.data_directory() as directory,
        server.starling(directory, streams_per_device=streams, streams_per_user=streams) as starling,
        sink() as ours,
        sink() as theirs,
    ):
        account = accounts.create(server.database_url(directory), 1, devices_each=1)[0]
        publisher = Publisher(starling, account.assistant)
        progress(f"fan-out to {streams}: saves without streams")
        alone = publisher.cost(ALONE)
        progress(f"fan-out to {streams}: opening streams")
        request = clients.get_stream("/v1/stream?cursor=now", account.devices[0])
        before = starling.cpu_s()
        opened_s = ours.open(starling.port, [request] * streams, b"event: ready\n")
        details = {"opened in s": opened_s, "ms CPU a stream opened": (starling.cpu_s() - before) * 1000 / streams}
        publisher.publish(ours)
        return _measure(streams, directory, publisher, (ours, theirs), alone, details, progress)


class Publisher:
    """Saves items one at a time, each when the last one has reached every stream."""

    def __init__(self, starling: server.Running, token: str) -> None:
        self.starling = starling
        self._token = token
        self._connection = http.client.HTTPConnection("127.0.0.1", starling.port)
        self._published = 0

    def save(self) -> None:
        """Saves one."""
        clients.save_one(self._connection, self._token, clients.item(ITEM_BYTES))

    def cost(self, items: int) -> float:
        """CPU seconds of one save that nobody listens to."""
        self.save()
        before = self.starling.cpu_s()
        for _ in range(items):
            self.save()
        return (self.starling.cpu_s() - before) / items

    def publish(self, listening: Sink) -> int:
        """Saves one and waits until every stream has it; the events received so far."""
        self.save()
        self._published += 1
        return listening.count(self._published)


def _measure(
    streams: int,
    directory: Path,
    publisher: Publisher,
    sinks: tuple[Sink, Sink],
    alone: float,
    details: dict[str, float],
    progress: Callable[[str], None],
) -> Result:
    ours, theirs = sinks
    items = max(-(-DELIVERIES // streams), LEAST)
    frame = ours.sample()
    net: list[float] = []
    bare: list[float] = []
    with references.bare_loop(directory, streams, frame) as loop:
        if loop is not None:
            theirs.open(loop.server.port, [b"x"] * streams, b"")
        for turn in range(ROUNDS):
            progress(f"fan-out to {streams}: round {turn + 1} of {ROUNDS}")
            before = publisher.starling.cpu_s()
            for _ in range(items):
                publisher.publish(ours)
            net.append(((publisher.starling.cpu_s() - before) / items - alone) / streams * MICROSECONDS)
            if loop is not None:
                bare.append(loop.cost(theirs, items) / streams * MICROSECONDS)
    saved = {"µs CPU of a save, subtracted": alone * MICROSECONDS, "bytes a frame": len(frame)}
    return _result(streams, net, bare, {**details, **saved})


def _result(streams: int, net: list[float], bare: list[float], details: dict[str, float]) -> Result:
    name = f"fan-out to {streams:,} streams"
    spread = {"lowest µs": min(net), "highest µs": max(net)}
    if not bare:
        note = "(no C compiler: no reference)"
        return Result(name, "µs CPU a delivery", median(net), note=note, details={**spread, **details})
    ratios = [mine / its for mine, its in zip(net, bare, strict=True)]
    return Result(
        name,
        "µs CPU a delivery",
        measured=median(net),
        reference=median(bare),
        ratio=median(ratios),
        target=TARGET,
        against="bare C send() loop",
        note="(each item was received on every stream before the next one was saved)",
        details={"lowest": min(ratios), "highest": max(ratios), **spread, **details},
    )
