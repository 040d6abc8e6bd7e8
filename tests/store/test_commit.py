"""Group commit: one order, one transaction for many, each caller its own answer."""

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text

from app.errors import RequestIdReused, Unavailable
from app.model import Changed
from app.store import commit, lane
from app.store.batch import Batch
from app.store.commit import Committer
from app.store.database import Database
from app.store.fold import Change
from tests.harness.people import Person
from tests.harness.waiting import eventually
from tests.store.conftest import Sql
from tests.store.making import Published, committing, delete, error_of, item_of, named, put, running


async def test_changes_of_many_callers_are_one_transaction_in_arrival_order(
    committer: Committer, published: Published, feed_id: UUID, sql: Sql
) -> None:
    outcomes = await asyncio.gather(*(committer.submit(put(feed_id, title=str(n))) for n in range(300)))
    assert [outcome.seq for outcome in outcomes] == list(range(1, 301))
    assert [item_of(outcome)["title"] for outcome in outcomes] == [str(n) for n in range(300)]
    assert published.seqs(feed_id) == list(range(1, 301))
    counted = await sql("select count(distinct i.xmin::text), max(f.head) from items i, feeds f")
    assert [tuple(row) for row in counted] == [(1, 300)]


async def test_rows_and_messages_are_the_answers_bytes(
    committer: Committer, published: Published, feed_id: UUID, sql: Sql
) -> None:
    item = uuid4()
    await committer.submit(put(feed_id, item, title="a"))
    outcomes = await committer.submit_all([put(feed_id, item, 1, title="b"), put(feed_id, item, "any", tags=["c"])])
    assert [message.wire for message in published.messages[1:]] == [outcome.wire for outcome in outcomes]
    assert [tuple(row) for row in await sql("select seq, wire from items")] == [(3, outcomes[-1].wire)]


async def test_a_change_of_a_stored_item_keeps_each_fields_seq(committer: Committer, feed_id: UUID) -> None:
    item = uuid4()
    await committer.submit(put(feed_id, item, title="a", text="a"))
    for values in ({"title": "b"}, {"text": "b"}):
        assert (await committer.submit(put(feed_id, item, 1, **values))).status == "applied"
    assert (await committer.submit(put(feed_id, item, 1, title="c"))).status == "conflict"
    assert (await committer.submit(delete(feed_id, item, 2))).status == "conflict"
    assert (await committer.submit(delete(feed_id, item, 3))).status == "applied"
    assert (await committer.submit(put(feed_id, item, 4, title="c"))).status == "conflict"


async def test_a_request_repeated_later_gets_the_first_answer(committer: Committer, feed_id: UUID) -> None:
    first = await committer.submit(put(feed_id, title="a", replay=named(b"k", b"body")))
    await committer.submit(put(feed_id, first.item_id, 1, title="b"))
    again = await committer.submit(put(feed_id, title="a", replay=named(b"k", b"body")))
    other = await committer.submit(put(feed_id, title="x", replay=named(b"k", b"other")))
    assert (again.status, again.item_id, again.wire) == ("duplicate", first.item_id, first.wire)
    assert error_of(other) is RequestIdReused


async def test_an_equal_create_later_counts_while_the_item_is_unchanged(committer: Committer, feed_id: UUID) -> None:
    def create() -> Change:
        return put(feed_id, title="a", replay=named(b"k", keeps_answer=False), fresh=True)

    first, again = await committer.submit(create()), await committer.submit(create())
    assert (again.status, again.wire) == ("duplicate", first.wire)
    await committer.submit(put(feed_id, first.item_id, "any", title="b"))
    fresh, repeat = await committer.submit(create()), await committer.submit(create())
    assert (fresh.status, repeat.status, repeat.item_id) == ("applied", "duplicate", fresh.item_id)


async def test_a_key_counts_for_its_life(committer: Committer, feed_id: UUID) -> None:
    ended = named(b"k", life=timedelta(0))
    assert (await committer.submit(put(feed_id, replay=ended))).status == "applied"
    assert (await committer.submit(put(feed_id, replay=ended))).status == "applied"


@pytest.mark.case(6, "50 parallel requests with one key through 5 committers")
@pytest.mark.parametrize("fresh", [False, True])
async def test_fifty_parallel_requests_with_one_key_are_one_item(
    database: Database, person: Person, feed_id: UUID, sql: Sql, fresh: bool
) -> None:
    async with AsyncExitStack() as stack:
        committers = [await stack.enter_async_context(committing(database)) for _ in range(5)]
        changes = [put(feed_id, title="a", replay=named(b"k"), fresh=fresh) for _ in range(50)]
        outcomes = await asyncio.gather(*(committers[n % 5].submit(change) for n, change in enumerate(changes)))
    assert sorted(outcome.status for outcome in outcomes) == ["applied"] + ["duplicate"] * 49
    assert len({outcome.wire for outcome in outcomes}) == 1
    assert [tuple(row) for row in await sql("select count(*), max(seq) from items")] == [(1, 1)]


