"""Starting, stopping, crashing, sharing."""

import asyncio
import os
import signal
import stat
import sys
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from app.local import LocalDatabaseError, Postgres, child, sockets
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


def owner(path: Path | str) -> int:
    return Path(path).stat().st_uid


def children(pid: int) -> list[int]:
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


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


async def test_a_new_database_accepts_connections_and_keeps_its_data(make: Callable[[], Postgres], query: Any) -> None:
    one = make()
    await one.start()
    await query(one, "create table kept as select 7 as n")
    await one.stop()
    assert (one.pid, one.owned) == (None, False)
    again = make()
    await again.start()
    assert again.url == one.url
    assert await query(again, "select n from kept") == 7


async def test_the_server_is_durable_and_private_by_default(data_dir: Path, binaries: Path | None, query: Any) -> None:
    one = Postgres(data_dir, binaries=binaries)
    await one.start()
    try:
        for name, value in {
            "fsync": "on", "full_page_writes": "on", "synchronous_commit": "on", "data_checksums": "on",
            "listen_addresses": "", "server_encoding": "UTF8", "timezone": "UTC", "max_connections": "100",
        }.items():  # fmt: skip
            assert await query(one, f"show {name}") == value, name
        directory = sockets.socket_directory(data_dir)
        assert stat.S_IMODE(directory.stat().st_mode) == 0o700
        assert owner(f"/proc/{one.pid}") == owner(directory) == owner(data_dir / "postgres") != 0
        assert os.getsid(one.pid or 0) != os.getsid(0)
    finally:
        await one.stop()
    assert not directory.exists()


async def test_a_killed_postmaster_is_back_within_two_seconds(
    postgres: Postgres, supervised: Any, query: Any, eventually: Any
) -> None:
    await query(postgres, "create table kept as select 7 as n")
    async with supervised(postgres):
        for _ in range(2):
            killed = postgres.pid
            assert killed
            os.kill(killed, signal.SIGKILL)

            async def back(killed: int = killed) -> bool:
                with suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
                    return postgres.pid != killed and bool(await query(postgres, "select n from kept") == 7)
                return False

            assert await eventually(back, 10) < 2
            assert postgres.owned


async def test_a_server_killed_with_its_children_is_back(
    postgres: Postgres, supervised: Any, query: Any, eventually: Any
) -> None:
    async with supervised(postgres):
        killed = postgres.pid or 0
        for pid in [killed, *children(killed)]:
            os.kill(pid, signal.SIGKILL)
        await eventually(lambda: postgres.pid != killed and postgres.owned, 10)
        await postgres.start()
        assert await query(postgres, "select 1") == 1


async def test_start_waits_for_backends_of_a_dead_postmaster(
    postgres: Postgres, make: Callable[[], Postgres], query: Any, eventually: Any
) -> None:
    busy = "do $$ begin while clock_timestamp() < now() + interval '2 s' loop end loop; end $$"
    working = asyncio.create_task(query(postgres, busy))

    async def busy_now() -> bool:
        running = "select count(*) from pg_stat_activity where query like 'do $$ begin%'"
        return bool(await query(postgres, running) == 1)

    await eventually(busy_now, 5)
    os.kill(postgres.pid or 0, signal.SIGKILL)
    another = make()
    await another.start()
    assert another.owned
    assert "pre-existing shared memory block" in (another._data_dir / "postgres.log").read_text()
    with suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
        await working


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


async def test_start_again_changes_nothing(postgres: Postgres) -> None:
    pid = postgres.pid
    await postgres.start()
    assert (postgres.pid, postgres.owned) == (pid, True)


async def test_a_removed_socket_comes_back(postgres: Postgres, supervised: Any, query: Any, eventually: Any) -> None:
    async with supervised(postgres):
        killed = postgres.pid
        sockets.socket_file(sockets.socket_directory(postgres._data_dir)).unlink()
        await eventually(lambda: postgres.pid != killed and postgres.owned, 10)
        await postgres.start()
        assert await query(postgres, "select 1") == 1


async def test_supervise_never_gives_up(
    postgres: Postgres, supervised: Any, eventually: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = dict(postgres._settings)
    async with supervised(postgres):
        postgres._settings["max_connections"] = "none"
        os.kill(postgres.pid or 0, signal.SIGKILL)
        log = postgres._data_dir / "postgres.log"
        await eventually(lambda: log.read_text().count("invalid value for parameter") >= 3, 10)
        postgres._settings.update(max_connections="100", **good)
        await eventually(lambda: postgres.owned, 10)
        await postgres.start()


async def test_a_server_that_cannot_start_shows_its_last_words(make: Callable[[], Postgres]) -> None:
    one = make()
    one._settings["max_connections"] = "none"
    with pytest.raises(LocalDatabaseError, match='invalid value for parameter "max_connections"'):
        await one.start()


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


async def test_a_long_data_directory_path_makes_no_difference(
    data_dir: Path, binaries: Path | None, query: Any
) -> None:
    one = Postgres(data_dir / ("long" * 40), settings={"fsync": "off"}, binaries=binaries)
    await one.start()
    try:
        assert await query(one, "select 1") == 1
        directory = Path(one.url.partition("host=")[2])
        assert len(bytes(sockets.socket_file(directory))) < 60
    finally:
        await one.stop()


async def test_a_log_that_grew_is_moved_aside(postgres: Postgres, monkeypatch: pytest.MonkeyPatch, query: Any) -> None:
    monkeypatch.setattr(child, "LOG_LIMIT", 100)
    assert postgres._server
    postgres._server.bound_log()
    log = postgres._data_dir / "postgres.log"
    assert log.stat().st_size == 0
    assert "ready to accept connections" in log.with_name("postgres.log.1").read_text()
    await query(postgres, "do $$ begin raise log 'more words'; end $$")
    assert b"\0" not in log.read_bytes()
    assert "more words" in log.read_text()


async def test_the_log_quotes_nothing_that_people_wrote(postgres: Postgres, query: Any) -> None:
    with pytest.raises(asyncpg.PostgresError):
        await query(postgres, "select cast('secret words' as int)")
    assert "secret" not in (postgres._data_dir / "postgres.log").read_text()


def test_only_the_main_thread_starts_it(data_dir: Path) -> None:
    raised: list[Exception] = []

    def start() -> None:
        try:
            asyncio.run(Postgres(data_dir).start())
        except RuntimeError as error:
            raised.append(error)

    thread = threading.Thread(target=start)
    thread.start()
    thread.join()
    assert "main thread" in str(raised[0])
    assert not data_dir.exists()
