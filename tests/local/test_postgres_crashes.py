"""Postgres after crashes: it comes back by itself."""

import asyncio
import os
import signal
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from app.local import Postgres, sockets


def children(pid: int) -> list[int]:
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


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
