"""One start at a time: processes that race for one data directory queue here."""

import asyncio
import fcntl
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import structlog

log = structlog.get_logger(__name__)

POLL = 0.05  # seconds
IMPATIENT = 10.0  # seconds between two log lines of a process that waits


def try_lock(path: Path) -> int | None:
    """A descriptor that holds the lock until it is closed or this process dies; None while another has it."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


@asynccontextmanager
async def start_lock(path: Path) -> AsyncIterator[None]:
    """Waits for the lock, however long the other process takes, and holds it."""
    waited = 0.0
    while (descriptor := try_lock(path)) is None:
        await asyncio.sleep(POLL)
        waited += POLL
        if waited >= IMPATIENT:
            log.info("postgres.waiting_for_other_start", lock=str(path))
            waited = 0.0
    try:
        yield
    finally:
        os.close(descriptor)
