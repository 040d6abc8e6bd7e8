"""Content on its way to an item: given to it, or gone."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text

from app.actions import intake as module
from app.actions.intake import Basket, Intake
from app.blobs.store import BlobStore
from app.errors import QuotaExceeded, TooLarge, TooManyRequests, Unavailable
from app.store.database import Database
from app.store.files import Files, Quota
from tests.harness.people import Person


@pytest.fixture
async def blobs(tmp_path: Path) -> BlobStore:
    store = BlobStore.at(tmp_path)
    await store.prepare()
    return store


@pytest.fixture
def intake(database: Database, blobs: BlobStore) -> Intake:
    return Intake(Files(database, Quota(1000, 20)), blobs, 600)


def content_of(root: Path) -> list[str]:
    """Where there is any."""
    return [path.parent.name for path in root.rglob("*") if path.is_file()]


async def pieces(content: bytes) -> AsyncIterator[bytes]:
    yield content


async def rows(database: Database, feed_id: UUID) -> int:
    async with database.transaction(feed_id) as connection:
        return int((await connection.execute(text("select count(*) from files"))).scalar_one())


async def take(basket: Basket, content: bytes = b"x", size: int = 0) -> None:
    await basket.take("n", "t/t", pieces(content), size)


async def test_what_is_given_stays_and_all_else_is_dropped(intake: Intake, database: Database, person: Person) -> None:
    feed_id = person.feed_id
    async with intake.basket(feed_id, uuid4()) as basket:
        await take(basket)
    assert await rows(database, feed_id) == 0
    async with intake.basket(feed_id, uuid4()) as basket:
        await take(basket)
        await take(basket)
        basket.is_given = True
    assert await rows(database, feed_id) == 2


@pytest.mark.parametrize(
    ("size", "announced", "error"), [(601, 0, TooLarge), (600, 0, QuotaExceeded), (1, 601, QuotaExceeded)]
)
async def test_what_is_refused_leaves_neither_rows_nor_content(
    intake: Intake,
    database: Database,
    person: Person,
    tmp_path: Path,
    size: int,
    announced: int,
    error: type[Exception],
) -> None:
    async def fill() -> None:
        async with intake.basket(person.feed_id, uuid4()) as basket:
            await take(basket, b"y" * 450)
            await take(basket, b"x" * size, announced)

    with pytest.raises(error):
        await fill()
    assert await rows(database, person.feed_id) == 0
    assert content_of(tmp_path) == ["sha256"]


async def test_content_that_cannot_be_settled_is_dropped(
    intake: Intake,
    database: Database,
    person: Person,
    blobs: BlobStore,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    async def fail(*_: object) -> None:
        raise Unavailable

    monkeypatch.setattr(blobs, "settle", fail)

    async def fill() -> None:
        async with intake.basket(person.feed_id, uuid4()) as basket:
            await take(basket)

    with pytest.raises(Unavailable):
        await fill()
    assert await rows(database, person.feed_id) == 0
    assert content_of(tmp_path) == []


async def test_a_user_has_so_many_under_way_and_others_theirs(
    intake: Intake, database: Database, person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "AT_ONCE", 2)
    go_on = asyncio.Event()

    async def hold(feed_id: UUID) -> None:
        async with intake.basket(feed_id, uuid4()):
            await go_on.wait()

    other = (await Person.make(database)).feed_id
    tasks = [asyncio.ensure_future(hold(feed)) for feed in (person.feed_id, person.feed_id, other)]
    await asyncio.sleep(0)
    with pytest.raises(TooManyRequests):
        await hold(person.feed_id)
    go_on.set()
    await asyncio.gather(*tasks)
    await hold(person.feed_id)
    assert not intake._busy
