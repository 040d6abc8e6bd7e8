"""Starting and stopping Postgres; what it keeps, and what it logs."""

import asyncio
import os
import stat
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from app.local import LocalDatabaseError, Postgres, child, sockets


def owner(path: Path | str) -> int:
    return Path(path).stat().st_uid


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


async def test_start_again_changes_nothing(postgres: Postgres) -> None:
    pid = postgres.pid
    await postgres.start()
    assert (postgres.pid, postgres.owned) == (pid, True)


async def test_a_server_that_cannot_start_shows_its_last_words(make: Callable[[], Postgres]) -> None:
    one = make()
    one._settings["max_connections"] = "none"
    with pytest.raises(LocalDatabaseError, match='invalid value for parameter "max_connections"'):
        await one.start()


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
