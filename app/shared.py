"""Reads that started after they were asked for, shared by all who asked by then."""

import asyncio
from collections.abc import Awaitable, Callable, Collection
from typing import Generic, TypeVar

K = TypeVar("K")
T = TypeVar("T")


class SharedRead(Generic[K, T]):
    """Answers by key. However many ask at once, at most one query runs and one waits."""

    def __init__(self, read: Callable[[Collection[K]], Awaitable[dict[K, T]]]) -> None:
        self._read = read
        self._wanted: set[K] = set()
        self._next: asyncio.Future[dict[K, T]] | None = None
        self._task: asyncio.Task[None] | None = None

    async def get(self, key: K) -> T | None:
        """The answer as of a moment after this call; None if there is none for this key. Raises `Unavailable`."""
        if self._next is None:
            self._next = asyncio.get_running_loop().create_future()
        self._wanted.add(key)
        answer = self._next
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run())
        return (await asyncio.shield(answer)).get(key)

    async def _run(self) -> None:
        while self._next is not None:
            answer, wanted = self._next, self._wanted
            self._next, self._wanted = None, set()
            try:
                answer.set_result(await self._read(wanted))
            except asyncio.CancelledError:
                answer.cancel()
                raise
            except Exception as error:  # noqa: BLE001 - handed to those who asked
                answer.set_exception(error)
                answer.exception()  # all of them may have gone
