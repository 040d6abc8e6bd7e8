"""Wrong passwords, kept as events of the accounts they were tried on."""

import asyncio
from uuid import UUID

import structlog

from app.errors import Unavailable
from app.store.security import SecurityEvents

log = structlog.get_logger(__name__)


class Failures:
    """They are written after the answer: else it would take longer for an address that has an account."""

    def __init__(self, events: SecurityEvents) -> None:
        self._events = events
        self._waiting: dict[UUID, tuple[int, str]] = {}
        self._wake = asyncio.Event()

    def note(self, user_id: UUID, address: str) -> None:
        """One wrong password."""
        times, _ = self._waiting.get(user_id, (0, ""))
        self._waiting[user_id] = times + 1, address
        self._wake.set()

    async def run(self) -> None:
        """Writes them until cancelled."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            waiting, self._waiting = self._waiting, {}
            for user_id, (times, address) in waiting.items():
                try:
                    await self._events.count(user_id, "sign_in_failed", address, times)
                except Unavailable as error:
                    log.warning("security.event_lost", times=times, reason=error.detail)
                except Exception:
                    log.exception("security.event_lost", times=times)
