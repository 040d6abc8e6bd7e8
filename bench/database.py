"""The bench's own way to the database: items in bulk through the store, and Postgres's own psql and pgbench."""

import asyncio
import os
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import UUID

import msgspec
from sqlalchemy import make_url
from uuid_utils.compat import uuid7

from app.local import binaries
from app.model import Changed, Origin
from app.store.commit import Committer
from app.store.database import Database
from app.store.fold import Change
from bench import clients
from bench.server import BenchError, database_url

SLICE = 4096
PROGRAM_S = 120.0
WATCH_S = 0.05
MICROSECONDS = 1_000_000


def fill(data_dir: Path, feed_ids: Sequence[UUID], each: int, item_bytes: int) -> None:
    """Puts so many items into each feed, through the store itself but from here, not through the server."""
    asyncio.run(_fill(database_url(data_dir), feed_ids, each, item_bytes))


async def _fill(url: str, feed_ids: Sequence[UUID], each: int, item_bytes: int) -> None:
    database = Database(url, pool_size=2)
    committer = Committer(database, _nobody)
    running = asyncio.create_task(committer.run())
    origin = Origin("action", "bench")
    wanted = [feed_id for feed_id in feed_ids for _ in range(each)]
    try:
        for start in range(0, len(wanted), SLICE):
            part = wanted[start : start + SLICE]
            await committer.submit_all([_new_item(feed_id, origin, item_bytes) for feed_id in part])
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running
        await database.close()


def _nobody(_: Sequence[Changed]) -> None:
    """Whom the committer tells."""


def _new_item(feed_id: UUID, origin: Origin, item_bytes: int) -> Change:
    values = msgspec.json.decode(clients.item(item_bytes))
    return Change(feed_id, uuid7(), "put", "create", origin, values=values, kind="note", fresh=True)


def sql(data_dir: Path, *statements: str) -> str:
    """What psql answers, unaligned and without headings, as the owner of the database."""
    commands = [part for statement in statements for part in ("-c", statement)]
    return _output([*_program("psql", data_dir), "-XAtq", "-v", "ON_ERROR_STOP=1", *commands])


@contextmanager
def watched(data_dir: Path, query: str) -> Iterator[list[int]]:
    """Asks the same thing 20 times a second while the body runs. The numbers are in the list when it has ended."""
    answers: list[int] = []
    with tempfile.TemporaryFile() as said:
        child = subprocess.Popen(
            [*_program("psql", data_dir), "-XAtq"], stdin=subprocess.PIPE, stdout=said, stderr=subprocess.DEVNULL
        )
        if child.stdin is None:
            raise BenchError("psql has no input.")
        child.stdin.write(f"{query} \\watch {WATCH_S}\n".encode())
        child.stdin.close()
        try:
            yield answers
        finally:
            child.terminate()
            child.wait()
            said.seek(0)
            answers += [int(line) for line in said.read().split() if line.isdigit()]


def pgbench(data_dir: Path, script: str, seconds: int, rate: float | None = None) -> list[float]:
    """Seconds that each run of a script took, one after the other on one connection, prepared.

    With a `rate`, so many are due in a second, at random times, and each is counted from when it was begun.
    """
    with tempfile.TemporaryDirectory(prefix="starling-pgbench-") as made:
        file, log = Path(made, "script.sql"), Path(made, "log")
        file.write_text(script)
        options = ["-n", "-c", "1", "-M", "prepared", "-T", str(seconds), "-l", f"--log-prefix={log}", "-f", str(file)]
        if rate is not None:
            options += ["-R", f"{rate:g}"]
        _output([*_program("pgbench", data_dir), *options])
        lines = [line.split() for path in Path(made).glob("log.*") for line in path.read_text().splitlines()]
        return [(int(fields[2]) - int(fields[6] if rate else 0)) / MICROSECONDS for fields in lines]


def _program(name: str, data_dir: Path) -> list[str]:
    url = make_url(database_url(data_dir))
    return [str(binaries() / name), "-h", str(url.query["host"]), "-U", str(url.username), str(url.database)]


def _output(command: Sequence[str]) -> str:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=PROGRAM_S, check=False)
    if done.returncode:
        raise BenchError(f"{Path(command[0]).name} failed: {done.stderr.strip()[-500:]}")
    return done.stdout.strip()
