"""The data directory: made whole or not at all, and where the account can reach it."""

import asyncio
import os
import shutil
import stat
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app.local import LocalDatabaseError, LocalServerError, Postgres, account, cluster, programs, wheels
from app.local.account import Account

ROOT = Path(__file__).parents[2]
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root drops its rights")
STARTING = """
import asyncio, sys
from pathlib import Path
from app.local import Postgres

binaries = Path(sys.argv[2]) if sys.argv[2:] else None
asyncio.run(Postgres(Path(sys.argv[1]), binaries=binaries).start())
"""


def owner(postgres: Postgres) -> int:
    return Path(f"/proc/{postgres.pid}").stat().st_uid


def left(data_dir: Path) -> list[Path]:
    """Clusters that are not finished."""
    return list(data_dir.glob("postgres.new-*"))


async def test_a_cluster_of_another_version_is_refused(postgres: Postgres, make: Callable[[], Postgres]) -> None:
    await postgres.stop()
    (postgres._data_dir / "postgres/PG_VERSION").write_text("9.6\n")
    with pytest.raises(LocalDatabaseError, match=r"made by Postgres 9\.6, and this is Postgres 1\d\.\d+\. Dump"):
        await make().start()


async def test_a_directory_that_is_no_cluster_is_refused(data_dir: Path, make: Callable[[], Postgres]) -> None:
    place = data_dir / "postgres"
    place.mkdir(parents=True)
    (place / "diary.txt").touch()
    Account.choose(Path("/nowhere")).give(place)
    with pytest.raises(LocalDatabaseError, match="is no Postgres data directory"):
        await make().start()
    assert (place / "diary.txt").exists()


async def test_a_start_cancelled_in_the_middle_leaves_nothing_in_the_way(
    data_dir: Path, make: Callable[[], Postgres], query: Any, eventually: Any
) -> None:
    one = make()
    starting = asyncio.create_task(one.start())
    await eventually(lambda: any((each / "PG_VERSION").exists() for each in left(data_dir)), 10)
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting
    assert not left(data_dir)
    await one.start()
    assert await query(one, "select current_database()") == "starling"


async def test_an_initdb_killed_in_the_middle_leaves_nothing_in_the_way(
    data_dir: Path, binaries: Path | None, make: Callable[[], Postgres], query: Any, eventually: Any
) -> None:
    arguments = [str(data_dir), *([str(binaries)] if binaries else [])]
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", STARTING, *arguments, cwd=ROOT)
    await eventually(lambda: any((each / "PG_VERSION").exists() for each in left(data_dir)), 30)
    process.kill()
    await process.wait()
    assert not (data_dir / "postgres").exists()
    one = make()
    await one.start()
    assert await query(one, "select current_database()") == "starling"
    assert not left(data_dir)


@as_root
async def test_a_cluster_goes_elsewhere_when_the_account_cannot_reach_its_place(
    data_dir: Path, make: Callable[[], Postgres], query: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster, "STATE", data_dir.parent / "state")
    os.mkdir(data_dir, 0o700)  # noqa: PTH102
    one = make()
    await one.start()
    await query(one, "create table kept as select 7 as n")
    await one.stop()
    place = data_dir / "postgres"
    assert place.is_symlink()
    assert place.resolve().parent == data_dir.parent / "state"
    again = make()
    await again.start()
    assert await query(again, "select n from kept") == 7
    await again.stop()

    shutil.rmtree(place.resolve())
    with pytest.raises(LocalDatabaseError, match="which is gone"):
        await make().start()
    place.unlink()
    anew = make()
    await anew.start()
    assert await query(anew, "select to_regclass('kept')") is None


@as_root
async def test_an_existing_cluster_runs_as_its_owner(postgres: Postgres, make: Callable[[], Postgres]) -> None:
    await postgres.stop()
    place = postgres._data_dir / "postgres"
    for path in [place, *place.rglob("*")]:
        os.chown(path, 12345, 12345)
    one = make()
    await one.start()
    assert Account.choose(place).uid == owner(one) == 12345


@as_root
async def test_a_cluster_of_root_is_refused(data_dir: Path, make: Callable[[], Postgres]) -> None:
    (data_dir / "postgres").mkdir(parents=True)
    with pytest.raises(LocalDatabaseError, match="belongs to root"):
        await make().start()


@as_root
async def test_without_an_unprivileged_account_there_is_a_clear_error(
    make: Callable[[], Postgres], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(account, "UNPRIVILEGED", ("no-such-account",))
    with pytest.raises(LocalDatabaseError, match="useradd"):
        await make().start()


@as_root
def test_unreachable_binaries_are_copied_to_where_they_can_be_run(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = programs.binaries().parents[1]
    site = data_dir.parent / "closed"
    shutil.copytree(original, site / original.name, symlinks=True)
    shutil.copytree(original.with_name(f"{original.name}.libs"), site / f"{original.name}.libs")
    site.chmod(0o700)
    cache = data_dir.parent / "cache"
    monkeypatch.setattr(wheels, "CACHE", cache)
    monkeypatch.setattr(wheels, "located", lambda _: site / original.name)
    nobody = Account(65534, 65534, dropped=True)
    found = programs.runnable(site / original.name / "pginstall/bin", nobody)
    assert found.directory.is_relative_to(cache)
    assert nobody.output([found.initdb, "-V"])  # this one needs the libraries beside the package
    assert programs.runnable(site / original.name / "pginstall/bin", nobody) == found
    (copy,) = (path for path in cache.iterdir() if path.is_dir())
    copy.chmod(0o777)
    with pytest.raises(LocalServerError, match="open to other accounts"):
        programs.runnable(site / original.name / "pginstall/bin", nobody)


def test_a_missing_program_is_named(data_dir: Path) -> None:
    data_dir.mkdir()
    (data_dir / "postgres").write_text("#!/bin/sh\nexit 1\n")
    (data_dir / "postgres").chmod(stat.S_IRWXU)
    with pytest.raises(LocalDatabaseError, match="cannot be run by uid"):
        programs.runnable(data_dir, Account.choose(Path("/nowhere")))
