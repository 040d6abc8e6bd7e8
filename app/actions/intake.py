"""Content on its way to an item: into the blob store, and announced, counted and held in the database meanwhile."""

from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from uuid import UUID

from app.blobs.store import BlobStore
from app.errors import OutcomeUnknown, TooManyRequests, Unavailable
from app.model import File
from app.store.commit import Committer
from app.store.files import Files
from app.store.fold import Change, Outcome

AT_ONCE = 8
"""Uploads of one user that a process takes in at the same time."""


class Basket:
    """The files of one item to be. Until it is committed nobody can read them."""

    def __init__(self, files: Files, blobs: BlobStore, feed_id: UUID, item_id: UUID, max_bytes: int) -> None:
        self._files = files
        self._blobs = blobs
        self._feed_id = feed_id
        self._max_bytes = max_bytes
        self._announced: list[UUID] = []
        self.item_id = item_id
        self.is_given = False
        """Whether the files are the item's, or may be: then they are not dropped."""

    async def take(self, name: str, mime_type: str, chunks: AsyncIterator[bytes], size: int = 0) -> File:
        """Takes a file in; `size` is what was announced. Raises `TooLarge`, `QuotaExceeded`, `NotFound`, `Unavailable`,
        and what the chunks raise."""
        file_id = await self._files.announce(self._feed_id, self.item_id, name, mime_type, size)
        self._announced.append(file_id)
        arrived = await self._blobs.receive(chunks, limit=self._max_bytes)
        try:
            await self._files.hold(self._feed_id, file_id, arrived.sha256, arrived.size)
            await self._blobs.settle(arrived)
        except BaseException:
            await self._blobs.discard(arrived)
            raise
        return File(file_id, name, mime_type, arrived.size, arrived.sha256)

    async def give(self, committer: Committer, change: Change) -> Outcome:
        """Publishes the item. Once it is submitted, only the outcome tells whether it has the files."""
        self.is_given = True
        try:
            outcome = await committer.submit(change)
        except Unavailable as error:
            self.is_given = isinstance(error, OutcomeUnknown)
            raise
        self.is_given = outcome.status == "applied"
        if outcome.error is not None:
            raise outcome.error
        return outcome

    async def drop(self) -> None:
        """Takes all of them back. The upkeep does it when the database cannot just now."""
        if self._announced:
            with suppress(Unavailable):
                await self._files.drop(self._feed_id, self._announced)


class Intake:
    """Hands out baskets; what is in one that is not given is dropped."""

    def __init__(self, files: Files, blobs: BlobStore, max_bytes: int) -> None:
        self._files = files
        self._blobs = blobs
        self.max_bytes = max_bytes
        """Of one file."""
        self._busy: Counter[UUID] = Counter()

    @asynccontextmanager
    async def basket(self, feed_id: UUID, item_id: UUID) -> AsyncIterator[Basket]:
        """Files for an item. Raises `TooManyRequests` when the user has too many of them under way."""
        with self._place(feed_id):
            basket = Basket(self._files, self._blobs, feed_id, item_id, self.max_bytes)
            try:
                yield basket
            finally:
                if not basket.is_given:
                    await basket.drop()

    @contextmanager
    def _place(self, feed_id: UUID) -> Iterator[None]:
        if self._busy[feed_id] >= AT_ONCE:
            raise TooManyRequests("Too many uploads at once: wait until one has ended.", retry_after=2)
        self._busy[feed_id] += 1
        try:
            yield
        finally:
            self._busy[feed_id] -= 1
            if not self._busy[feed_id]:
                del self._busy[feed_id]
