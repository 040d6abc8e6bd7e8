"""From an action to its event on a device, at a fixed rate, against a single-row commit by pgbench."""

from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from statistics import median

from bench import accounts, database, server
from bench.probe import Played, Probe
from bench.results import Result, quantile

RATE = 100.0
SECONDS = 6
ROUNDS = 3
USERS = 20
ITEM_BYTES = 400
TARGETS = {"p50": (0.5, 5.0), "p99": (0.99, 20.0)}
MILLISECONDS = 1000

# What a save cannot do without: one row of `items`, found by its key and by its place in the feed, searchable, durable.
SINGLE_ROW = """
insert into items (feed_id, id, seq, kind, collection, status, field_seqs, search, wire)
values ('{feed}', gen_random_uuid(), nextval('bench_seq'), 'note', 'inbox', 'unread', '{{"created": 1}}',
        to_tsvector('simple', '{text}'), convert_to('{text}', 'UTF8'));
"""


def run(progress: Callable[[str], None]) -> list[Result]:
    """100 actions a second by 20 users with 3 devices each."""
    played: list[Played] = []
    commits: list[list[float]] = []
    paced: list[float] = []
    with server.data_directory() as directory, server.starling(directory) as starling:
        people = accounts.create(server.database_url(directory), USERS + 1, devices_each=3)
        single_row = _single_row(directory, people.pop())
        with closing(Probe(starling.port, people, ITEM_BYTES)) as probe:
            probe.play(int(RATE), RATE)  # warms up
            for turn in range(ROUNDS):
                progress(f"latency: round {turn + 1} of {ROUNDS}")
                played.append(probe.play(int(RATE * SECONDS), RATE))
                progress(f"latency: pgbench, round {turn + 1} of {ROUNDS}")
                commits.append(database.pgbench(directory, single_row, SECONDS // 2))
                paced += database.pgbench(directory, single_row, SECONDS // 2, RATE)
    return [
        _result(
            name,
            target,
            [quantile(each.delivered, share) for each in played],
            [quantile(each, share) for each in commits],
            quantile(paced, share),
            played,
        )
        for name, (share, target) in TARGETS.items()
    ]


def _single_row(directory: Path, account: accounts.Account) -> str:
    database.sql(directory, "create sequence bench_seq")
    return SINGLE_ROW.format(feed=account.feed_id, text="x " * (ITEM_BYTES // 2))


def _result(
    name: str, target: float, mine: list[float], its: list[float], paced: float, played: list[Played]
) -> Result:
    ratios = [one / other for one, other in zip(mine, its, strict=True)]
    late = [lateness for each in played for lateness in each.sent]
    return Result(
        f"action to device, {name}",
        "ms",
        measured=median(mine) * MILLISECONDS,
        reference=median(its) * MILLISECONDS,
        ratio=median(ratios),
        target=target,
        against="single-row commit, pgbench -c1",
        note=f"({RATE:.0f} actions a second at a fixed schedule, counted from when each was due)",
        client_share=max(each.client_share for each in played),
        details={
            "lowest": min(ratios),
            "highest": max(ratios),
            f"the same commit by pgbench at {RATE:.0f} a second, ms": paced * MILLISECONDS,
            "deliveries": sum(len(each.delivered) for each in played),
            "slowest ms": max(max(each.delivered) for each in played) * MILLISECONDS,
            "sent too late by ms, p99": quantile(late, 0.99) * MILLISECONDS,
            "cores the client used": max(each.client_share for each in played),
        },
    )
