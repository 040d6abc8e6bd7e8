"""Memory of one idle stream: growth of the server's RSS, against Litestar's own `ServerSentEvent`."""

import time
from collections.abc import Callable, Sequence

from bench import accounts, clients, references, server
from bench.accounts import Account
from bench.results import Result
from bench.sink import Sink, sink

STREAMS = 15_000
IN_ONE_FEED = 5_000
REFERENCE_STREAMS = 2_000
WARM_UP = 300
SETTLE_S = 4.0
IDLE_S = 20
"""Two keep-alives of each stream."""
TARGET_KIB = 5.0
KIB = 1024
MICROSECONDS = 1_000_000


def run(progress: Callable[[str], None]) -> list[Result]:
    """3 devices a feed, and all devices in one feed."""
    return [
        _memory("memory, 3 devices a feed", STREAMS, 3, progress),
        _memory("memory, one feed", IN_ONE_FEED, IN_ONE_FEED + WARM_UP, progress),
    ]


def _memory(name: str, streams: int, each: int, progress: Callable[[str], None]) -> Result:
    with (
        server.data_directory() as directory,
        server.starling(directory, streams_per_user=streams + WARM_UP, stream_lifetime_s=3600) as starling,
        sink() as ours,
        sink() as theirs,
    ):
        url = server.database_url(directory)
        progress(f"{name}: adding devices")
        people = accounts.create(url, -(-(streams + WARM_UP) // each), devices_each=each)
        tokens = _tokens(people)
        progress(f"{name}: opening {streams} streams")
        before = starling.cpu_s()
        grown = _growth(starling, ours, "/v1/stream", tokens, streams, b"event: ready\n")
        opening_ms = (starling.cpu_s() - before) * 1000 / (streams + WARM_UP)
        progress(f"{name}: idle for {IDLE_S} s")
        idle = _idle(starling, streams + WARM_UP)
        with references.litestar(url, directory / "references") as plain:
            progress(f"{name}: opening {REFERENCE_STREAMS} of Litestar's")
            reference = _growth(plain, theirs, "/bench/stream", tokens, REFERENCE_STREAMS, b"data: ready")
    return Result(
        name,
        "KiB a stream",
        measured=grown / KIB,
        reference=reference / KIB,
        target=TARGET_KIB,
        against="Litestar's ServerSentEvent",
        details={"streams": streams, "ms CPU a stream opened": opening_ms, **idle},
    )


def _idle(running: server.Running, streams: int) -> dict[str, float]:
    """What an open stream costs while nothing happens: keep-alives, and the check of its feed's head."""
    before, helpers = running.cpu_s(), running.helpers()
    time.sleep(IDLE_S)
    spent = {"": running.cpu_s() - before, " of Postgres": running.helpers_cpu_s(helpers)}
    return {
        f"µs CPU{whose} a second for an idle stream": cpu_s * MICROSECONDS / IDLE_S / streams
        for whose, cpu_s in spent.items()
    }


def _tokens(people: Sequence[Account]) -> list[str]:
    return [token for account in people for token in account.devices]


def _growth(running: server.Running, reader: Sink, path: str, tokens: list[str], streams: int, mark: bytes) -> float:
    """Bytes a stream. The first streams are not counted: they also pay for what all share."""
    requests = [clients.get_stream(path, token) for token in tokens[: WARM_UP + streams]]
    reader.open(running.port, requests[:WARM_UP], mark)
    time.sleep(SETTLE_S)
    before = running.rss_bytes()
    reader.open(running.port, requests[WARM_UP:], mark)
    time.sleep(SETTLE_S)
    return (running.rss_bytes() - before) / (len(requests) - WARM_UP)
