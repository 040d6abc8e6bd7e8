"""Files of no item, blobs of no file: they go, and nothing else does."""

import asyncio
from collections.abc import Awaitable, Callable
from uuid import UUID, uuid4

import pytest

from app.errors import Unavailable
from app.store import orphans as module
from app.store.commit import Committer
from app.store.database import Database
from app.store.files import Files, Quota
from app.store.orphans import Orphans
from tests.harness.people import Person
from tests.harness.waiting import eventually
from tests.store.conftest import Sql
from tests.store.making import delete
from tests.store.test_files import OTHER, SHA, held, published


class Shelf:
    """Stands for the blob store: what was discarded, and when it may be."""

    def __init__(self) -> None:
        self.discarded: list[str] = []
        self.swept = 0
        self.before: Callable[[], Awaitable[None]] | None = None

    async def discard(self, sha256: str) -> None:
        if self.before is not None:
            await self.before()
        self.discarded.append(sha256)

    async def sweep(self) -> int:
        self.swept += 1
        return 2


@pytest.fixture
def files(database: Database) -> Files:
    return Files(database, Quota(10**9, 1000))


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


@pytest.fixture
def orphans(database: Database, shelf: Shelf) -> Orphans:
    return Orphans(database, shelf.discard, shelf.sweep)


async def look_now(sql: Sql) -> None:
    await sql("update shelves set look_at = now()")


async def test_only_files_of_no_item_go(
    orphans: Orphans, files: Files, committer: Committer, feed_id: UUID, sql: Sql
) -> None:
    deleted, _ = await published(files, committer, feed_id)
    kept, _ = await published(files, committer, feed_id)
    fresh, old = await held(files, feed_id, uuid4()), await held(files, feed_id, uuid4())
    await sql(
        "update files set created_at = now() - interval '25 hours' where id = :id or item_id = :kept",
        id=old.id,
        kept=kept,
    )
    await committer.submit(delete(feed_id, deleted))
    assert await orphans.files() == 0, "each feed is looked at daily"
    await look_now(sql)
    assert await orphans.files() == 2
    left = {row.id: row.item_id for row in await sql("select id, item_id from files")}
    assert set(left.values()) >= {kept}
    assert len(left) == 2
    assert fresh.id in left
    assert [row.later for row in await sql("select look_at > now() + interval '23 hours' as later from shelves")] == [
        True
    ]


async def test_every_feed_is_looked_at_and_forgotten_when_it_has_none(
    orphans: Orphans, files: Files, database: Database, sql: Sql, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "AT_ONCE", 2)
    for _ in range(5):
        await held(files, (await Person.make(database)).feed_id, uuid4())
    await sql("update files set created_at = now() - interval '25 hours'")
    await look_now(sql)
    assert await orphans.files() == 5
    assert await sql("select 1 from files union all select 1 from shelves") == []


async def test_a_blob_goes_when_no_file_of_anybody_has_it(
    orphans: Orphans, shelf: Shelf, files: Files, database: Database, feed_id: UUID, sql: Sql
) -> None:
    other = (await Person.make(database)).feed_id
    mine = [await held(files, feed_id, uuid4(), 10, sha) for sha in (SHA, OTHER)]
    theirs = await held(files, other, uuid4(), 10, SHA)
    await files.drop(feed_id, [each.id for each in mine])
    assert await orphans.blobs() - 2 == 1
    assert shelf.discarded == [OTHER]
    assert await orphans.blobs() == 0
    await files.drop(other, [theirs.id])
    assert await orphans.blobs() == 1
    assert shelf.discarded == [OTHER, SHA]
    assert await sql("select 1 from blobs") == []


async def test_any_number_of_blobs_go(
    orphans: Orphans, shelf: Shelf, files: Files, feed_id: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "AT_ONCE", 2)
    some = [await held(files, feed_id, uuid4(), 10, f"{n:064x}") for n in range(5)]
    await held(files, feed_id, uuid4(), 10, f"{2:064x}")
    await files.drop(feed_id, [each.id for each in some])
    await orphans.blobs()
    assert shelf.discarded == [f"{n:064x}" for n in (0, 1, 3, 4)]


async def test_content_that_is_just_being_put_in_place_stays(
    orphans: Orphans, shelf: Shelf, files: Files, feed_id: UUID, sql: Sql, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the blob's row and the file's there is nothing that has it."""
    holding, going_on = asyncio.Event(), asyncio.Event()
    make_room = Files._make_room

    async def slow(self: Files, *arguments: object) -> None:
        holding.set()
        await going_on.wait()
        await make_room(self, *arguments)  # type: ignore[arg-type]

    first = await held(files, feed_id, uuid4())
    await files.drop(feed_id, [first.id])
    file_id = await files.announce(feed_id, uuid4(), "n", "t/t", 10)
    (seen,) = await orphans._loose(b"")
    monkeypatch.setattr(Files, "_make_room", slow)
    task = asyncio.ensure_future(files.hold(feed_id, file_id, SHA, 10))
    async with asyncio.timeout(30):
        await holding.wait()
        await orphans.blobs()
        assert not await orphans._remove(seen)
        going_on.set()
        await task
        await orphans.blobs()
    assert shelf.discarded == []
    assert [row.loose_at for row in await sql("select loose_at from blobs")] == [None]


async def test_who_brings_content_that_is_just_going_waits_and_brings_it_again(
    orphans: Orphans, shelf: Shelf, files: Files, feed_id: UUID, sql: Sql
) -> None:
    first = await held(files, feed_id, uuid4())
    await files.drop(feed_id, [first.id])
    file_id = await files.announce(feed_id, uuid4(), "n", "t/t", 10)
    tasks: list[asyncio.Future[None]] = []

    async def waits() -> bool:
        return bool(await sql("select 1 from pg_stat_activity where wait_event_type = 'Lock' and query like '%blobs%'"))

    async def bring() -> None:
        tasks.append(asyncio.ensure_future(files.hold(feed_id, file_id, SHA, 10)))
        await eventually(waits, 30, "the wait for who removes it")
        assert not tasks[0].done()

    shelf.before = bring
    await orphans.blobs()
    await tasks[0]
    assert shelf.discarded == [SHA]
    assert len(await sql("select 1 from blobs join files using (sha256) where loose_at is null")) == 1


async def test_content_that_cannot_be_removed_is_tried_again(
    orphans: Orphans, shelf: Shelf, files: Files, feed_id: UUID, sql: Sql
) -> None:
    async def fail() -> None:
        raise Unavailable

    await files.drop(feed_id, [(await held(files, feed_id, uuid4())).id])
    shelf.before = fail
    with pytest.raises(Unavailable):
        await orphans.blobs()
    assert len(await sql("select 1 from blobs")) == 1
    shelf.before = None
    await orphans.blobs()
    assert (shelf.discarded, await sql("select 1 from blobs")) == ([SHA], [])


async def test_arrivals_are_swept_now_and_then(orphans: Orphans, shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    assert await orphans.blobs() == 2
    assert await orphans.blobs() == 0
    monkeypatch.setattr(module, "SWEEP_S", 0.0)
    assert await orphans.blobs() == 2
    assert shelf.swept == 2
