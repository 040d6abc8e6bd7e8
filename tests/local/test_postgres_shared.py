"""Several processes on one data directory: one runs Postgres, the others use it."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from app.local import LocalDatabaseError, Postgres, sockets
from app.local import postgres as module

ROOT = Path(__file__).parents[2]
SERVING = """
import asyncio, sys
from pathlib import Path
from app.local import Postgres

async def main():
    binaries = Path(sys.argv[2]) if sys.argv[2:] else None
    postgres = Postgres(Path(sys.argv[1]), settings={"fsync": "off"}, binaries=binaries)
    await postgres.start()
    print(postgres.pid, file=sys.stderr, flush=True)
    await postgres.supervise()

asyncio.run(main())
"""


Serving = Callable[[], Awaitable[tuple[asyncio.subprocess.Process, int]]]


@pytest.fixture
async def serving(data_dir: Path, binaries: Path | None) -> AsyncIterator[Serving]:
    """Starts another Starling process on the same directory; gives it and its postmaster's pid."""
    started: list[asyncio.subprocess.Process] = []

    async def start() -> tuple[asyncio.subprocess.Process, int]:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", SERVING, str(data_dir), *([str(binaries)] if binaries else [])),
            cwd=ROOT,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )
        started.append(process)
        assert process.stderr
        return process, int(await asyncio.wait_for(process.stderr.readline(), 30))

    yield start
    for process in started:
        await kill(process)


def gone(pid: int) -> bool:
    """Ended; a zombie has, too, and stays one as long as its new parent likes."""
    try:
        return ") Z " in Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return True


async def kill(process: asyncio.subprocess.Process) -> None:
    with suppress(ProcessLookupError):
        process.kill()
    await process.communicate()


async def test_postgres_ends_with_a_killed_process_and_starts_again(
    serving: Serving, make: Callable[[], Postgres]
) -> None:
    process, pid = await serving()
    await kill(process)
    one = make()
    await one.start()
    assert one.owned
    assert gone(pid)


async def test_another_process_attaches_and_takes_over(
    serving: Serving, make: Callable[[], Postgres], supervised: Any, query: Any, eventually: Any
) -> None:
    process, pid = await serving()
    one = make()
    await one.start()
    url = one.url
    assert (one.pid, one.owned) == (pid, False)
    async with supervised(one):
        await kill(process)
        await eventually(lambda: one.owned, 10)
        await one.start()
        assert one.url == url
        assert await query(one, "select 1") == 1


async def test_stop_leaves_the_server_of_another_alone(postgres: Postgres, make: Callable[[], Postgres]) -> None:
    other = make()
    await other.start()
    assert not other.owned
    await other.stop()
    assert postgres.owned
    assert await sockets.answers(sockets.socket_directory(postgres._data_dir))


async def test_of_two_that_race_one_starts_it(make: Callable[[], Postgres]) -> None:
    racers = [make() for _ in range(3)]
    await asyncio.gather(*(each.start() for each in racers))
    assert sum(each.owned for each in racers) == 1
    assert len({each.pid for each in racers}) == 1


async def test_a_live_but_silent_server_is_not_touched(
    postgres: Postgres, make: Callable[[], Postgres], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PATIENCE", 0.1)
    monkeypatch.setattr(sockets, "TIMEOUT", 0.1)
    os.kill(postgres.pid or 0, signal.SIGSTOP)
    try:
        with pytest.raises(LocalDatabaseError, match=f"Process {postgres.pid} serves"):
            await make().start()
    finally:
        os.kill(postgres.pid or 0, signal.SIGCONT)
    assert postgres.owned
