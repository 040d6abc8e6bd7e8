"""Catching up: one device that missed many items, against `COPY` of the same columns."""

import re
from collections.abc import Callable
from pathlib import Path
from statistics import median

from bench import accounts, clients, database, server
from bench.accounts import Account
from bench.results import Result
from bench.server import BenchError
from bench.sink import Sink, sink

MISSED = 100_000
ITEM_BYTES = 200
ROUNDS = 5
TARGET = 0.7
MILLISECONDS = 1000
MISSED_ROWS = "select seq, id, audience, wire from items where feed_id = '{}' and seq > 1 order by seq"
_TIME = re.compile(r"^Time: ([\d.]+) ms", re.MULTILINE)


def run(progress: Callable[[str], None]) -> list[Result]:
    """100,000 items after the device's cursor."""
    mine: list[float] = []
    its: list[float] = []
    cpu = {"server": 0.0, "Postgres": 0.0, "the client": 0.0}
    with server.data_directory() as directory, server.starling(directory) as starling, sink() as listening:
        account = accounts.create(server.database_url(directory), 1, devices_each=1)[0]
        progress(f"catch-up: adding {MISSED} items")
        database.fill(directory, [account.feed_id], MISSED + 1, ITEM_BYTES)
        database.sql(directory, "vacuum analyze items")
        wire_bytes = float(database.sql(directory, "select avg(octet_length(wire)) from items"))
        for turn in range(ROUNDS + 1):  # the first one warms up
            progress(f"catch-up: round {turn} of {ROUNDS}")
            before, helpers, client = starling.cpu_s(), starling.helpers(), listening.cpu_s()
            caught_up_s = _catch_up(starling, account, listening)
            spent = (starling.cpu_s() - before, starling.helpers_cpu_s(helpers), listening.cpu_s() - client)
            copied_s = _copy(directory, account)
            if turn:
                mine.append(MISSED / caught_up_s)
                its.append(MISSED / copied_s)
                for part, cpu_s in zip(cpu, spent, strict=True):
                    cpu[part] += cpu_s
    return [_result(mine, its, cpu, wire_bytes)]


def _catch_up(starling: server.Running, account: Account, listening: Sink) -> float:
    """Seconds from connecting to `ready`. Raises `BenchError` unless each missed item came once."""
    request = clients.get_stream(f"/v1/stream?cursor={account.epoch}.1", account.devices[0])
    seconds = listening.open(starling.port, [request], b"event: ready")
    listening.total(MISSED)
    listening.close()
    return seconds


def _copy(directory: Path, account: Account) -> float:
    said = database.sql(directory, r"\timing on", rf"\copy ({MISSED_ROWS.format(account.feed_id)}) to '/dev/null'")
    found = _TIME.search(said)
    if found is None:
        raise BenchError(f"psql did not say how long COPY took: {said[-300:]}")
    return float(found[1]) / MILLISECONDS


def _result(mine: list[float], its: list[float], cpu: dict[str, float], wire_bytes: float) -> Result:
    ratios = [one / other for one, other in zip(mine, its, strict=True)]
    seconds = sum(MISSED / rate for rate in mine)
    return Result(
        f"catching up with {MISSED:,} items",
        "rows/s",
        measured=median(mine),
        reference=median(its),
        ratio=median(ratios),
        target=TARGET,
        better="higher",
        against="COPY of the same columns, psql",
        note="(from connecting to `ready`; every item was received once)",
        client_share=cpu["the client"] / seconds,
        details={
            "lowest": min(ratios),
            "highest": max(ratios),
            "bytes an item's JSON": wire_bytes,
            **{f"cores used by {part}": spent / seconds for part, spent in cpu.items()},
        },
    )
