"""Rows of files: from announced to held, counted against the quota, found with their item alone."""

import asyncio
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text

from app.errors import NotFound, QuotaExceeded, Unavailable
from app.model import File
from app.store import files as module
from app.store.commit import Committer
from app.store.database import Database
from app.store.files import Files, Quota
from tests.harness.people import Person
from tests.store.conftest import Sql
from tests.store.making import delete, item_of, put

SHA = "ab" * 32
OTHER = "cd" * 32


@pytest.fixture
def files(database: Database) -> Files:
    return Files(database, Quota(1000, 5))


async def held(files: Files, feed_id: UUID, item_id: UUID, size: int = 10, sha256: str = SHA) -> File:
    file_id = await files.announce(feed_id, item_id, "a.txt", "text/plain", 0)
    await files.hold(feed_id, file_id, sha256, size)
    return File(file_id, "a.txt", "text/plain", size, sha256)


async def published(files: Files, committer: Committer, feed_id: UUID, size: int = 10) -> tuple[UUID, File]:
    item_id = uuid4()
    file = await held(files, feed_id, item_id, size)
    await committer.submit(put(feed_id, item_id, files=(file,), kind="file"))
    return item_id, file


async def test_a_file_is_found_while_its_item_is_there(files: Files, committer: Committer, feed_id: UUID) -> None:
    item_id = uuid4()
    file = await held(files, feed_id, item_id)
    with pytest.raises(NotFound):
        await files.get(feed_id, file.id)
    outcome = await committer.submit(put(feed_id, item_id, files=(file,), kind="file"))
    assert item_of(outcome)["files"] == [
        {"id": str(file.id), "name": "a.txt", "mime_type": "text/plain", "size": 10, "sha256": SHA}
    ]
    assert await files.get(feed_id, file.id) == file
    await committer.submit(delete(feed_id, item_id))
    with pytest.raises(NotFound):
        await files.get(feed_id, file.id)


@pytest.mark.parametrize("fresh", [True, False])
async def test_an_item_has_its_files_however_it_is_made_and_changed(
    files: Files, committer: Committer, feed_id: UUID, fresh: bool
) -> None:
    item_id = uuid4()
    some = tuple([await held(files, feed_id, item_id, size) for size in (1, 2)])
    made = item_of(await committer.submit(put(feed_id, item_id, files=some, kind="file", fresh=fresh)))
    changed = item_of(await committer.submit(put(feed_id, item_id, "any", title="named")))
    assert made["files"] == changed["files"]
    assert [each["id"] for each in made["files"]] == [str(file.id) for file in some]


async def test_a_file_is_of_its_feed_and_its_audience(
    files: Files, committer: Committer, database: Database, feed_id: UUID, person: Person
) -> None:
    inside, outside = await person.device(), await person.device()
    item_id = uuid4()
    file = await held(files, feed_id, item_id)
    await committer.submit(put(feed_id, item_id, files=(file,), kind="file", audience=(inside.id,)))
    assert await files.get(feed_id, file.id, device_id=inside.id) == file
    for feed, device in ((feed_id, outside.id), ((await Person.make(database)).feed_id, None)):
        with pytest.raises(NotFound):
            await files.get(feed, file.id, device_id=device)


@pytest.mark.parametrize(("size", "unit", "limit"), [(600, "bytes", 1000), (1, "files", 5)])
async def test_the_quota_is_of_bytes_and_of_files(
    files: Files, feed_id: UUID, database: Database, size: int, unit: str, limit: int
) -> None:
    for _ in range(5 if unit == "files" else 1):
        await held(files, feed_id, uuid4(), size)
    with pytest.raises(QuotaExceeded) as caught:
        await files.announce(feed_id, uuid4(), "n", "t/t", size)
    assert (caught.value.members["unit"], caught.value.members["limit"]) == (unit, limit)
    assert caught.value.members["used"] <= limit
    await held(files, (await Person.make(database)).feed_id, uuid4(), size)


