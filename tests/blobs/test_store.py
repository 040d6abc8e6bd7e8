"""Blobs on disk and in S3: whole or not there, whatever happens on the way in."""

import asyncio
import hashlib
import os
import threading
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest

from app.blobs import store
from app.blobs.disk import DiskArrival
from app.blobs.store import BlobStore
from app.errors import BadRequest, TooLarge, Unavailable
from tests.harness.buckets import Buckets

MIB = 1024 * 1024
WHOLE = 1 << 40


@dataclass(frozen=True)
class Place:
    """A store, and what is in it by another way of looking."""

    store: BlobStore
    look: Callable[[], list[str]]
    unfinished: Callable[[], list[str]]


@pytest.fixture(params=["disk", "s3"])
async def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    if request.param == "disk":
        root = tmp_path / "made" / "blobs"
        look = partial(_files, root)
        found = Place(BlobStore.at(root), look, lambda: [each for each in look() if each.startswith("incoming")])
    else:
        buckets: Buckets = request.getfixturevalue("buckets")
        bucket = buckets.make()
        found = Place(BlobStore.at(bucket), lambda: buckets.keys(bucket), lambda: buckets.uploads(bucket))
    await found.store.prepare()
    return found


def _files(root: Path) -> list[str]:
    return sorted(str(each.relative_to(root)) for each in root.rglob("*") if each.is_file())


async def pieces(content: bytes, size: int = 60_000) -> AsyncIterator[bytes]:
    for start in range(0, len(content), size):
        yield content[start : start + size]


async def put(blobs: BlobStore, content: bytes) -> str:
    arrived = await blobs.receive(pieces(content), limit=WHOLE)
    await blobs.settle(arrived)
    return arrived.sha256


async def read(blobs: BlobStore, sha256: str, start: int, end: int) -> bytes:
    async with blobs.reading(sha256, start, end) as found:
        return b"".join([each async for each in found])


@pytest.mark.parametrize("size", [0, 1, 256 * 1024, 11 * MIB + 1])
async def test_what_came_in_goes_out_whole_and_in_parts(place: Place, size: int) -> None:
    content = os.urandom(size)
    sha256 = await put(place.store, content)
    assert sha256 == hashlib.sha256(content).hexdigest()
    assert place.look() == [f"sha256/{sha256}"]
    assert await read(place.store, sha256, 0, size) == content
    for start, end in ((0, size // 2), (size // 3, size), (size // 2, size // 2)):
        assert await read(place.store, sha256, start, end) == content[start:end]


async def test_until_it_is_settled_nobody_finds_it(place: Place) -> None:
    arrived = await place.store.receive(pieces(b"content"), limit=WHOLE)
    with pytest.raises(Unavailable):
        await read(place.store, arrived.sha256, 0, 7)
    await place.store.discard(arrived)
    assert place.look() == []


async def test_the_same_content_twice_is_there_once(place: Place) -> None:
    both = await asyncio.gather(put(place.store, b"same"), put(place.store, b"same"))
    assert place.look() == [f"sha256/{both[0]}"]
    assert await read(place.store, both[0], 0, 4) == b"same"


@pytest.mark.parametrize("after", [0, 6 * MIB])
async def test_what_breaks_off_leaves_nothing(place: Place, after: int) -> None:
    async def breaking() -> AsyncIterator[bytes]:
        async for piece in pieces(b"x" * after):
            yield piece
        raise BadRequest

    with pytest.raises(BadRequest):
        await place.store.receive(breaking(), limit=WHOLE)
    assert (place.look(), place.unfinished()) == ([], [])


async def test_what_is_too_large_leaves_nothing(place: Place) -> None:
    with pytest.raises(TooLarge) as caught:
        await place.store.receive(pieces(b"x" * 6 * MIB), limit=6 * MIB - 1)
    assert caught.value.members == {"limit": 6 * MIB - 1}
    assert (place.look(), place.unfinished()) == ([], [])


async def test_a_sender_that_is_cancelled_leaves_nothing(place: Place) -> None:
    waiting = asyncio.Event()

    async def endless() -> AsyncIterator[bytes]:
        async for piece in pieces(b"x" * 6 * MIB):
            yield piece
        waiting.set()
        await asyncio.Event().wait()

    task = asyncio.ensure_future(place.store.receive(endless(), limit=WHOLE))
    async with asyncio.timeout(30):
        await waiting.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (place.look(), place.unfinished()) == ([], [])


async def test_a_blob_goes_and_may_go_again_and_comes_back(place: Place) -> None:
    sha256 = await put(place.store, b"content")
    for _ in range(2):
        await place.store.delete(sha256)
        assert place.look() == []
    with pytest.raises(Unavailable):
        await read(place.store, sha256, 0, 7)
    await put(place.store, b"content")
    assert await read(place.store, sha256, 0, 7) == b"content"


async def test_only_old_arrivals_are_swept(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    arrived = await place.store.receive(pieces(b"content"), limit=WHOLE)
    settled = await put(place.store, b"settled")
    assert await place.store.sweep() == 0
    monkeypatch.setattr(store, "ABANDONED", timedelta(minutes=-1))
    assert await place.store.sweep() == 1
    assert place.look() == [f"sha256/{settled}"]
    with pytest.raises(Unavailable):
        await place.store.settle(arrived)


async def test_a_store_that_is_away_is_unavailable(buckets: Buckets, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    away = BlobStore.at("s3://bucket/files")
    await away.prepare()
    for size in (7, 11 * MIB):
        with pytest.raises(Unavailable):
            await put(away, b"x" * size)
    with pytest.raises(Unavailable):
        await read(away, "00", 0, 1)


async def test_nothing_is_under_its_hash_before_it_is_on_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The order of what the kernel is told: content, then its name."""
    done: list[str] = []
    fsync, replace = os.fsync, Path.replace

    def synced(descriptor: int) -> None:
        done.append(Path(f"/proc/self/fd/{descriptor}").readlink().parent.name)
        fsync(descriptor)

    def replaced(path: Path, target: Path) -> Path:
        done.append("replace")
        return replace(path, target)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(Path, "replace", replaced)
    blobs = BlobStore.at(tmp_path / "blobs")
    await blobs.prepare()
    done.clear()
    await put(blobs, b"content")
    assert done == ["incoming", "replace", "blobs"]


async def test_a_write_that_takes_long_ends_before_it_is_undone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writing, go_on = threading.Event(), threading.Event()
    write = DiskArrival.write

    def slow(arrival: DiskArrival, content: bytes) -> None:
        writing.set()
        go_on.wait(30)
        write(arrival, content)

    monkeypatch.setattr(DiskArrival, "write", slow)
    blobs = BlobStore.at(tmp_path / "blobs")
    await blobs.prepare()
    task = asyncio.ensure_future(blobs.receive(pieces(b"content"), limit=WHOLE))
    await asyncio.to_thread(writing.wait, 30)
    task.cancel()
    ended, _ = await asyncio.wait([task], timeout=0.3)
    assert not ended
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert _files(tmp_path) == []


async def test_nobody_else_may_look_into_the_directory(tmp_path: Path) -> None:
    await BlobStore.at(tmp_path / "blobs").prepare()
    assert (tmp_path / "blobs").stat().st_mode & 0o777 == 0o700
