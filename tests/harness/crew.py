"""Several workers on the test's database, and a Redis of the test's own that can be lost in every way."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from redis.asyncio import Redis
from redis.exceptions import RedisError

from app.local import Valkey
from tests.harness.build import BuildProcess
from tests.harness.link import Link, link_to
from tests.harness.waiting import eventually
from tests.harness.witness import ENVIRONMENT


@dataclass
class Losable:
    """A Redis that is started again when it dies, behind a link."""

    valkey: Valkey
    link: Link

    async def _up(self) -> int:
        """Its process id, once it answers."""
        async with Redis.from_url(self.valkey.url) as redis:

            async def answers() -> bool:
                try:
                    return bool(await redis.ping())
                except RedisError:
                    return False

            await eventually(answers, 30, "Redis")
        assert self.valkey.pid is not None
        return self.valkey.pid

    @asynccontextmanager
    async def killed(self, seconds: float) -> AsyncIterator[None]:
        """kill -9, and again and again while the body or that time lasts."""

        async def kill() -> None:
            os.kill(await self._up(), signal.SIGKILL)

        async with again_and_again(kill, 1), lasting(seconds):
            yield

    @asynccontextmanager
    async def stopped(self, seconds: float) -> AsyncIterator[None]:
        """SIGSTOP: it takes connections and commands, and never answers."""
        pid = await self._up()
        os.kill(pid, signal.SIGSTOP)
        try:
            async with lasting(seconds):
                yield
        finally:
            os.kill(pid, signal.SIGCONT)

    @asynccontextmanager
    async def cut_off(self, seconds: float) -> AsyncIterator[None]:
        """Nothing arrives, and no connection ends."""
        await self._up()
        self.link.down()
        try:
            async with lasting(seconds):
                yield
        finally:
            self.link.up()

    @asynccontextmanager
    async def emptied(self, seconds: float) -> AsyncIterator[None]:
        """FLUSHALL, again and again while the body or that time lasts."""
        await self._up()
        async with Redis.from_url(self.valkey.url) as redis, again_and_again(redis.flushall, 0.2), lasting(seconds):
            yield


@asynccontextmanager
async def again_and_again(work: Callable[[], Awaitable[object]], pause_s: float) -> AsyncIterator[None]:
    """Works now and after every pause, until the body ends."""
    is_over = asyncio.Event()

    async def work_on() -> None:
        while not is_over.is_set():
            await work()
            with suppress(TimeoutError):
                async with asyncio.timeout(pause_s):
                    await is_over.wait()

    working = asyncio.create_task(work_on())
    try:
        yield
    finally:
        is_over.set()
        await working


@asynccontextmanager
async def lasting(seconds: float) -> AsyncIterator[None]:
    """Ends with the body, but not before that time is over."""
    until = time.monotonic() + seconds
    yield
    await asyncio.sleep(until - time.monotonic())


@asynccontextmanager
async def losable(valkey: Valkey, directory: Path) -> AsyncIterator[Losable]:
    """A link to a running Valkey, which is watched over."""
    watch = asyncio.create_task(valkey.supervise())
    try:
        async with link_to(valkey.url, directory) as link:
            yield Losable(valkey, link)
    finally:
        watch.cancel()
        await asyncio.gather(watch, return_exceptions=True)


@asynccontextmanager
async def crew(
    data_dir: Path, database_url: str, workers: int, *, module: str = "app.cli", more: Mapping[str, str] | None = None
) -> AsyncIterator[BuildProcess]:
    """Not started; ended whatever happens."""
    given = {"STARLING_DATABASE_URL": database_url, "STARLING_UNSAFE_DURABILITY": "true", **ENVIRONMENT, **(more or {})}
    server = BuildProcess(data_dir, environment=given, workers=workers, module=module)
    try:
        yield server
    finally:
        if server.process is not None:
            server.kill()
