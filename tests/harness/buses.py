"""A bus between processes, of which each is played by an object with connections of its own."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from uuid import uuid4

from app.bus.local import LocalBus
from app.bus.redis import RedisBus
from app.model import Message
from tests.harness.waiting import eventually


@dataclass
class Ear:
    """What a listener of a bus has heard by now."""

    bus: LocalBus
    heard: list[Message] = field(default_factory=list)
    gaps: int = 0

    async def listen(self) -> None:
        """Listens until cancelled."""
        async for messages in self.bus.listen():
            self.heard += messages

    def gap(self) -> None:
        """Some messages may have been lost."""
        self.gaps += 1

    async def until(self, count: int, within: float = 15.0) -> list[Message]:
        """What was heard, once it is that many messages."""
        await eventually(lambda: len(self.heard) >= count, within, f"message {count}")
        return self.heard


@asynccontextmanager
async def listening(bus: LocalBus) -> AsyncIterator[Ear]:
    """The bus runs, and is listened to."""
    ear, others = Ear(bus), len(bus._listeners)
    tasks = [asyncio.create_task(bus.run(ear.gap)), asyncio.create_task(ear.listen())]
    try:
        await eventually(lambda: bus.is_connected and len(bus._listeners) > others, 15, "the connection")
        yield ear
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def process(url: str | None) -> LocalBus:
    """The bus of one more process; without a URL there is only one."""
    return LocalBus() if url is None else RedisBus(url, uuid4())
