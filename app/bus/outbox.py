"""What waits to leave the process: bounded in messages and bytes."""

import asyncio
from collections import deque
from collections.abc import Sequence

import msgspec

from app import telemetry
from app.model import Changed, Delta, Message

WIRE_BYTES = 16 * 1024
"""Longer items travel as a hint alone."""
TURN_MESSAGES, TURN_BYTES = 512, 128 * 1024
MAX_WAITING, MAX_WAITING_BYTES = 20_000, 32 * 1024 * 1024


class Outbox:
    """What waits for Redis, in order. When it is full, the oldest is lost."""

    def __init__(self) -> None:
        self._waiting: deque[Message] = deque()
        self._bytes = 0
        self._wake = asyncio.Event()

    def put(self, messages: Sequence[Message]) -> None:
        """Adds messages in order. Never waits."""
        for message in messages:
            short = _shortened(message)
            self._waiting.append(short)
            self._bytes += _size(short)
        while len(self._waiting) > MAX_WAITING or self._bytes > MAX_WAITING_BYTES:
            self._pop()
            telemetry.bus_dropped.inc()
        if self._waiting:
            self._wake.set()

    async def take(self) -> list[Message]:
        """What fits in one turn, as soon as there is something."""
        await self._wake.wait()
        batch: list[Message] = []
        size = 0
        while self._waiting and len(batch) < TURN_MESSAGES and size < TURN_BYTES:
            message = self._pop()
            batch.append(message)
            size += _size(message)
        if not self._waiting:
            self._wake.clear()
        return batch

    def _pop(self) -> Message:
        message = self._waiting.popleft()
        self._bytes -= _size(message)
        return message


def _shortened(message: Message) -> Message:
    if isinstance(message, Changed) and message.wire is not None and len(message.wire) > WIRE_BYTES:
        return msgspec.structs.replace(message, wire=None)
    return message


def _size(message: Message) -> int:
    if isinstance(message, Delta):
        return len(message.text)
    return len(message.wire) if isinstance(message, Changed) and message.wire is not None else 0
