"""Servers of a test's own; Postgres on the wheel's version or, with STARLING_TEST_POSTGRES, on another one."""

import asyncio
import shutil
import subprocess
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from pathlib import Path

import asyncpg
import pytest

from app.local import Postgres, Valkey
from tests.harness.directories import open_directory

Eventually = Callable[[Callable[[], Awaitable[bool] | bool], float], Awaitable[float]]
Query = Callable[[Postgres, str], Awaitable[object]]
Supervised = Callable[[Postgres | Valkey], AbstractAsyncContextManager[None]]


@pytest.fixture
async def make(data_dir: Path, binaries: Path | None) -> AsyncIterator[Callable[[], Postgres]]:
    """Makes a `Postgres` of the test's data directory; stopped at the end."""
    made: list[Postgres] = []

    def one() -> Postgres:
        made.append(Postgres(data_dir, settings={"fsync": "off"}, binaries=binaries))
        return made[-1]

    yield one
    for each in made:
        await each.stop()


@pytest.fixture(scope="session")
async def template(binaries: Path | None) -> AsyncIterator[Path]:
    """A cluster to copy: faster than making one for each test."""
    parent = open_directory()
    one = Postgres(parent, settings={"fsync": "off"}, binaries=binaries)
    await one.start()
    await one.stop()
    yield parent / "postgres"
    shutil.rmtree(parent)


@pytest.fixture
async def postgres(make: Callable[[], Postgres], template: Path, data_dir: Path) -> Postgres:
    """One that runs."""
    subprocess.run(["install", "-d", "-m", "711", data_dir], check=True)  # noqa: ASYNC221
    subprocess.run(["cp", "-a", "--sparse=always", template, data_dir / "postgres"], check=True)  # noqa: ASYNC221
    one = make()
    await one.start()
    return one


@pytest.fixture
def supervised() -> Supervised:
    @asynccontextmanager
    async def run(server: Postgres | Valkey) -> AsyncIterator[None]:
        task = asyncio.create_task(server.supervise())
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    return run


@pytest.fixture
def query() -> Query:
    async def run(postgres: Postgres, statement: str) -> object:
        connection = await asyncpg.connect(
            host=postgres.url.partition("host=")[2], user="starling", database="starling", timeout=5
        )
        try:
            return await connection.fetchval(statement)
        finally:
            await connection.close()

    return run


@pytest.fixture
def eventually() -> Eventually:
    """Waits until a condition holds; the seconds it took."""

    async def wait(condition: Callable[[], Awaitable[bool] | bool], within: float) -> float:
        begun = time.monotonic()
        while True:
            held = condition()
            if held if isinstance(held, bool) else await held:
                return time.monotonic() - begun
            assert time.monotonic() - begun < within, f"not within {within} s"
            await asyncio.sleep(0.02)

    return wait
