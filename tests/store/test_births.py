"""New items in one round trip: what the database composes is what any change encodes, and nothing is half done."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID, uuid4

import msgspec
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from app.model import Item
from app.store.births import Births
from app.store.commit import Committer
from app.store.database import Database
from app.store.devices import Devices
from app.store.fold import Change, encode
from tests.harness.people import Person
from tests.store.conftest import Sql
from tests.store.making import VALUES, Published, committing, item_of, named, put


class Row(NamedTuple):
    id: UUID
    seq: int
    wire: bytes
    epoch: str = "abcdefgh"
    auth: int = 0


def born(feed_id: UUID, **said: Any) -> Change:
    return put(feed_id, fresh=True, **said)


NEVER = "0001-01-01T00:00:00Z"
TIMES = {"created_at": NEVER, "updated_at": NEVER, "expires_at": None}


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@example(said=[{"data": {"a": 1, **TIMES}}, {"text": f',"created_at":"{NEVER}","updated_at":"{NEVER}",'}])
@given(said=st.lists(VALUES, min_size=1, max_size=8))
async def test_rows_answers_and_messages_are_the_bytes_that_a_change_encodes(
    committer: Committer, published: Published, feed_id: UUID, sql: Sql, said: list[dict[str, Any]]
) -> None:
    outcomes = await committer.submit_all([born(feed_id, **each) for each in said])
    stored = {row.id: row for row in await sql("select * from items")}
    messages = {message.item_id: message for message in published.messages}
    for outcome, wanted in zip(outcomes, said, strict=True):
        assert outcome.wire is not None
        row, item = stored[outcome.item_id], msgspec.json.decode(outcome.wire, type=Item)
        assert encode(item) == outcome.wire == row.wire == messages[outcome.item_id].wire
        assert (row.seq, row.kind, row.collection, row.status) == (item.seq, item.kind, item.collection, item.status)
        assert (row.expires_at, row.field_seqs) == (item.expires_at, {"created": item.seq})
        assert {name: getattr(item, name) for name in wanted} == wanted
        assert item.created_at == item.updated_at


async def test_new_items_are_one_transaction_numbered_in_order_of_arrival(
    database: Database, committer: Committer, feed_id: UUID, sql: Sql
) -> None:
    other = (await Person.make(database)).feed_id
    outcomes = await committer.submit_all([born((feed_id, other)[n % 2], title=str(n)) for n in range(100)])
    assert [outcome.seq for outcome in outcomes] == [1 + n // 2 for n in range(100)]
    assert [item_of(outcome)["title"] for outcome in outcomes] == [str(n) for n in range(100)]
    counted = await sql("select count(distinct xmin::text), (select sum(head) from feeds) from items")
    assert [tuple(row) for row in counted] == [(1, 100)]


async def test_they_go_on_from_the_head_and_other_changes_go_on_from_them(committer: Committer, feed_id: UUID) -> None:
    item = uuid4()
    seqs = [(await committer.submit(put(feed_id, item, title="a"))).seq]
    seqs += [(await committer.submit(born(feed_id))).seq for _ in range(2)]
    changed = await committer.submit(put(feed_id, item, 1, title="b"))
    assert [*seqs, changed.seq] == [1, 2, 3, 4]


async def test_a_known_key_and_its_neighbours_get_what_they_should(committer: Committer, feed_id: UUID) -> None:
    first = await committer.submit(born(feed_id, title="a", replay=named(b"k")))
    again, new = await asyncio.gather(
        committer.submit(born(feed_id, title="a", replay=named(b"k"))), committer.submit(born(feed_id, title="b"))
    )
    assert (again.status, again.wire, new.status, new.seq) == ("duplicate", first.wire, "applied", 2)


async def test_a_key_twice_in_one_batch_is_one_item(committer: Committer, feed_id: UUID, sql: Sql) -> None:
    one, two = await committer.submit_all([born(feed_id, replay=named(b"k")) for _ in range(2)])
    assert (one.status, two.status, one.wire) == ("applied", "duplicate", two.wire)
    assert [tuple(row) for row in await sql("select count(*) from items")] == [(1,)]


async def test_what_is_due_when_is_noted_on_the_feed(committer: Committer, feed_id: UUID, sql: Sql) -> None:
    key = named(b"k", life=timedelta(hours=1))
    ends = item_of(await committer.submit(born(feed_id, expires_at=datetime.now(UTC), replay=key)))
    (noted,) = await sql("select expires_next, replays_next - now() as left from feeds")
    assert noted.expires_next.isoformat().replace("+00:00", "Z") == ends["expires_at"]
    assert timedelta(minutes=50) < noted.left <= timedelta(hours=1)


async def test_a_feed_that_is_gone_fails_its_own_items_alone(
    database: Database, committer: Committer, feed_id: UUID
) -> None:
    lost, kept = await committer.submit_all([born(uuid4()), born(feed_id)])
    assert (lost.status, kept.status, kept.seq) == ("rejected", "applied", 1)


async def test_the_devices_come_with_the_commit(database: Database, committer: Committer, feed_id: UUID) -> None:
    devices = Devices(database)
    names = ["laptop", "phone"]
    ids = [await devices.add(feed_id, name, "cli") for name in names]
    gone = await devices.add(feed_id, "tablet", "cli")
    await devices.revoke(feed_id, gone)
    outcome = await committer.submit(born(feed_id))
    assert [(each.id, each.name, each.acked_seq) for each in outcome.devices or ()] == [
        (ids[0], "laptop", 0),
        (ids[1], "phone", 0),
    ]


@pytest.mark.parametrize("lock", ["feeds", "items"])
async def test_two_processes_number_one_feed_without_gap_or_repeat(
    database: Database, feed_id: UUID, sql: Sql, lock: str
) -> None:
    """Also when one has to wait for the other in the middle."""
    async with committing(database) as one, committing(database) as two:
        async with database.transaction(feed_id) as holding:
            await holding.execute(text(f"lock table {lock} in share row exclusive mode"))
            work = [asyncio.create_task(each.submit(born(feed_id))) for each in (one, two) for _ in range(20)]
            await asyncio.sleep(0)
        outcomes = await asyncio.gather(*work)
    assert sorted(outcome.seq for outcome in outcomes) == list(range(1, 41))
    assert [row.head for row in await sql("select head from feeds")] == [40]


async def test_what_is_recognised_twice_counts_once(feed_id: UUID) -> None:
    """The connection that told of the commit may go before its end, and is asked again."""
    births = Births([born(feed_id, title=str(n)) for n in range(3)])
    rows = [Row(change.item_id, seq, b"{}") for seq, change in enumerate(births.changes, 1)]
    assert births.recognise(rows)
    assert births.recognise(rows)
    assert [outcome.seq for outcome in births.outcomes] == [message.seq for message in births.messages] == [1, 2, 3]
