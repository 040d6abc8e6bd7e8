"""Redis as the bus needs it: no call lasts, and none that fails is more than a fact."""

import asyncio
from collections.abc import Awaitable

import structlog
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

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
    """Whether it did so in time; a call that did not is given up."""
    try:
        async with asyncio.timeout(within_s):
            await call
    except (RedisError, OSError) as error:
        log.debug("redis.call_failed", error=type(error).__name__)
        return False
    except Exception:  # hints are lost, and whoever lives by them goes on
        log.exception("redis.call_failed")
        return False
    return True