async def test_feeds_share_a_batch_and_not_their_seqs(database: Database, committer: Committer) -> None:
    feeds = [(await Person.make(database)).feed_id for _ in range(10)]
    outcomes = await committer.submit_all([put(feeds[n % 10]) for n in range(100)])
    assert [outcome.seq for outcome in outcomes] == [1 + n // 10 for n in range(100)]


async def test_committers_with_the_same_feeds_in_any_order_do_not_deadlock(database: Database) -> None:
    feeds = [(await Person.make(database)).feed_id for _ in range(8)]
    async with committing(database) as one, committing(database) as two:
        for turn in range(20):
            there = [put(feed, fresh=turn % 2 == 0) for feed in feeds]
            back = [put(feed, fresh=turn % 4 < 2) for feed in reversed(feeds)]
            for outcomes in await asyncio.gather(one.submit_all(there), two.submit_all(back)):
                assert {outcome.status for outcome in outcomes} == {"applied"}


async def test_the_longest_text_is_searchable_whatever_its_words(committer: Committer, feed_id: UUID) -> None:
    words = (f"{chr(0x20000 + n % 40_000)}-{chr(0x20000 + n // 40_000)}" for n in range(25_000))
    (outcome,) = await committer.submit_all([put(feed_id, text=" ".join(words), url="http://a.bc/" + "d" * 8000)])
    assert outcome.status == "applied"


async def test_publishing_that_fails_fails_no_caller(database: Database, feed_id: UUID) -> None:
    def broken(_: Sequence[Changed]) -> None:
        raise RuntimeError

    async with committing(database, broken) as committer:
        assert [(await committer.submit(put(feed_id))).seq for _ in range(2)] == [1, 2]


async def test_a_caller_that_hung_up_before_its_turn_changes_nothing(
    database: Database, feed_id: UUID, published: Published
) -> None:
    committer = Committer(database, published)
    callers = asyncio.gather(committer.submit(put(feed_id)), committer.submit_all([put(feed_id) for _ in range(3)]))
    await asyncio.sleep(0)
    callers.cancel()
    await asyncio.gather(callers, return_exceptions=True)
    async with running(committer):
        assert (await committer.submit(put(feed_id))).seq == 5
    assert published.seqs(feed_id) == [1, 2, 3, 4, 5]


async def test_a_caller_that_hung_up_in_mid_commit_changes_nothing(
    database: Database, feed_id: UUID, committer: Committer, published: Published, sql: Sql
) -> None:
    async with database.transaction() as holding:
        await holding.execute(text("select 1 from feeds for update"))
        caller = asyncio.create_task(committer.submit(put(feed_id)))

        async def is_waiting() -> bool:
            return bool(await sql("select 1 from pg_locks where not granted"))

        await eventually(is_waiting, what="the commit's wait for the feed")
        caller.cancel()
        await asyncio.gather(caller, return_exceptions=True)
    assert (await committer.submit(put(feed_id))).seq == 2
    assert published.seqs(feed_id) == [1, 2]


async def test_too_many_waiting_changes_are_refused_all_or_none(
    database: Database, feed_id: UUID, monkeypatch: pytest.MonkeyPatch, published: Published
) -> None:
    monkeypatch.setattr(commit, "MAX_WAITING", 3)
    committer = Committer(database, published)
    waiting = asyncio.create_task(committer.submit_all([put(feed_id), put(feed_id)]))
    await asyncio.sleep(0)
    with pytest.raises(Unavailable) as refused:
        await committer.submit_all([put(feed_id), put(feed_id)])
    assert refused.value.retry_after > 0
    async with running(committer):
        assert [outcome.seq for outcome in await waiting] == [1, 2]
        assert (await committer.submit(put(feed_id))).seq == 3


async def test_a_batch_ends_at_its_size(
    database: Database, feed_id: UUID, monkeypatch: pytest.MonkeyPatch, sql: Sql
) -> None:
    monkeypatch.setattr(lane, "MAX_BATCH", 10)
    monkeypatch.setattr(lane, "MAX_BATCH_BYTES", 1024 * 1024)
    async with committing(database) as committer:
        large = [put(feed_id, text="x" * 100_000) for _ in range(6)]
        outcomes = await asyncio.gather(*map(committer.submit, [*(put(feed_id) for _ in range(20)), *large]))
    assert [outcome.seq for outcome in outcomes] == list(range(1, 27))
    counted = await sql("select count(*), min(seq) from items group by xmin order by 2")
    assert [row[0] for row in counted] == [10, 10, 3, 3]


@pytest.mark.control(6, "committers that forget the keys of earlier requests")
async def test_control_committers_that_forget_keys_are_found_out(
    database: Database, feed_id: UUID, sql: Sql, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Batch, "load_replays", lambda *_: None)
    for _ in range(3):
        async with committing(database) as committer:
            await committer.submit(put(feed_id, title="a", replay=named(b"k")))
    assert [row.items for row in await sql("select count(*) as items from items")] != [1]
