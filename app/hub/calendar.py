"""One timer for all streams: each is visited at the second it asked for."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")
TICK_S = 0.5


class Calendar(Generic[T]):
    """Calls `visit(thing, now)` at a time, of the monotonic clock in seconds, rounded down to whole ones."""

    def __init__(self, visit: Callable[[T, float], None]) -> None:
        self._visit = visit
        self._due: defaultdict[int, list[T]] = defaultdict(list)
        self._done = int(time.monotonic())

    def add(self, thing: T, when: float) -> None:
        """Asks for a visit at `when`; at the next second if that is past."""
        self._due[max(int(when), self._done + 1)].append(thing)

    def tick(self, now: float) -> None:
        """Makes the visits that are due."""
        while self._done < int(now):
            self._done += 1
            for thing in self._due.pop(self._done, ()):
                self._visit(thing, now)

    async def run(self) -> None:
        """Ticks until cancelled."""
        while True:
            await asyncio.sleep(TICK_S)
            self.tick(time.monotonic())
