"""How long to wait before something that ended is started again."""

import time

FIRST_DELAY, LONGEST_DELAY = 0.25, 30.0  # seconds between starts that do not hold, doubling
STEADY = 60.0  # seconds after which what was started counts as healthy again


class Backoff:
    """Not at all the first time; then longer and longer, until a start has held for a while."""

    def __init__(self) -> None:
        self._delay = 0.0
        self._started: float | None = None

    def started(self) -> None:
        """It runs, from now on."""
        self._started = time.monotonic()

    def next(self) -> float:
        """Seconds to wait before the next start."""
        if self._started is not None and time.monotonic() - self._started > STEADY:
            self._delay = 0.0
        self._started = None
        delay = self._delay
        self._delay = min(max(delay * 2, FIRST_DELAY), LONGEST_DELAY)
        return delay
