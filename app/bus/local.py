"""The bus within one process."""

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence

from app import telemetry
from app.model import Message

MAX_WAITING = 100_000


class LocalBus:
    """Hands every message to every listener. Publishing never waits and never fails."""

    def __init__(self) -> None:
        self._listeners: set[_Listener] = set()

    def publish(self, messages: Sequence[Message]) -> None:
        """Passes the messages on in order; a listener that is too far behind loses its oldest ones."""
        telemetry.bus_published.inc(len(messages))
        self.hand_out(messages)

    def hand_out(self, messages: Sequence[Message]) -> None:
        """Passes on, within this process, what others have said."""
        telemetry.bus_received.inc(len(messages))
        for listener in self._listeners:
            listener.take(messages)

    @property
    def waiting(self) -> int:
        """Messages that listeners have not taken."""
        return sum(len(listener) for listener in self._listeners)

    @property
    def is_connected(self) -> bool:
        """Whether messages of other processes arrive; there are none."""
        return True

    async def run(self, on_gap: Callable[[], None]) -> None:
        """Exchanges messages with other processes until cancelled: here there is nothing to do.

        `on_gap` is called when some of the others' may have been lost.
        """

    async def listen(self, *kinds: type[Message]) -> AsyncIterator[list[Message]]:
        """Messages published from the first step of the iteration on, in order, as many at a time as are waiting.

        Only those of `kinds`, if any are named: nobody is woken for what is none of his business.
        """
        listener = _Listener(kinds)
        self._listeners.add(listener)
        try:
            while True:
                yield await listener.give()
        finally:
            self._listeners.discard(listener)


class _Listener:
    def __init__(self, kinds: tuple[type[Message], ...]) -> None:
        self._kinds = kinds
        self._waiting: deque[Message] = deque(maxlen=MAX_WAITING)
        self._since = 0.0
        self._wake = asyncio.Event()

    def __len__(self) -> int:
        return len(self._waiting)

    def take(self, messages: Sequence[Message]) -> None:
        if self._kinds and not (messages := [each for each in messages if isinstance(each, self._kinds)]):
            return
        lost = len(self._waiting) + len(messages) - MAX_WAITING
        if lost > 0:
            telemetry.bus_dropped.inc(lost)
        if not self._waiting:
            self._since = time.monotonic()
        self._waiting.extend(messages)
        self._wake.set()

    async def give(self) -> list[Message]:
        await self._wake.wait()
        self._wake.clear()
        messages = list(self._waiting)
        self._waiting.clear()
        telemetry.bus_lag.observe(time.monotonic() - self._since)
        return messages
