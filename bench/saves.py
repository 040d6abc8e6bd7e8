"""Durable saves per second, against a handler that only validates the same body."""

from collections.abc import Callable
from statistics import median

from bench import accounts, clients, references, server
from bench.accounts import Account
from bench.results import Result

CALLERS = 64
ITEM_BYTES = 400
EACH = 60
ROUNDS = 7
TARGET = 0.6
MILLISECONDS = 1000


def run(progress: Callable[[str], None]) -> list[Result]:
    """64 callers with a user each, and 64 callers of one user."""
    with server.data_directory() as directory, server.starling(directory) as starling:
        url = server.database_url(directory)
        many = accounts.create(url, CALLERS, devices_each=3)
        with references.litestar(url, directory / "references") as echo:
            return [
                _compare("saves, 64 users", starling, echo, many, progress),
                _compare("saves, 1 user", starling, echo, many[:1] * CALLERS, progress),
            ]


def _compare(
    name: str, starling: server.Running, echo: server.Running, who: list[Account], progress: Callable[[str], None]
) -> Result:
    sides = {"save": (starling, "/actions/items"), "echo": (echo, "/bench/echo")}
    rates: dict[str, list[float]] = {side: [] for side in sides}
    cpu = {"save": 0.0, "echo": 0.0, "postgres": 0.0}
    busy = dict.fromkeys(sides, 0.0)
    for turn in range(ROUNDS + 1):  # the first one warms up
        for side, (running, path) in sides.items():
            progress(f"{name}: {side}, round {turn} of {ROUNDS}")
            work = _requests(path, who)
            before, helpers = running.cpu_s(), running.helpers()
            spent = clients.call(running.port, work)
            if turn:
                rates[side].append(CALLERS * EACH / spent.wall_s)
                busy[side] += spent.cpu_s / spent.wall_s / ROUNDS
                cpu[side] += running.cpu_s() - before
                cpu["postgres"] += running.helpers_cpu_s(helpers)
    cpu_ms = {side: spent * MILLISECONDS / (ROUNDS * CALLERS * EACH) for side, spent in cpu.items()}
    return _result(name, rates, cpu_ms, busy)


def _requests(path: str, who: list[Account]) -> list[list[bytes]]:
    return [[clients.post(path, account.assistant, clients.item(ITEM_BYTES)) for _ in range(EACH)] for account in who]


def _result(name: str, rates: dict[str, list[float]], cpu_ms: dict[str, float], busy: dict[str, float]) -> Result:
    ratios = [save / echo for save, echo in zip(rates["save"], rates["echo"], strict=True)]
    return Result(
        name,
        "/s",
        measured=median(rates["save"]),
        reference=median(rates["echo"]),
        ratio=median(ratios),
        target=TARGET,
        better="higher",
        against="the same body validated and echoed",
        note="(medians of rounds by turns; CPU of the server's process and of Postgres for one request)",
        client_share=busy["save"],
        details={
            "lowest": min(ratios),
            "highest": max(ratios),
            "ms CPU a save": cpu_ms["save"],
            "an echo": cpu_ms["echo"],
            "Postgres a save": cpu_ms["postgres"],
            "cores the client used for saves": busy["save"],
            "for echoes": busy["echo"],
        },
    )
