"""One running postmaster that is our child, and its log."""

import asyncio
import os
import shutil
import signal
import time
from collections.abc import Mapping
from pathlib import Path

import structlog

from app.local.cluster import Cluster
from app.local.sockets import PORT, socket_file

log = structlog.get_logger(__name__)

POLL = 0.05  # seconds
LOG_LIMIT = 10 * 1024 * 1024  # bytes; one older file of that size is kept
LAST_LINES = 12
DEFAULTS = {
    "max_connections": "100",
    "shared_buffers": "128MB",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_checkpoints": "off",
    # Messages and statements quote what people wrote; the server's own log names errors by their SQLSTATE.
    "log_min_messages": "log",
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
}
STILL_HELD = ("pre-existing shared memory block", 'lock file "postmaster.pid" already exists')
# A fast shutdown writes a checkpoint; an immediate one leaves recovery to the next start; the last asks nobody.
SHUTDOWN = ((signal.SIGINT, 30.0), (signal.SIGQUIT, 5.0), (signal.SIGKILL, 5.0))


class Server:
    """A postmaster from its fork to its end. It dies with this process."""

    def __init__(self, cluster: Cluster, socket_directory: Path, settings: Mapping[str, str], logfile: Path) -> None:
        """Forks it; it does not accept connections yet. `settings` win over the defaults, not over the socket's."""
        self._socket = socket_file(socket_directory)
        self._logfile = logfile
        self.bound_log()
        fixed = {
            "listen_addresses": "",
            "port": str(PORT),
            "unix_socket_directories": str(socket_directory),
            "unix_socket_permissions": "0700",
            "logging_collector": "off",
        }
        options = [part for item in (DEFAULTS | dict(settings) | fixed).items() for part in ("-c", "=".join(item))]
        arguments = [cluster.programs.postgres, "-D", str(cluster.home), *options]
        with open(logfile, "ab", opener=_private) as said:
            self._log_start = said.tell()
            self._process = cluster.account.spawn(arguments, said=said, last=signal.SIGINT)

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    @property
    def exit_code(self) -> int | None:
        """As subprocess gives it: negative for a signal, None while it runs."""
        return self._process.poll()

    @property
    def reachable(self) -> bool:
        """Whether its socket is still there: cleaners of /tmp remove sockets, and Postgres cannot make them again."""
        return self._socket.exists()

    def last_words(self) -> str:
        """The last lines it logged."""
        with self._logfile.open("rb") as file:
            file.seek(self._log_start)
            lines = file.read().decode(errors="replace").splitlines()
        return "\n".join(lines[-LAST_LINES:])

    def predecessor_lives(self) -> bool:
        """Whether it ended because processes of an earlier postmaster still use the cluster: worth another try."""
        return any(reason in self.last_words() for reason in STILL_HELD)

    def bound_log(self) -> None:
        """Moves the log's text aside when it is longer than LOG_LIMIT; the server goes on writing to the same file."""
        if self._logfile.exists() and self._logfile.stat().st_size > LOG_LIMIT:
            shutil.copy2(self._logfile, self._logfile.with_name(f"{self._logfile.name}.1"))
            os.truncate(self._logfile, 0)
            self._log_start = 0

    async def stop(self) -> None:
        """Ends it, politely first; returns when it is gone."""
        for number, patience in SHUTDOWN:
            if not self.running:
                break
            if number is not signal.SIGINT:
                log.warning("postgres.stop_escalated", pid=self.pid, signal=number.name)
            self._process.send_signal(number)
            await self._gone(patience)

    async def _gone(self, patience: float) -> None:
        deadline = time.monotonic() + patience
        while self.running and time.monotonic() < deadline:  # noqa: ASYNC110 - a process has no event to wait for
            await asyncio.sleep(POLL)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
