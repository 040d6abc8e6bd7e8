"""A server program that is our child, from its fork to its end, and its log. It dies with this process."""

import asyncio
import os
import shutil
import signal
import time
from collections.abc import Sequence
from pathlib import Path

import structlog

from app.local.account import Account

log = structlog.get_logger(__name__)

POLL = 0.05  # seconds
LOG_LIMIT = 10 * 1024 * 1024  # bytes; one older file of that size is kept
LAST_LINES = 12

Shutdown = Sequence[tuple[signal.Signals, float]]
"""Signals that end it, politest first, each with the seconds to wait for its end."""


class Child:
    """One run of a server. `name` is what the log calls it."""

    def __init__(
        self, name: str, arguments: Sequence[str], *, account: Account, socket: Path, logfile: Path, shutdown: Shutdown
    ) -> None:
        """Forks it; it does not accept connections yet. When this process dies it gets the politest signal."""
        self._name = name
        self._socket = socket
        self._logfile = logfile
        self._shutdown = shutdown
        self.bound_log()
        with open(logfile, "ab", opener=_private) as said:
            self._log_start = said.tell()
            self._process = account.spawn(arguments, said=said, last=shutdown[0][0])

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
        """Whether its socket is still there: cleaners of /tmp remove sockets, and it cannot make them again."""
        return self._socket.exists()

    def last_words(self) -> str:
        """The last lines it logged."""
        with self._logfile.open("rb") as file:
            file.seek(self._log_start)
            lines = file.read().decode(errors="replace").splitlines()
        return "\n".join(lines[-LAST_LINES:])

    def bound_log(self) -> None:
        """Moves the log's text aside when it is longer than LOG_LIMIT; the server goes on writing to the same file."""
        if self._logfile.exists() and self._logfile.stat().st_size > LOG_LIMIT:
            shutil.copy2(self._logfile, self._logfile.with_name(f"{self._logfile.name}.1"))
            os.truncate(self._logfile, 0)
            self._log_start = 0

    async def stop(self) -> None:
        """Ends it, politely first; returns when it is gone."""
        for attempt, (number, patience) in enumerate(self._shutdown):
            if not self.running:
                break
            if attempt:
                log.warning("server.stop_escalated", server=self._name, pid=self.pid, signal=number.name)
            self._process.send_signal(number)
            await self._gone(patience)

    async def _gone(self, patience: float) -> None:
        deadline = time.monotonic() + patience
        while self.running and time.monotonic() < deadline:  # noqa: ASYNC110 - a process has no event to wait for
            await asyncio.sleep(POLL)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
