"""One timer for all connections whose request is still arriving."""

import time
from collections.abc import Callable
from itertools import takewhile
from typing import Generic, TypeVar

T = TypeVar("T")


class Arrivals(Generic[T]):
    """Calls `overdue(thing)` for what began to arrive `patience_s` seconds ago and has not ended since.

    All have the same time, so the order in which they began is the order in which they are due: beginning, ending and
    looking cost next to nothing, however many there are.
    """

    def __init__(self, patience_s: float, overdue: Callable[[T], None]) -> None:
        self._patience_s = patience_s
        self._overdue = overdue
        self._begun: dict[T, float] = {}

    def begin(self, thing: T) -> None:
        """From now on it is waited for, unless it is already."""
        if thing not in self._begun:
            self._begun[thing] = time.monotonic()

    def end(self, thing: T) -> None:
        """It is waited for no longer."""
        self._begun.pop(thing, None)

    def tick(self, now: float) -> None:
        """Looks at the time, of the monotonic clock in seconds. What is overdue has ended; it may begin again."""
        past = now - self._patience_s
        for thing, _ in list(takewhile(lambda begun: begun[1] <= past, self._begun.items())):
            if self._begun.pop(thing, None) is not None:
                self._overdue(thing)
