"""A reconnect storm: a server that has just started, and all devices come back to it at once with their cursors."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bench import accounts, clients, database, server
from bench.accounts import Account
from bench.results import Result
from bench.sink import sink

FEEDS = 1_667
DEVICES = 3
ITEMS = 2
ITEM_BYTES = 200
TARGET_S = 5.0
POOL = 10
CONNECTIONS = POOL + 3
"""What one process may hold: the pool that reads, and the two that write."""
USED = "select count(*) from pg_stat_activity where application_name like 'starling %'"


@dataclass(frozen=True)
class _Storm:
    seconds: float
    connections: int
    client_share: float
    server_share: float


def run(progress: Callable[[str], None]) -> list[Result]:
    """5,001 devices: with nothing missed, and with one item missed by each."""
    with server.data_directory() as directory:
        with server.starling(directory):
            progress("storm: adding users and items")
            people = accounts.create(server.database_url(directory), FEEDS, devices_each=DEVICES)
            database.fill(directory, [account.feed_id for account in people], ITEMS, ITEM_BYTES)
        progress("storm: nothing missed")
        idle = _storm(directory, people, missed=0)
        progress("storm: one item missed by each")
        behind = _storm(directory, people, missed=1)
    return [_ready("nothing missed", idle), _ready("one item missed", behind), _connections(idle, behind)]


def _storm(directory: Path, people: list[Account], *, missed: int) -> _Storm:
    requests = [
        clients.get_stream(f"/v1/stream?cursor={account.epoch}.{ITEMS - missed}", token)
        for account in people
        for token in account.devices
    ]
    with (
        server.starling(directory, database_pool=POOL) as starling,
        sink() as devices,
        database.watched(directory, USED) as connections,
    ):
        before = (devices.cpu_s(), starling.cpu_s())
        seconds = devices.open(starling.port, requests, b"event: ready", at_once=len(requests) + 1)
        client, busy = devices.cpu_s() - before[0], starling.cpu_s() - before[1]
        devices.total(len(requests) * missed)
    return _Storm(seconds, max(connections), client / seconds, busy / seconds)


def _ready(name: str, storm: _Storm) -> Result:
    return Result(
        f"reconnect storm, {name}",
        "s",
        measured=storm.seconds,
        target=TARGET_S,
        note=f"({FEEDS * DEVICES:,} devices of {FEEDS:,} feeds, from the first connection to `ready` on the last)",
        client_share=storm.client_share,
        details={"cores used by the client": storm.client_share, "by the server": storm.server_share},
    )


def _connections(*storms: _Storm) -> Result:
    return Result(
        "connections to the database in a storm",
        "",
        measured=max(storm.connections for storm in storms),
        target=CONNECTIONS,
        note=f"(seen 20 times a second; the pool of {POOL} two for writing, one that listens)",
    )
