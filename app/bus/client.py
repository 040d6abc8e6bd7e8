"""Redis as the bus needs it: no call lasts, and none that fails is more than a fact."""

import asyncio
from collections.abc import Awaitable

import structlog
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

GIVE_UP_S = 1.0

log = structlog.get_logger(__name__)


def connect(url: str, timeout_s: float) -> Redis:
    """A client whose calls end within the time, and are not tried again behind the caller's back."""
    return Redis.from_url(
        url,
        protocol=2,
        driver_info=None,
        socket_timeout=timeout_s,
        socket_connect_timeout=timeout_s,
        retry=Retry(NoBackoff(), 0),
    )


async def succeeds(call: Awaitable[object], within_s: float) -> bool:
    """Whether it did so in time; a call that did not is given up.

    It is a task of its own, because the client now and then takes a cancellation for a failure, and goes on.
    """
    task = asyncio.ensure_future(call)
    task.add_done_callback(_look_at)
    try:
        await asyncio.wait([task], timeout=within_s)
    except asyncio.CancelledError:
        task.cancel()
        await asyncio.wait([task], timeout=GIVE_UP_S)
        raise
    if not task.done():
        task.cancel()
        return False
    return not task.cancelled() and task.exception() is None


def _look_at(task: asyncio.Future[object]) -> None:
    error = None if task.cancelled() else task.exception()
    if isinstance(error, (RedisError, OSError)):
        log.debug("redis.call_failed", error=type(error).__name__)
    elif error is not None:  # hints are lost, and whoever lives by them goes on
        log.error("redis.call_failed", exc_info=error)
