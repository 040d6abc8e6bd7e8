"""A restored backup: no device goes on from a cursor that has lost its meaning."""

import asyncio
import shutil
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import unquote

import httpx2
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from app.local import Postgres, sockets
from app.local import binaries as wheel
from app.store.database import Database
from app.store.lineage import Lineage
from app.store.schema import migrate
from tests.harness.afresh import held_after, items, reconnected
from tests.harness.listener import Listener
from tests.harness.live import serving
from tests.harness.people import Assistant, Person
from tests.harness.process import ServerProcess

NAME = "restored"


async def owner(cluster_url: str, statement: str) -> None:
    engine = create_async_engine(cluster_url, isolation_level="AUTOCOMMIT")
    async with engine.connect() as connection:
        await connection.execute(text(statement))
    await engine.dispose()


@pytest.fixture
async def restorable_url(cluster_url: str) -> AsyncIterator[str]:
    """A migrated database of its own, which can be dropped and loaded again."""
    await owner(cluster_url, f"create database {NAME} template template0")
    url = cluster_url.replace("/starling?", f"/{NAME}?")
    await migrate(url)
    yield url
    await owner(cluster_url, f"drop database {NAME} with (force)")


async def program(directory: Path | None, name: str, url: str, *arguments: str) -> None:
    """Runs one of Postgres's programs on a database."""
    where = ["-h", unquote(url.partition("host=")[2]), "-U", sockets.USER, "-d", NAME]
    command = [str((directory or wheel()) / name), *where, *arguments]
    done = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


async def save(url: str, token: str, count: int) -> None:
    async with httpx2.AsyncClient(base_url=url, timeout=30) as http:
        for _ in range(count):
            await Assistant(http, token).save()


@asynccontextmanager
async def restored_from_a_dump(
    url: str, cluster_url: str, own_dir: Path, binaries: Path | None
) -> AsyncIterator[tuple[str, str, list[Listener]]]:
    """Three writes, a dump, three more; then the dump is loaded, and five others follow. The devices are at seq 6."""
    database = Database(url, pool_size=3)
    person = await Person.make(database)
    token, tablets = await person.token(), [await person.device(name) for name in ("laptop", "phone")]
    async with serving(url, own_dir) as live:
        before = [await live.listen(each) for each in tablets]
        await save(live.url, token, 3)
        await program(binaries, "pg_dump", url, "--format=custom", f"--file={own_dir / 'dump'}")
        await save(live.url, token, 3)
        for each in before:
            await each.until_seq(6)
    await database.close()
    await owner(cluster_url, f"drop database {NAME} with (force)")
    await owner(cluster_url, f"create database {NAME} template template0")
    await program(binaries, "pg_restore", url, "--exit-on-error", str(own_dir / "dump"))
    async with serving(url, own_dir) as live:
        await save(live.url, token, 5)
        yield live.url, token, before


@pytest.mark.case(10, "a dump is loaded, writes pass old cursors")
async def test_a_loaded_dump_resets_every_device(
    restorable_url: str, cluster_url: str, own_dir: Path, binaries: Path | None
) -> None:
    async with restored_from_a_dump(restorable_url, cluster_url, own_dir, binaries) as (url, token, devices):
        for before in devices:
            back = await reconnected(url, before, 8)
            assert back.events[0].name == "reset"
            assert back.events[0].data == '{"reason":"epoch_changed"}'
            assert held_after(before, back) == await items(url, token)


@pytest.mark.control(10, "a restore without new epochs")
async def test_control_without_new_epochs_a_loaded_dump_leaves_devices_wrong(
    restorable_url: str, cluster_url: str, own_dir: Path, binaries: Path | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Lineage, "_why", lambda *_: None)
    async with restored_from_a_dump(restorable_url, cluster_url, own_dir, binaries) as (url, token, devices):
        for before in devices:
            back = await reconnected(url, before, 8)
            assert "reset" not in back.names
            assert held_after(before, back) != await items(url, token)


def copy(source: Path, target: Path) -> None:
    """All of it, as root's `cp -a` does."""
    if target.exists():
        shutil.rmtree(target)
    subprocess.run(["cp", "-a", source, target], check=True)


@pytest.mark.case(10, "a cold copy of the cluster, and of the whole data directory, comes back")
@pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")  # the process has it as its log
@pytest.mark.parametrize("what", ["postgres", "."], ids=["the cluster", "the data directory"])
async def test_a_cold_copy_resets_every_device(data_dir: Path, what: str) -> None:
    server = ServerProcess(data_dir)
    backup = data_dir.with_name("backup")
    await server.start()
    try:
        database = Database(Postgres(data_dir).url, pool_size=3)
        person = await Person.make(database)
        token = await person.token()
        before = [Listener(server.url, (await person.device(name)).token) for name in ("laptop", "phone")]
        await database.close()
        await save(server.url, token, 3)
        await server.stop()
        await asyncio.to_thread(copy, data_dir / what, backup)
        await server.start()
        await save(server.url, token, 3)
        for each in before:
            await each.open()
            await each.until_seq(6)
            await each.close()
        await server.stop()
        await asyncio.to_thread(copy, backup, data_dir / what)
        await server.start()
        await save(server.url, token, 5)
        for each in before:
            back = await reconnected(server.url, each, 8)
            assert back.events[0].data == '{"reason":"epoch_changed"}'
            assert held_after(each, back) == await items(server.url, token)
    finally:
        await server.stop()
