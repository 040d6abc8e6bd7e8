"""What a reconnect costs the database when nothing changed: statements, counted by pg_stat_statements."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from bench import accounts, clients, database, server
from bench.results import Result
from bench.sink import Sink, sink

FEEDS = 334
DEVICES = 3
ALONE = 5
FORGET_S = 3.5
"""After this the server has forgotten the tokens that it has just seen: a device that was away is looked up again."""
TARGET = 1.0
# Of the server's own role, without transaction control. Looking tokens up reads feeds, too.
COUNT = r"""
select coalesce(sum(calls), 0),
       coalesce(sum(calls) filter (where query ~* 'from tokens'), 0),
       coalesce(sum(calls) filter (where query ~* 'from feeds' and query !~* 'from tokens'), 0)
from pg_stat_statements
where userid = 'starling_app'::regrole and query ~* '^\s*(with|select|insert|update|delete)'
"""


@dataclass(frozen=True)
class Asked:
    """Statements of the server: all, those that look tokens up, those that read feeds."""

    all: int
    tokens: int
    feeds: int

    def __sub__(self, earlier: "Asked") -> "Asked":
        return Asked(self.all - earlier.all, self.tokens - earlier.tokens, self.feeds - earlier.feeds)


def run(progress: Callable[[str], None]) -> list[Result]:
    """1,002 devices with current cursors: all at once, then some of them alone."""
    with server.data_directory() as directory:
        with server.starling(directory):
            people = accounts.create(server.database_url(directory), FEEDS, devices_each=DEVICES)
            progress("reconnect: one item for each feed")
            database.fill(directory, [account.feed_id for account in people], 1, 100)
            database.sql(directory, "alter system set shared_preload_libraries = 'pg_stat_statements'")
        requests = [
            clients.get_stream(f"/v1/stream?cursor={account.epoch}.1", token)
            for account in people
            for token in account.devices
        ]
        with server.starling(directory) as starling, sink() as devices:
            database.sql(directory, "create extension pg_stat_statements")
            progress(f"reconnect: {len(requests)} devices")
            devices.open(starling.port, requests, b"event: ready")
            together, seconds = _reconnect(directory, starling.port, devices, requests)
            alone = [_reconnect(directory, starling.port, devices, [each])[0] for each in requests[:ALONE]]
    return [_together(len(requests), together, seconds), _alone(alone)]


def _reconnect(directory: Path, port: int, devices: Sink, requests: Sequence[bytes]) -> tuple[Asked, float]:
    """What the server asked until all were ready again, and after how many seconds they were."""
    devices.close()
    time.sleep(FORGET_S)
    before = _asked(directory)
    seconds = devices.open(port, requests, b"event: ready", at_once=len(requests) + 1)
    return _asked(directory) - before, seconds


def _asked(directory: Path) -> Asked:
    return Asked(*map(int, database.sql(directory, COUNT).split("|")))


def _together(reconnects: int, asked: Asked, seconds: float) -> Result:
    return Result(
        f"queries a reconnect, {reconnects:,} at once",
        "queries",
        measured=asked.all / reconnects,
        target=TARGET,
        note="(all statements but transaction control, from closed streams to `ready` on each)",
        details={
            "queries": asked.all,
            "of them look tokens up": asked.tokens,
            "read feeds": asked.feeds,
            "seconds": seconds,
        },
    )


def _alone(asked: list[Asked]) -> Result:
    return Result(
        "queries a reconnect, alone",
        "queries",
        measured=median(each.feeds for each in asked),
        target=TARGET,
        note="(median; another query looks the token up)",
        details={"all": median(each.all for each in asked), "reconnects": len(asked)},
    )