async def test_what_was_not_announced_is_counted_when_it_is_known(files: Files, feed_id: UUID, sql: Sql) -> None:
    file_id = await files.announce(feed_id, uuid4(), "n", "t/t", 0)
    with pytest.raises(QuotaExceeded):
        await files.hold(feed_id, file_id, SHA, 1001)
    await files.hold(feed_id, file_id, SHA, 1000)
    assert [row.size for row in await sql("select size from files")] == [1000]


async def test_uploads_at_once_stay_within_the_quota(files: Files, feed_id: UUID, sql: Sql) -> None:
    done = await asyncio.gather(
        *(held(files, feed_id, uuid4(), 300, f"{n:064x}") for n in range(8)), return_exceptions=True
    )
    assert sum(isinstance(each, File) for each in done) == 3
    assert all(isinstance(each, File | QuotaExceeded) for each in done)
    assert (await sql("select sum(size) as used from files where sha256 is not null"))[0].used == 900


async def test_control_counting_without_the_lock_is_found_out(
    files: Files, feed_id: UUID, sql: Sql, monkeypatch: pytest.MonkeyPatch
) -> None:
    counting = asyncio.Barrier(2)
    require = Files._require_room

    async def slow(self: Files, *arguments: object) -> None:
        await require(self, *arguments)  # type: ignore[arg-type]
        await counting.wait()

    unlocked = text("select cast(:feed as uuid), cast(:later as interval)")
    monkeypatch.setattr(module, "_LOCK_SHELF", unlocked)
    ids = [await files.announce(feed_id, uuid4(), "n", "t/t", 0) for _ in range(2)]
    monkeypatch.setattr(Files, "_require_room", slow)
    await asyncio.gather(*(files.hold(feed_id, each, SHA, 600) for each in ids))
    assert (await sql("select sum(size) as used from files"))[0].used == 1200


async def test_what_is_of_deleted_items_makes_room_at_once(
    files: Files, committer: Committer, feed_id: UUID, sql: Sql
) -> None:
    item_id, _ = await published(files, committer, feed_id, 900)
    kept, _ = await published(files, committer, feed_id, 50)
    with pytest.raises(QuotaExceeded):
        await files.announce(feed_id, uuid4(), "n", "t/t", 900)
    await committer.submit(delete(feed_id, item_id))
    await files.announce(feed_id, uuid4(), "n", "t/t", 900)
    assert {row.item_id for row in await sql("select item_id from files where sha256 is not null")} == {kept}
    assert len(await sql("select 1 from blobs where loose_at is not null")) == 1


async def test_what_is_dropped_is_gone_and_its_blob_loose(files: Files, feed_id: UUID, sql: Sql) -> None:
    first, second = [await held(files, feed_id, uuid4(), 10, sha) for sha in (SHA, OTHER)]
    arriving = await files.announce(feed_id, uuid4(), "n", "t/t", 10)
    await files.drop(feed_id, [first.id, arriving])
    assert [row.id for row in await sql("select id from files")] == [second.id]
    loose = await sql("select encode(sha256, 'hex') as sha256, loose_at is not null as loose from blobs order by 1")
    assert [tuple(row) for row in loose] == [(SHA, True), (OTHER, False)]


async def test_an_account_that_is_gone_has_no_files(files: Files, feed_id: UUID, sql: Sql) -> None:
    file = await held(files, feed_id, uuid4())
    arriving = await files.announce(feed_id, uuid4(), "n", "t/t", 10)
    await sql("delete from users")
    assert await sql("select 1 from files union all select 1 from shelves") == []
    assert len(await sql("select 1 from blobs where loose_at is not null")) == 1
    with pytest.raises(NotFound):
        await files.announce(feed_id, uuid4(), "n", "t/t", 10)
    with pytest.raises(NotFound):
        await files.hold(feed_id, arriving, SHA, 10)
    with pytest.raises(NotFound):
        await files.get(feed_id, file.id)


async def test_an_upload_that_took_too_long_is_refused(files: Files, feed_id: UUID, sql: Sql) -> None:
    file_id = await files.announce(feed_id, uuid4(), "n", "t/t", 10)
    await sql("update files set created_at = now() - interval '23 hours'")
    with pytest.raises(Unavailable):
        await files.hold(feed_id, file_id, SHA, 10)
