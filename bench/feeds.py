"""CPU of one delivery over many feeds: events to random feeds of three devices, against the bare `send()` loop in C."""

import random
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median

from bench import accounts, clients, references, server
from bench.accounts import Account
from bench.results import Result
from bench.sink import Sink, sink

FEEDS = 1_667
DEVICES = 3
STREAMS = FEEDS * DEVICES
ITEM_BYTES = 100
CALLERS = 32
SAVES = 640
"""In a round."""
SWEEPS = 2
"""How often the C loop sends to every socket in a round."""
ROUNDS = 20
TARGET = 2.0
MICROSECONDS = 1_000_000


def run(progress: Callable[[str], None]) -> list[Result]:
    """5,001 devices, three for each feed. As many feeds that nobody listens to tell what a save costs by itself."""
    with (
        server.data_directory() as directory,
        server.starling(directory) as starling,
        sink() as ours,
        sink() as theirs,
    ):
        progress("many feeds: adding users")
        people = accounts.create(server.database_url(directory), 2 * FEEDS, devices_each=DEVICES)
        heard, unheard = people[:FEEDS], people[FEEDS:]
        progress(f"many feeds: opening {STREAMS} streams")
        tokens = [token for account in heard for token in account.devices]
        ours.open(
            starling.port, [clients.get_stream("/v1/stream?cursor=now", each) for each in tokens], b"event: ready"
        )
        load = _Load(starling, ours)
        load.cost(unheard, devices=0)  # warms up
        load.cost(heard, devices=DEVICES)
        return [_measure(directory, load, (heard, unheard), theirs, progress)]


class _Load:
    """Saves by concurrent callers to random feeds."""

    def __init__(self, starling: server.Running, listening: Sink) -> None:
        self._starling = starling
        self.listening = listening
        self._random = random.Random(1)  # noqa: S311 - the same feeds in each run
        self._delivered = 0

    def pair(self, unheard: Sequence[Account], heard: Sequence[Account], turn: int) -> tuple[float, float]:
        """What a save costs that nobody receives, and one that three devices receive; either comes first by turns."""
        if turn % 2:
            return self.cost(unheard, devices=0), self.cost(heard, devices=DEVICES)
        published = self.cost(heard, devices=DEVICES)
        return self.cost(unheard, devices=0), published

    def cost(self, people: Sequence[Account], *, devices: int) -> float:
        """CPU seconds of the server for one save that so many devices receive; all of them have, when this returns."""
        work = [[self._request(people) for _ in range(SAVES // CALLERS)] for _ in range(CALLERS)]
        before = self._starling.cpu_s()
        clients.call(self._starling.port, work)
        self._delivered += SAVES * devices
        self.listening.total(self._delivered)
        return (self._starling.cpu_s() - before) / SAVES

    def _request(self, people: Sequence[Account]) -> bytes:
        return clients.post("/actions/items", self._random.choice(people).assistant, clients.item(ITEM_BYTES))


def _measure(
    directory: Path,
    load: _Load,
    people: tuple[list[Account], list[Account]],
    theirs: Sink,
    progress: Callable[[str], None],
) -> Result:
    heard, unheard = people
    frame = load.listening.sample()
    saves: list[float] = []
    net: list[float] = []
    bare: list[float] = []
    with references.bare_loop(directory, STREAMS, frame) as loop:
        if loop is not None:
            theirs.open(loop.server.port, [b"x"] * STREAMS, b"")
        for turn in range(ROUNDS):
            progress(f"many feeds: round {turn + 1} of {ROUNDS}")
            alone, published = load.pair(unheard, heard, turn)
            saves.append(alone)
            net.append((published - alone) / DEVICES * MICROSECONDS)
            if loop is not None:
                bare.append(loop.cost(theirs, SWEEPS) / STREAMS * MICROSECONDS)
    spread = {"lowest µs": min(net), "highest µs": max(net), "bytes a frame": float(len(frame))}
    return Result(
        f"fan-out over {FEEDS:,} feeds",
        "µs CPU a delivery",
        measured=median(net),
        reference=median(bare) if bare else None,
        ratio=median(net) / median(bare) if bare else None,
        target=TARGET if bare else None,
        against="bare C send() loop" if bare else "(no C compiler)",
        note="(what a save to a feed with three live devices costs more than one to a feed with none, by three)",
        details={**spread, "µs CPU of a save, subtracted": median(saves) * MICROSECONDS},
    )
