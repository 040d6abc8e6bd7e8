"""Durable saves per second of one worker and of two behind one port, and what a save leaves in Postgres."""

from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median

from bench import accounts, clients, database, server
from bench.results import Result

CALLERS = 64
ITEM_BYTES = 400
EACH = 40
ROUNDS = 5
MILLISECONDS = 1000
MIB = 1024 * 1024
WRITTEN = """
select (pg_current_wal_insert_lsn() - '0/0')::bigint, xact_commit
from pg_stat_database where datname = current_database()
"""
SIZES = "select pg_total_relation_size('items'), pg_total_relation_size('replays'), count(*) from items"


def run(progress: Callable[[str], None]) -> list[Result]:
    """64 callers with a user each, one worker and two by turns; then what two workers take at rest."""
    with (
        server.data_directory() as here,
        server.data_directory() as there,
        server.starling(here) as one,
        server.starling(there, workers=2) as two,
    ):
        at_rest = [server.rss_bytes(pid) / MIB for pid in two.workers()]
        sides = {"1 worker": _Side(one, here), "2 workers": _Side(two, there)}
        for turn in range(ROUNDS + 1):  # the first one warms up
            for name, side in sides.items():
                progress(f"saves, {name}: round {turn} of {ROUNDS}")
                side.play(counts=turn > 0)
        alone, shared = sides.values()
        return [
            alone.result("saves, 1 worker"),
            shared.result("saves, 2 workers", alone),
            Result("memory of a worker at rest", "MiB", measured=max(at_rest), note="(two workers; the larger)"),
        ]


class _Side:
    """One server, and what was seen of it."""

    def __init__(self, running: server.Running, directory: Path) -> None:
        self._running = running
        self._directory = directory
        people = accounts.create(server.database_url(directory), CALLERS, devices_each=3)
        self._work = [_requests(account.assistant) for account in people]
        self._cpu_ms = {"ms CPU a save": 0.0, "Postgres a save": 0.0, "Valkey a save": 0.0}
        self._busiest: list[float] = []
        self._clients: list[float] = []
        self._left: list[tuple[int, ...]] = []
        self.rates: list[float] = []

    def play(self, *, counts: bool) -> None:
        """Every caller saves `EACH` items, each when the last one was answered."""
        requests = [[next(each) for _ in range(EACH)] for each in self._work]
        before = {pid: server.cpu_s(pid) for pid in (self._running.pid, *self._running.workers())}
        postgres, valkey = self._running.helpers(), self._running.helpers(server.VALKEY)
        spent = clients.call(self._running.port, requests)
        used = [server.cpu_s(pid) - cpu_s for pid, cpu_s in before.items()]
        helped = (self._running.helpers_cpu_s(postgres), self._running.helpers_cpu_s(valkey, server.VALKEY))
        self._left.append(tuple(map(int, database.sql(self._directory, WRITTEN).split("|"))))
        if counts:
            self.rates.append(CALLERS * EACH / spent.wall_s)
            self._busiest.append(max(used) / sum(used))
            self._clients.append(spent.cpu_s / spent.wall_s)
            for name, cpu_s in zip(self._cpu_ms, (sum(used), *helped), strict=True):
                self._cpu_ms[name] += cpu_s * MILLISECONDS / (ROUNDS * CALLERS * EACH)

    def result(self, name: str, reference: "_Side | None" = None) -> Result:
        """The row, against the other server's rate if there is one."""
        its = reference.rates if reference else []
        ratios = [mine / other for mine, other in zip(self.rates, its, strict=False)]
        return Result(
            name,
            "/s",
            measured=median(self.rates),
            reference=median(its) if its else None,
            ratio=median(ratios) if ratios else None,
            better="higher",
            against="1 worker" if ratios else "",
            note="(CPU of all workers, of Postgres and of Valkey for one save)",
            client_share=median(self._clients),
            details={
                "lowest": min(self.rates),
                "highest": max(self.rates),
                **self._cpu_ms,
                "the busiest process's share": median(self._busiest),
                **self._written(),
            },
        )

    def _written(self) -> dict[str, float]:
        (log, commits), *_, (log_then, commits_then) = self._left
        items, replays, rows = map(int, database.sql(self._directory, SIZES).split("|"))
        saves = ROUNDS * CALLERS * EACH
        return {
            "bytes of WAL a save": (log_then - log) / saves,
            "saves a transaction": saves / (commits_then - commits),
            "bytes of `items` a row": items / rows,
            "bytes of `replays` a row": replays / rows,
        }


def _requests(token: str) -> Iterator[bytes]:
    while True:
        yield clients.post("/actions/items", token, clients.item(ITEM_BYTES))
