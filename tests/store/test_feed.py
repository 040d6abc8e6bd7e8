"""Pages and heads of a feed."""

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.hub import sse
from app.model import MAX_SEQ, Cursor, Head
from app.store.commit import Committer
from app.store.database import Database
from app.store.feed import FeedReader, Page
from app.store.upkeep import Upkeep
from tests.harness.people import Person
from tests.store.conftest import Sql
from tests.store.making import VALUES, delete, put

DEVICE, OTHER = uuid4(), uuid4()


@pytest.fixture
def reader(database: Database) -> FeedReader:
    return FeedReader(database)


async def page_of(
    reader: FeedReader,
    feed_id: UUID,
    after: int = 0,
    limit: int = 100,
    max_bytes: int = 1 << 20,
    device: UUID | None = None,
) -> Page:
    page = await reader.page(feed_id, after, device_id=device, limit=limit, max_bytes=max_bytes)
    assert page is not None
    return page


def seqs(page: Page) -> list[int]:
    return [row.seq for row in page.rows]


async def test_an_empty_feed_is_an_empty_page(reader: FeedReader, feed_id: UUID) -> None:
    page = await page_of(reader, feed_id)
    assert (page.rows, page.end, page.has_more, page.head.head) == ([], 0, False, 0)


async def test_a_feed_that_is_gone_has_no_page_and_no_head(reader: FeedReader, database: Database) -> None:
    assert await reader.page(uuid4(), 0, device_id=None, limit=1) is None
    assert await reader.head(uuid4()) is None
    assert await reader.heads([uuid4()]) == {}


@pytest.mark.parametrize(
    ("after", "limit", "expected"),
    [
        (0, 10, ([2, 3, 4, 5, 6], 6, False)),
        (0, 5, ([2, 3, 4, 5, 6], 6, False)),
        (0, 4, ([2, 3, 4, 5], 5, True)),
        (0, 1, ([2], 2, True)),
        (3, 10, ([4, 5, 6], 6, False)),
        (5, 1, ([6], 6, False)),
        (6, 10, ([], 6, False)),
    ],
)
async def test_a_page_ends_at_its_limit_or_at_the_head(
    reader: FeedReader,
    committer: Committer,
    feed_id: UUID,
    after: int,
    limit: int,
    expected: tuple[list[int], int, bool],
) -> None:
    first = uuid4()
    others = [put(feed_id) for _ in range(4)]
    await committer.submit_all([put(feed_id, first), *others, put(feed_id, first, 1, title="x")])
    page = await page_of(reader, feed_id, after, limit)
    assert (seqs(page), page.end, page.has_more) == expected


@pytest.mark.parametrize("max_bytes", [1, 3000, 5000, 1 << 20])
async def test_pages_of_few_bytes_together_are_the_feed(
    reader: FeedReader, committer: Committer, feed_id: UUID, max_bytes: int
) -> None:
    await committer.submit_all([put(feed_id, text="x" * (1000 * n)) for n in range(8)])
    after, read = 0, list[int]()
    while True:
        page = await page_of(reader, feed_id, after, max_bytes=max_bytes)
        sizes = [len(row.wire) for row in page.rows]
        assert page.rows
        assert sum(sizes[:-1]) < max_bytes
        assert not page.has_more or sum(sizes) >= max_bytes
        read += seqs(page)
        after = page.end
        if not page.has_more:
            break
    assert read == list(range(1, 9))


async def test_a_device_sees_what_is_for_it_and_its_pages_end_where_they_looked(
    reader: FeedReader, committer: Committer, feed_id: UUID
) -> None:
    for audience in (None, (DEVICE,), (OTHER,), (DEVICE, OTHER), (OTHER,), (OTHER,)):
        await committer.submit(put(feed_id, audience=audience))
    page = await page_of(reader, feed_id, device=DEVICE)
    assert (seqs(page), page.end, page.has_more) == ([1, 2, 4], 6, False)
    assert [row.audience for row in page.rows] == [None, frozenset({DEVICE}), frozenset({DEVICE, OTHER})]
    cut = await page_of(reader, feed_id, limit=2, device=DEVICE)
    assert (seqs(cut), cut.end, cut.has_more) == ([1, 2], 2, True)
    rest = await page_of(reader, feed_id, 4, device=DEVICE)
    assert (seqs(rest), rest.end, rest.has_more) == ([], 6, False)
    assert seqs(await page_of(reader, feed_id)) == [1, 2, 3, 4, 5, 6]


async def test_a_tombstone_is_for_the_devices_that_had_the_item(
    reader: FeedReader, committer: Committer, feed_id: UUID
) -> None:
    item = uuid4()
    await committer.submit_all([put(feed_id, item, audience=(DEVICE,)), delete(feed_id, item)])
    assert seqs(await page_of(reader, feed_id, device=DEVICE)) == [2]
    assert seqs(await page_of(reader, feed_id, device=OTHER)) == []


