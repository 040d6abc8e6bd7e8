"""What publishing costs in a large feed, and in a database of many feeds, against the small case."""

from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from bench import accounts, database, server
from bench.accounts import Account
from bench.probe import Probe
from bench.results import Result

SMALL, LARGE = 10, 100_000
DEVICES = 3
ITEM_BYTES = 200
SAVES = 50
"""In a round."""
ROUNDS = 20
TARGET = 1.2
MILLISECONDS = 1000
CLIENT = "cores the client used"
# Users with a feed, a device, its token and one item each, which nobody reads: what stands there is another's.
CROWD = (
    """create temporary table crowd as
       select gen_random_uuid() as owner, gen_random_uuid() as feed, gen_random_uuid() as device, number
       from generate_series(1, {feeds}) as number""",
    "insert into users (id, email) select owner, number || '@crowd.invalid' from crowd",
    "insert into feeds (id, user_id, epoch, head) select feed, owner, 'crowdbbb', 1 from crowd",
    "insert into devices (id, feed_id, name, kind) select device, feed, 'device', 'cli' from crowd",
    """insert into tokens (hash, feed_id, client_id, device_id, scopes)
       select sha256(device::text::bytea), feed, client.id, device, array['stream']
       from crowd cross join (select id from clients limit 1) as client""",
    """insert into items (feed_id, id, seq, kind, collection, status, field_seqs, search, wire)
       select feed, gen_random_uuid(), 1, kind, collection, status, field_seqs, search, wire
       from crowd cross join (select * from items limit 1) as one""",
)


@dataclass
class _Case:
    """A feed whose items are published one after the other, each when all its devices have the last one."""

    starling: server.Running
    probe: Probe
    server_ms: list[float] = field(default_factory=list)
    postgres_ms: list[float] = field(default_factory=list)
    times_ms: list[float] = field(default_factory=list)
    client_share: float = 0.0

    def measure(self) -> None:
        """One round: CPU of the server and its Postgres for one item, and the median of the deliveries' times."""
        before, helpers = self.starling.cpu_s(), self.starling.helpers()
        played = self.probe.publish(SAVES)
        self.server_ms.append((self.starling.cpu_s() - before) * MILLISECONDS / SAVES)
        self.postgres_ms.append(self.starling.helpers_cpu_s(helpers) * MILLISECONDS / SAVES)
        self.times_ms.append(median(played.delivered) * MILLISECONDS)
        self.client_share = max(self.client_share, played.client_share)

    @property
    def cpu_ms(self) -> list[float]:
        """Of both together, in each round."""
        return [sum(both) for both in zip(self.server_ms, self.postgres_ms, strict=True)]


def run(progress: Callable[[str], None]) -> list[Result]:
    """10 and 100,000 items in a feed; 10 and 100,000 feeds in the database."""
    return [*_items(progress), *_feeds(progress)]


def _items(progress: Callable[[str], None]) -> list[Result]:
    name = f"in a feed of {LARGE:,} items"
    with server.data_directory() as directory, server.starling(directory) as starling, ExitStack() as probes:
        progress(f"growth: adding {LARGE:,} items")
        people = accounts.create(server.database_url(directory), 2, devices_each=DEVICES)
        for account, items in zip(people, (SMALL, LARGE), strict=True):
            database.fill(directory, [account.feed_id], items, ITEM_BYTES)
        database.sql(directory, "vacuum analyze", "checkpoint")
        small, large = (_case(starling, account, probes) for account in people)
        return _compare(name, small, large, progress)


def _feeds(progress: Callable[[str], None]) -> list[Result]:
    name = f"among {LARGE:,} feeds"
    with ExitStack() as stack:
        found = []
        for feeds in (SMALL, LARGE):
            directory = stack.enter_context(server.data_directory())
            starling = stack.enter_context(server.starling(directory))
            progress(f"growth: adding {feeds:,} feeds")
            found.append((starling, _account_among(directory, feeds)))
        small, large = (_case(starling, account, stack) for starling, account in found)
        return _compare(name, small, large, progress)


def _account_among(directory: Path, feeds: int) -> Account:
    """A user with three devices and some items in a database of so many feeds."""
    account = accounts.create(server.database_url(directory), 1, devices_each=DEVICES)[0]
    database.fill(directory, [account.feed_id], SMALL, ITEM_BYTES)
    database.sql(directory, *(statement.format(feeds=feeds - 1) for statement in CROWD))
    database.sql(directory, "vacuum analyze", "checkpoint")
    return account


def _case(starling: server.Running, account: Account, stack: ExitStack) -> _Case:
    probe = stack.enter_context(closing(Probe(starling.port, [account], ITEM_BYTES)))
    probe.publish(SAVES)  # warms up
    return _Case(starling, probe)


def _compare(name: str, small: _Case, large: _Case, progress: Callable[[str], None]) -> list[Result]:
    for turn in range(ROUNDS):
        progress(f"growth: {name}, round {turn + 1} of {ROUNDS}")
        for case in (small, large) if turn % 2 else (large, small):
            case.measure()
    parts = {
        "ms CPU of the server": median(large.server_ms),
        "of Postgres": median(large.postgres_ms),
        f"with {SMALL} of the server": median(small.server_ms),
        f"with {SMALL} of Postgres": median(small.postgres_ms),
    }
    share = max(small.client_share, large.client_share)
    return [
        _result(f"publishing {name}: CPU", "ms CPU", small.cpu_ms, large.cpu_ms, parts),
        _result(f"publishing {name}: time", "ms", small.times_ms, large.times_ms, {CLIENT: share}),
    ]


def _result(name: str, unit: str, small: list[float], large: list[float], details: dict[str, float]) -> Result:
    ratios = [grown / before for before, grown in zip(small, large, strict=True)]
    return Result(
        name,
        unit,
        measured=median(large),
        reference=median(small),
        ratio=median(ratios),
        target=TARGET,
        against=f"the same with {SMALL}",
        note=f"(one durable save and its delivery to {DEVICES} live devices, one after the other)",
        client_share=details.get(CLIENT),
        details={"lowest": min(ratios), "highest": max(ratios), **details},
    )
