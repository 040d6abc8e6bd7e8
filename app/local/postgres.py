"""`Postgres`: the database of one data directory, kept running."""

import asyncio
import os
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

import structlog

from app.local import postmaster, sockets
from app.local.account import Account
from app.local.child import Child
from app.local.cluster import Cluster
from app.local.embedded import POLL, Embedded
from app.local.errors import LocalDatabaseError, LocalServerError
from app.local.lifeline import require_main_thread
from app.local.postmaster import Postmaster
from app.local.programs import binaries as find_binaries
from app.local.programs import runnable
from app.local.server import Server
from app.local.startlock import start_lock, try_lock

log = structlog.get_logger(__name__)

PATIENCE = 30.0  # seconds for what is left of an earlier server to go


class Postgres(Embedded):
    """The embedded Postgres of one data directory."""

    def __init__(
        self, data_dir: Path, *, settings: Mapping[str, str] | None = None, binaries: Path | None = None
    ) -> None:
        """`data_dir` is Starling's own directory; the cluster is `data_dir/postgres`, its log `data_dir/postgres.log`.

        `settings` are Postgres settings that win over the defaults. `binaries` is a directory with `postgres` and
        `initdb`, by default what `app.local.binaries` finds. Nothing is touched before `start`.
        """
        super().__init__(data_dir)
        self._settings = dict(settings or {})
        self._binaries = binaries
        self._other: Postmaster | None = None

    @property
    def url(self) -> str:
        """SQLAlchemy URL of the database. It stays the same over restarts and take-overs between Starling processes."""
        return f"postgresql+asyncpg://{sockets.USER}@/{sockets.DATABASE}?host={quote(str(self._socket_directory))}"

    @property
    def pid(self) -> int | None:
        """The postmaster's process id, for people and tests."""
        holder = self._server or self._other
        return holder.pid if holder else None

    async def start(self) -> None:
        """Returns when the database accepts connections: made if new, attached to if another process runs it.

        Raises LocalDatabaseError when it cannot: wrong version, no access, or the last lines of Postgres's log. Cancel
        it at will, but call `stop` afterwards.
        """
        self._stopped = False
        await self._start()

    async def stop(self) -> None:
        """Ends the server if this process owns it, and leaves another process's alone."""
        self._stopped = True
        server, self._server, self._other = self._server, None, None
        if not server:
            return
        await server.stop()
        self._remove_socket_directory()
        log.info("postgres.stopped", pid=server.pid)

    @property
    def _lock(self) -> Path:
        return self._data_dir / "postgres.lock"

    @property
    def _socket_directory(self) -> Path:
        own = sockets.socket_directory(self._data_dir)
        return (self._other.socket_directory or own) if self._other else own

    async def _start(self) -> None:
        require_main_thread()
        if self._server and await self._accepts(self._server):
            return
        self._make_directory()
        async with start_lock(self._lock):
            self._server = self._other = None
            await self._bring_up(await self._cluster())
        self._backoff.started()

    async def _cluster(self) -> Cluster:
        place = self._data_dir / "postgres"
        account = Account.choose(place)
        cluster = Cluster(place, account, runnable(self._binaries or find_binaries(), account))
        await cluster.ensure(self._settings)
        return cluster

    async def _bring_up(self, cluster: Cluster) -> None:
        deadline = time.monotonic() + PATIENCE
        while True:
            other = postmaster.find(cluster.home)
            if other and other.socket_directory and await sockets.answers(other.socket_directory):
                self._other = other
                log.info("postgres.attached", pid=other.pid, url=self.url)
                return
            if not other and await self._launch(cluster):
                return
            if time.monotonic() > deadline:
                raise LocalDatabaseError(self._explanation(other))
            await asyncio.sleep(POLL)

    async def _launch(self, cluster: Cluster) -> bool:
        """False: the remains of an earlier server are in the way."""
        directory = self._socket_directory
        sockets.prepare(sockets.socket_file(directory), cluster.account)
        postmaster.release(cluster.home)
        server = self._server = Server(cluster, directory, self._settings, self._data_dir / "postgres.log")
        if await self._accepts(server):
            log.info("postgres.started", pid=server.pid, version=cluster.programs.version, url=self.url)
            return True
        if server.predecessor_lives():
            return False
        raise LocalDatabaseError(self._explanation(None))

    async def _accepts(self, server: Child) -> bool:
        """Waits as long as it takes, for a recovery can take long; False when the server ended instead."""
        while server.running:
            if await sockets.answers(self._socket_directory):
                return True
            await asyncio.sleep(POLL / 2)
        return False

    def _explanation(self, other: Postmaster | None) -> str:
        if other:
            return f"Process {other.pid} serves {other.home}, but has not accepted connections for {PATIENCE:.0f} s."
        words = self._server.last_words() if self._server else ""
        return f"Postgres does not start; its last words in {self._data_dir / 'postgres.log'}:\n{words}"

    def _healthy(self) -> bool:
        if self._server:
            self._server.bound_log()
            return self._server.running and self._server.reachable
        return self._other is not None and self._other.running

    async def _revive(self) -> None:
        try:
            if self.owned and self._server:
                log.warning("postgres.socket_lost", pid=self.pid)
                await self._server.stop()
            else:
                log.warning("postgres.died", pid=self.pid, exit_code=self._server.exit_code if self._server else None)
            await self._start()
        except (LocalServerError, OSError) as error:
            log.error("postgres.restart_failed", error=str(error))  # noqa: TRY400

    def _remove_socket_directory(self) -> None:
        held = try_lock(self._lock)
        if held is None:  # another process takes over in this very moment and needs it
            return
        try:
            with suppress(OSError):
                sockets.socket_directory(self._data_dir).rmdir()
        finally:
            os.close(held)