async def test_a_page_never_shows_another_feed(reader: FeedReader, committer: Committer, database: Database) -> None:
    mine, theirs = (await Person.make(database)).feed_id, (await Person.make(database)).feed_id
    item = uuid4()
    await committer.submit_all([put(mine, item, title="mine"), put(theirs, item, title="theirs")])
    page = await page_of(reader, mine)
    assert [b"mine" in row.wire for row in page.rows] == [True]
    assert b"theirs" not in page.rows[0].wire


async def test_the_head_tells_all_counters(
    reader: FeedReader, committer: Committer, database: Database, feed_id: UUID, sql: Sql
) -> None:
    item = uuid4()
    await committer.submit_all([put(feed_id, item), delete(feed_id, item), put(feed_id)])
    await Upkeep(database, committer, tombstone_age=timedelta(0)).prune()
    await sql("update feeds set auth = 7, epoch = 'abcdefgh'")
    expected = Head("abcdefgh", 7, 2, 3)
    assert await reader.head(feed_id) == expected
    assert (await page_of(reader, feed_id)).head == expected
    assert await reader.heads([feed_id, uuid4()]) == {feed_id: expected}


async def test_a_page_and_its_head_are_of_one_moment(reader: FeedReader, committer: Committer, feed_id: UUID) -> None:
    async def write() -> None:
        for _ in range(40):
            await committer.submit_all([put(feed_id) for _ in range(5)])

    writing = asyncio.create_task(write())
    while not writing.done():
        page = await page_of(reader, feed_id, limit=1000)
        assert len(page.rows) == page.head.head == page.end
    await writing


AUDIENCES = st.sampled_from([None, (DEVICE,), (OTHER,), (DEVICE, OTHER)])


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    said=st.lists(st.tuples(VALUES, AUDIENCES, st.booleans()), max_size=8),
    start=st.builds(Cursor, st.just("abcdefgh"), st.integers(0, 12), st.integers(0, 12) | st.integers(0, MAX_SEQ)),
    limits=st.tuples(st.integers(1, 9), st.sampled_from([1, 1000, 1 << 20])),
)
async def test_frames_are_the_events_of_the_rows(
    reader: FeedReader,
    committer: Committer,
    database: Database,
    said: list[tuple[dict[str, Any], tuple[UUID, ...] | None, bool]],
    start: Cursor,
    limits: tuple[int, int],
) -> None:
    feed_id = (await Person.make(database)).feed_id
    for values, audience, is_deleted in said:
        item = uuid4()
        await committer.submit(put(feed_id, item, audience=audience, **values))
        if is_deleted:
            await committer.submit(delete(feed_id, item))
    whole = await page_of(reader, feed_id, start.seq, device=DEVICE)
    cursor = Cursor(whole.head.epoch, start.seq, start.base)
    came, is_done = b"", False
    while not is_done:
        page = await reader.frames(feed_id, cursor, device_id=DEVICE, limit=limits[0], max_bytes=limits[1])
        assert page is not None
        assert page.head == whole.head
        assert page.number == len((await page_of(reader, feed_id, cursor.seq, *limits, DEVICE)).rows)
        came, cursor = came + page.frames, cursor.at(page.end)
        is_done = page.end == page.head.head
    assert came == b"".join(sse.item(str(cursor.at(row.seq)), row.wire) for row in whole.rows)


async def test_a_feed_that_is_gone_has_no_frames(reader: FeedReader) -> None:
    assert await reader.frames(uuid4(), Cursor("abcdefgh", 0), device_id=DEVICE, limit=1, max_bytes=1) is None


async def test_frames_never_show_another_feed(reader: FeedReader, committer: Committer, database: Database) -> None:
    mine, theirs = (await Person.make(database)).feed_id, (await Person.make(database)).feed_id
    await committer.submit_all([put(mine, title="mine"), put(theirs, title="theirs")])
    for feed_id, title, other in ((mine, b"mine", b"theirs"), (theirs, b"theirs", b"mine"), (mine, b"mine", b"theirs")):
        page = await reader.frames(feed_id, Cursor("abcdefgh", 0), device_id=DEVICE, limit=10, max_bytes=1 << 20)
        assert page is not None
        assert (page.number, title in page.frames, other in page.frames) == (1, True, False)


@pytest.mark.parametrize("pinned", [True, False])
async def test_a_short_page_of_a_long_feed_reads_no_more_than_it_gives(
    reader: FeedReader, committer: Committer, feed_id: UUID, sql: Sql, pinned: bool
) -> None:
    """Even where nothing is known of the table yet, which makes Postgres think that sorting it is cheap."""
    await committer.submit_all([put(feed_id, title="x" * 2000) for _ in range(500)])
    await sql("delete from pg_statistic where starelid = cast('items' as regclass)")
    if not pinned:  # without it the test would prove nothing
        await sql("alter function read_frames reset all")
    (counted,) = await sql(
        "select number, pg_stat_get_xact_tuples_fetched(cast('items' as regclass)) as read"
        " from read_frames(:feed, :feed, 0, 0, 5, 1000000)",
        feed=feed_id,
    )
    assert counted.number == 5
    assert (counted.read < 10) == pinned
