"""Where changes wait for their commit: in order of arrival, taken in batches."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Collection, Sequence
from dataclasses import dataclass
from uuid import UUID

from app.store.fold import Change, Outcome

MAX_BATCH = 512
MAX_BATCH_BYTES = 4 * 1024 * 1024

Waiter = tuple[Change, asyncio.Future[Outcome]]


@dataclass(frozen=True, slots=True)
class Group:
    """Changes that stay together. `weight`: about how many bytes they will write."""

    waiters: Sequence[Waiter]
    weight: int

    @classmethod
    def of(cls, waiters: Sequence[Waiter]) -> "Group":
        """A group of these."""
        return cls(waiters, sum(change.weight for change, _ in waiters))


class Lane:
    """New items wait apart from other changes, so that neither break up the other's batches; both take turns."""

    def __init__(self) -> None:
        self._births: deque[Group] = deque()
        self._others: deque[Group] = deque()
        self._wake = asyncio.Event()
        self.changes = self.weight = 0

    def add(self, group: Group, *, first: bool = False) -> None:
        """Behind all others, or before them."""
        if not group.waiters:
            return
        queue = self._births if all(change.fresh for change, _ in group.waiters) else self._others
        if first:
            queue.appendleft(group)
        else:
            queue.append(group)
        self.changes += len(group.waiters)
        self.weight += group.weight
        self._wake.set()

    async def batches(self) -> AsyncIterator[list[Waiter]]:
        """Whatever comes, without an end."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._births or self._others:
                for queue in (self._births, self._others):
                    if queue:
                        yield self._take(queue)

    def _take(self, queue: deque[Group]) -> list[Waiter]:
        """As many groups as make a batch, but one whole one at least."""
        batch: list[Waiter] = []
        weight = 0
        while queue and weight < MAX_BATCH_BYTES and (not batch or len(batch) + len(queue[0].waiters) <= MAX_BATCH):
            group = queue.popleft()
            batch += group.waiters
            weight += group.weight
        self.changes -= len(batch)
        self.weight -= weight
        return batch

    def part(self, feeds: Collection[UUID]) -> list[Waiter]:
        """Takes out what is for these feeds."""
        groups, theirs = self.empty(), list[Waiter]()
        for group in groups:
            taken, left = parted(group.waiters, feeds)
            theirs += taken
            self.add(Group.of(left) if taken else group)
        return theirs

    def empty(self) -> list[Group]:
        """Takes out everything."""
        groups = [*self._births, *self._others]
        self._births.clear()
        self._others.clear()
        self.changes = self.weight = 0
        return groups


def parted(waiters: Sequence[Waiter], feeds: Collection[UUID]) -> tuple[list[Waiter], list[Waiter]]:
    """Those for these feeds, and the others."""
    theirs = [waiter for waiter in waiters if waiter[0].feed_id in feeds]
    return theirs, [waiter for waiter in waiters if waiter[0].feed_id not in feeds]
