"""The one way in and out for content, from coroutines: hashed as it comes, and never in memory as a whole."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any, Protocol, TypeVar
from uuid import uuid4

import msgspec
import structlog
from obstore.exceptions import BaseError

from app import telemetry
from app.blobs.disk import Disk
from app.blobs.s3 import S3
from app.errors import TooLarge, Unavailable

THREADS = 8
GATHERED = 256 * 1024
"""Bytes that are hashed and written at once."""
ABANDONED = timedelta(days=1)
FAILURES = (OSError, EOFError, BaseError)

log = structlog.get_logger(__name__)
T = TypeVar("T")


class Incoming(Protocol):
    """Content that is being written. After `finish` it can be settled or discarded; after `abort` it is gone."""

    def write(self, content: bytes) -> None: ...
    def finish(self) -> None: ...
    def abort(self) -> None: ...


class Backend(Protocol):
    """Where blobs are. All of it blocks; each says what it does."""

    def prepare(self) -> None: ...
    def begin(self, name: str) -> Incoming: ...
    def settle(self, name: str, sha256: str) -> None: ...
    def discard(self, name: str) -> None: ...
    def read(self, sha256: str, start: int, end: int) -> Iterator[bytes]: ...
    def delete(self, sha256: str) -> None: ...
    def sweep(self, age: timedelta) -> int: ...


class Arrived(msgspec.Struct, frozen=True):
    """Content that is whole, and not yet under its hash."""

    name: str
    sha256: str
    size: int


class BlobStore:
    """Blobs of a directory, or of an S3 bucket. Every call raises `Unavailable` when the place cannot do its part."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="blobs")

    @classmethod
    def at(cls, place: str | Path) -> "BlobStore":
        """`s3://bucket/prefix`, or a directory."""
        is_s3 = isinstance(place, str) and place.startswith("s3://")
        return cls(S3(str(place)) if is_s3 else Disk(Path(place)))

    async def prepare(self) -> None:
        """To be awaited before anything else."""
        await self._run(self._backend.prepare)

    async def receive(self, chunks: AsyncIterator[bytes], *, limit: int) -> Arrived:
        """Takes in what comes; no trace is left of what does not end well. Raises `TooLarge` above `limit` bytes."""
        name = str(uuid4())
        incoming = await self._run(self._backend.begin, name)
        try:
            sha256, size = await self._write_all(incoming, gathered(chunks), limit)
        except BaseException:
            await self._quietly(incoming.abort)
            raise
        telemetry.file_bytes.labels("in").inc(size)
        return Arrived(name, sha256, size)

    async def _write_all(self, incoming: Incoming, chunks: AsyncIterator[bytes], limit: int) -> tuple[str, int]:
        digest, size = hashlib.sha256(), 0

        def take(content: bytes) -> None:
            digest.update(content)
            incoming.write(content)

        async for content in chunks:
            size += len(content)
            if size > limit:
                raise TooLarge("The file is too large.", limit=limit)
            await self._run(take, content)
        await self._run(incoming.finish)
        return digest.hexdigest(), size

    async def settle(self, arrived: Arrived) -> None:
        """Makes it a blob; once this returns it outlives a crash."""
        await self._run(self._backend.settle, arrived.name, arrived.sha256)

    async def discard(self, arrived: Arrived) -> None:
        """Forgets it."""
        await self._quietly(self._backend.discard, arrived.name)

    @asynccontextmanager
    async def reading(self, sha256: str, start: int, end: int) -> AsyncIterator[AsyncIterator[bytes]]:
        """The bytes from `start` up to `end` of a blob, in pieces. What is missing at all is told before the first."""
        pieces: Iterator[bytes] = iter(())
        if start < end:
            pieces = await self._run(self._backend.read, sha256, start, end)
        try:
            yield self._pieces(pieces)
        finally:
            if (close := getattr(pieces, "close", None)) is not None:
                await self._quietly(close)

    async def _pieces(self, pieces: Iterator[bytes]) -> AsyncIterator[bytes]:
        while (piece := await self._run(next, pieces, None)) is not None:
            telemetry.file_bytes.labels("out").inc(len(piece))
            yield piece

    async def delete(self, sha256: str) -> None:
        """Removes a blob, if there is one."""
        await self._run(self._backend.delete, sha256)

    async def sweep(self) -> int:
        """Removes what arrived a day ago and became nothing; how many."""
        return await self._run(self._backend.sweep, ABANDONED)

    async def _run(self, work: Callable[..., T], *arguments: Any) -> T:
        """In a thread. What has begun there ends there, also when the caller is cancelled."""
        future = asyncio.get_running_loop().run_in_executor(self._threads, work, *arguments)
        try:
            return await asyncio.shield(future)
        except asyncio.CancelledError:
            await asyncio.wait([future])
            raise
        except FAILURES as error:
            telemetry.blob_failures.inc()
            log.warning("blobs.failed", exc_info=error)
            raise Unavailable("The files' store is not available right now; nothing was changed.") from error

    async def _quietly(self, work: Callable[..., object], *arguments: Any) -> None:
        """Tidies up, if it can: what stays behind is swept."""
        with suppress(Unavailable):
            await self._run(work, *arguments)


async def gathered(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The same bytes in fewer pieces."""
    waiting: list[bytes] = []
    size = 0
    async for chunk in chunks:
        waiting.append(chunk)
        size += len(chunk)
        if size >= GATHERED:
            yield b"".join(waiting)
            waiting, size = [], 0
    if size:
        yield b"".join(waiting)
