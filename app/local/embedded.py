"""`Embedded`: what it is to keep a server running for a data directory, whichever server it is."""

import asyncio
import os
from abc import ABC, abstractmethod
from pathlib import Path

from app.local.backoff import Backoff
from app.local.child import Child

POLL = 0.1  # seconds


class Embedded(ABC):
    """A server of one data directory. All of it belongs to the main thread's event loop."""

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir.absolute()
        self._server: Child | None = None
        self._stopped = False
        self._backoff = Backoff()

    @property
    def owned(self) -> bool:
        """Whether this process started the server and ends it; False: another process does, or none runs."""
        return self._server is not None and self._server.running

    async def supervise(self) -> None:
        """Runs until cancelled or `stop`: starts the server again whenever it is gone, ours or the other process's."""
        while not self._stopped:
            await asyncio.sleep(POLL)
            if not self._healthy():
                await asyncio.sleep(self._backoff.next())
                await self._revive()

    @abstractmethod
    def _healthy(self) -> bool:
        """Whether there is nothing to do."""

    @abstractmethod
    async def _revive(self) -> None:
        """Starts it again, or says why that failed."""

    def _make_directory(self) -> None:
        # Open to be walked through by the account that the server runs as, when that is not this process's.
        self._data_dir.mkdir(mode=0o700 if os.geteuid() else 0o711, parents=True, exist_ok=True)
