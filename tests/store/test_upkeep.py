"""What happens to a feed with time: expiry, pruning, forgetting."""

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from prometheus_client import REGISTRY

from app.store import upkeep, writer
from app.store.commit import Committer
from app.store.database import Database
from app.store.feed import FeedReader
from app.store.upkeep import Upkeep
from tests.harness.going_on import going_on, locking
from tests.harness.people import Person
from tests.store.conftest import Sql
from tests.store.making import Published, committing, delete, named, put

PAST, FUTURE = datetime(2020, 1, 1, tzinfo=UTC), datetime(2999, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture
def keeper(database: Database, committer: Committer) -> Upkeep:
    return Upkeep(database, committer, tombstone_age=DAY)


def told(work: str) -> float:
    """What the metrics say of it."""
    return REGISTRY.get_sample_value("starling_upkeep_rows_total", {"work": work}) or 0


async def buried(committer: Committer, feed_id: UUID, sql: Sql, *ages: timedelta) -> None:
    """Deletes an item for each age, that long ago."""
    for age in ages:
        item = uuid4()
        await committer.submit_all([put(feed_id, item), delete(feed_id, item)])
        await sql("update items set deleted_at = now() - cast(:age as interval) where id = :id", age=age, id=item)
    await sql("update feeds set deleted_first = (select min(deleted_at) from items)")


async def test_an_expired_item_becomes_a_tombstone_like_any_change(
    keeper: Upkeep, committer: Committer, published: Published, feed_id: UUID, sql: Sql
) -> None:
    for expiry in (PAST, FUTURE, None):
        await committer.submit(put(feed_id, expires_at=expiry))
    assert await keeper.expire() == 1
    assert await keeper.expire() == 0
    assert published.seqs(feed_id) == [1, 2, 3, 4]
    assert b'"deleted":true' in (published.messages[-1].wire or b"")
    rows = await sql("select seq, deleted_at is not null as gone, expires_at from items order by seq")
    assert [tuple(row) for row in rows] == [(2, False, FUTURE), (3, False, None), (4, True, None)]
    assert [row.expires_next for row in await sql("select expires_next from feeds")] == [FUTURE]


async def test_an_item_whose_expiry_was_moved_stays(keeper: Upkeep, committer: Committer, feed_id: UUID) -> None:
    item = uuid4()
    await committer.submit_all([put(feed_id, item, expires_at=PAST), put(feed_id, item, 1, expires_at=FUTURE)])
    assert await keeper.expire() == 0


async def test_any_number_of_feeds_and_items_expire(
    keeper: Upkeep, committer: Committer, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upkeep, "FEEDS_AT_ONCE", 2)
    monkeypatch.setattr(upkeep, "ITEMS_AT_ONCE", 3)
    feeds = [(await Person.make(database)).feed_id for _ in range(5)]
    await committer.submit_all([put(feed, expires_at=PAST) for feed in feeds for _ in range(7)])
    assert await keeper.expire() == 35
    assert {head.head for head in (await FeedReader(database).heads(feeds)).values()} == {14}


async def test_pruning_removes_old_tombstones_and_raises_the_floor_to_the_highest(
    keeper: Upkeep, committer: Committer, feed_id: UUID, sql: Sql
) -> None:
    await committer.submit(put(feed_id))
    await buried(committer, feed_id, sql, 3 * DAY, DAY / 2, 2 * DAY)
    assert await keeper.prune() == 2
    assert [row.seq for row in await sql("select seq from items order by seq")] == [1, 5]
    counters = await sql("select floor, head, deleted_first > now() - interval '1 day' from feeds")
    assert [tuple(row) for row in counters] == [(7, 7, True)]
    assert await keeper.prune() == 0


async def test_a_floor_never_falls(keeper: Upkeep, committer: Committer, feed_id: UUID, sql: Sql) -> None:
    await buried(committer, feed_id, sql, DAY / 2, 3 * DAY)
    await keeper.prune()
    await sql("update items set deleted_at = now() - interval '2 days'")
    await sql("update feeds set deleted_first = now() - interval '2 days'")
    assert await keeper.prune() == 1
    assert [tuple(row) for row in await sql("select floor, deleted_first from feeds")] == [(4, None)]


async def test_no_reader_sees_a_tombstone_gone_and_the_floor_not_raised(
    keeper: Upkeep, committer: Committer, database: Database, feed_id: UUID, sql: Sql
) -> None:
    reader = FeedReader(database)
    for _ in range(10):
        await buried(committer, feed_id, sql, 2 * DAY)
        pruning = asyncio.create_task(keeper.prune())
        while not pruning.done():
            page = await reader.page(feed_id, 0, device_id=None, limit=10)
            assert page is not None
            assert bool(page.rows) == (page.head.floor < page.head.head)
        assert await pruning == 1


async def test_replays_are_forgotten_when_their_time_is_over(
    keeper: Upkeep, committer: Committer, database: Database, feed_id: UUID, sql: Sql
) -> None:
    other = (await Person.make(database)).feed_id
    for feed in (feed_id, other):
        for key, life in ((b"a", 0 * DAY), (b"b", DAY)):
            await committer.submit(put(feed, replay=named(key, life=life)))
    assert await keeper.forget() == 2
    assert {bytes(row.key)[:1] for row in await sql("select key from replays")} == {b"b"}
    assert await keeper.forget() == 0


async def test_a_key_used_again_after_its_end_is_kept_for_its_new_life(
    keeper: Upkeep, committer: Committer, feed_id: UUID
) -> None:
    for life in (0 * DAY, DAY):
        await committer.submit(put(feed_id, replay=named(b"k", life=life)))
    assert await keeper.forget() == 0
    assert (await committer.submit(put(feed_id, replay=named(b"k")))).status == "duplicate"


async def test_two_at_once_do_the_work_once(
    keeper: Upkeep, committer: Committer, database: Database, feed_id: UUID, sql: Sql, published: Published
) -> None:
    await committer.submit_all([put(feed_id, expires_at=PAST) for _ in range(5)])
    await buried(committer, feed_id, sql, 2 * DAY)
    keepers = [keeper, Upkeep(database, committer, tombstone_age=DAY)]
    done = await asyncio.gather(*(each.run_once() for each in keepers))
    worked = [each for each in done if each is not None]
    assert [sum(each[what] for each in worked) for what in ("expired", "pruned")] == [5, 1]
    assert len(published.messages) == 12
    assert await keeper.run_once() is not None


async def test_who_finds_another_at_it_leaves_it_alone(keeper: Upkeep, database: Database) -> None:
    async with database.engine.connect() as connection:
        await connection.execute(upkeep._TRY_LOCK)
        assert await keeper.run_once() is None
        await connection.execute(upkeep._UNLOCK)
    assert await keeper.run_once() == {"expired": 0, "pruned": 0, "forgotten": 0}


async def test_a_feed_that_cannot_be_worked_on_holds_up_no_other(
    keeper: Upkeep, committer: Committer, database: Database, feed_id: UUID, sql: Sql
) -> None:
    broken = (await Person.make(database)).feed_id
    for each in (broken, feed_id):
        await committer.submit(put(each, expires_at=PAST))
    await buried(committer, feed_id, sql, 2 * DAY)
    await sql("update items set expires_at = '-infinity' where feed_id = :feed", feed=broken)
    await sql("update feeds set expires_next = '-infinity' where id = :feed", feed=broken)
    before = told("expired"), told("pruned")
    done = await keeper.run_once()
    assert done is not None
    assert (done["expired"], done["pruned"]) == (1, 1)
    assert (told("expired"), told("pruned")) == (before[0] + 1, before[1] + 1)


async def test_a_feed_that_is_locked_holds_up_no_other(
    committer: Committer,
    database: Database,
    database_url: str,
    feed_id: UUID,
    sql: Sql,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hasty = Database(database_url, pool_size=5, lock_timeout_ms=100)
    monkeypatch.setattr(writer, "_BEGIN_PATIENTLY", writer._BEGIN)
    locked = (await Person.make(database)).feed_id
    key = named(b"k", life=timedelta(0))
    for each in (locked, feed_id):  # the locked one's turn would come first
        await committer.submit_all([put(each, expires_at=PAST), put(each, replay=key)])
        await buried(committer, each, sql, 2 * DAY)
    async with committing(hasty) as writing, going_on(database_url, locking(locked)):
        done = await Upkeep(hasty, writing, tombstone_age=DAY).run_once()
    assert done == {"expired": 1, "pruned": 1, "forgotten": 1}
    left = await sql("select feed_id from items where deleted_at is null and expires_at is not null")
    assert [row.feed_id for row in left] == [locked]
    await hasty.close()


async def test_large_work_is_done_in_short_transactions(
    keeper: Upkeep, committer: Committer, feed_id: UUID, sql: Sql, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upkeep, "ROWS_AT_ONCE", 2)
    await buried(committer, feed_id, sql, *[2 * DAY] * 5)
    assert await keeper.prune() == 5
    assert [tuple(row) for row in await sql("select floor, deleted_first from feeds")] == [(10, None)]
