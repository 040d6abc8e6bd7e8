"""Waiting for a condition, with a deadline."""

import asyncio
import time
from collections.abc import Awaitable, Callable


async def eventually(condition: Callable[[], Awaitable[bool] | bool], within: float = 10.0, what: str = "it") -> None:
    """Returns when the condition holds; fails the test when it does not within that many seconds."""
    begun = time.monotonic()
    while True:
        held = condition()
        if held if isinstance(held, bool) else await held:
            return
        assert time.monotonic() - begun < within, f"{what} did not happen within {within} s"
        await asyncio.sleep(0.01)
