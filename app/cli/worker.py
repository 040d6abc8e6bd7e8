"""One of several processes that serve one port: as the others see it, and as it runs."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID, uuid4

import click
import structlog
import uvloop

from app.cli.opening import settings
from app.cli.server import Server, calm_collector
from app.local import lifeline
from app.main import Starling
from app.settings import Settings

START_S = 60.0
END_S = 12.0
"""A little more than a worker takes to say `bye` to everybody."""
POLL = 0.02  # seconds

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Orders:
    """What every worker is told. Addresses may hold passwords: they go through its environment alone."""

    listener: socket.socket
    database_url: str
    redis_url: str
    public_url: str
    landmark: Path | None
    metrics: Path | None
    """The directory of prometheus-client's multiprocess mode."""

    def environment(self) -> Mapping[str, str]:
        """What is the same for all."""
        told = {
            "STARLING_DATABASE_URL": self.database_url,
            "STARLING_REDIS_URL": self.redis_url,
            "STARLING_PUBLIC_URL": self.public_url,
        }
        if self.metrics is not None:
            told["PROMETHEUS_MULTIPROC_DIR"] = str(self.metrics)
        return os.environ | told

    def arguments(self, process: UUID, serving: int) -> Sequence[str]:
        """The command of one: this very command, up to its name."""
        words = sys.orig_argv
        before = words[1 : words.index("serve")] if "serve" in words else ["-m", "app.cli"]
        given = ["--listener", str(self.listener.fileno()), "--serving", str(serving), "--process", str(process)]
        landmark = ["--landmark", str(self.landmark)] if self.landmark is not None else []
        return [sys.executable, *before, "worker", *given, *landmark]


class Worker:
    """A worker as its parent sees it. It dies with the parent."""

    def __init__(self, orders: Orders) -> None:
        """Starts it. A pipe tells when it serves, and, by its end, when it is gone."""
        lifeline.require_main_thread()
        self.process = uuid4()
        """Its name among those that share the bus."""
        self._loop = asyncio.get_running_loop()
        self._is_serving: asyncio.Future[bool] = self._loop.create_future()
        self._is_gone: asyncio.Future[None] = self._loop.create_future()
        self._pipe, theirs = os.pipe()
        try:
            self._child = subprocess.Popen(
                orders.arguments(self.process, theirs),
                env=orders.environment(),
                stdin=subprocess.DEVNULL,
                pass_fds=(orders.listener.fileno(), theirs),
                start_new_session=True,  # out of reach of the terminal's Ctrl-C
                preexec_fn=lifeline.bound(signal.SIGKILL),  # noqa: PLW1509 - it calls two system calls, no more
            )
        except BaseException:
            os.close(self._pipe)
            raise
        finally:
            os.close(theirs)
        self._loop.add_reader(self._pipe, self._hear)

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._child.pid

    async def serves(self) -> bool:
        """Returns when it serves, or with False when it cannot."""
        try:
            async with asyncio.timeout(START_S):
                return await asyncio.shield(self._is_serving)
        except TimeoutError:
            return False

    async def gone(self) -> int:
        """Returns when it is gone, with its exit code."""
        await asyncio.shield(self._is_gone)
        while (code := self._child.poll()) is None:  # noqa: ASYNC110 - what is left of it has no event
            await asyncio.sleep(POLL)
        return code

    async def end(self) -> None:
        """Asks it to end its streams and itself; returns when it is gone."""
        self._child.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(END_S):
                await self.gone()
        except TimeoutError:
            log.warning("worker.killed", pid=self.pid)
            self._child.kill()
            await self.gone()

    def _hear(self) -> None:
        if os.read(self._pipe, 16):
            if not self._is_serving.done():
                self._is_serving.set_result(True)
            return
        self._loop.remove_reader(self._pipe)
        os.close(self._pipe)
        if not self._is_serving.done():
            self._is_serving.set_result(False)
        self._is_gone.set_result(None)


@click.command(hidden=True)
@click.option("--listener", type=int, required=True)
@click.option("--serving", type=int, required=True)
@click.option("--process", type=click.UUID, required=True)
@click.option("--landmark", type=click.Path(path_type=Path))
def worker(listener: int, serving: int, process: UUID, landmark: Path | None) -> None:
    """Serve a socket that `starling serve --workers` listens on, which starts this command."""
    read = settings()
    uvloop.run(_work(read, listener, serving, process, landmark))


async def _work(read: Settings, listener: int, serving: int, process: UUID, landmark: Path | None) -> None:
    if read.database_url is None or read.public_url is None:
        raise click.UsageError("This command is started by `starling serve --workers`.")
    starling = Starling(read, read.database_url, read.public_url, landmark, process)
    await starling.prepare()
    server = _Server(starling, serving)
    calm_collector()
    await server.serve([socket.socket(fileno=listener)])


class _Server(Server):
    """Tells the parent when it serves."""

    def __init__(self, starling: Starling, serving: int) -> None:
        super().__init__(starling)
        self._serving = serving

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Returns when connections are accepted."""
        await super().startup(sockets)
        os.write(self._serving, b"serving\n")
