"""Pages are read along the index of seqs, whatever Postgres believes of the table."""

from collections.abc import AsyncIterator, Iterator
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import Connection, event

from app.store import database as module
from app.store.accounts import Accounts
from app.store.database import Database
from app.store.feed import FeedReader
from app.store.sessions import Account
from tests.store.conftest import Sql

ROWS, LIMIT = 100_000, 1000
_PLANT = """
insert into items (feed_id, id, seq, kind, field_seqs, wire)
select :feed, gen_random_uuid(), seq, 'note', '{}', convert_to(repeat(md5(cast(seq as text)), 10), 'UTF8')
from generate_series(1, :rows) as seq
"""


@pytest.fixture
async def long_feed(feed_id: UUID, sql: Sql) -> AsyncIterator[UUID]:
    """One of many rows, in a table that was never analyzed."""
    await sql("alter table items set (autovacuum_enabled = off)")
    await sql(_PLANT, feed=feed_id, rows=ROWS)
    await sql("update feeds set head = :rows", rows=ROWS)
    await sql("delete from pg_statistic where starelid = cast('items' as regclass)")
    yield feed_id
    await sql("alter table items reset (autovacuum_enabled)")


class Plans(list[dict[str, Any]]):
    """How Postgres carries out each statement about items, and how many rows each step of it gives."""

    def explain(self, connection: Connection, _: object, statement: str, parameters: Any, *__: object) -> None:
        """To be called before the statement is executed."""
        if "items" in statement and not statement.startswith("explain"):
            self += connection.exec_driver_sql(f"explain (analyze, format json) {statement}", parameters).scalar_one()

    def steps(self) -> Iterator[dict[str, Any]]:
        """All steps of all of them."""
        waiting = [plan["Plan"] for plan in self]
        while waiting:
            step = waiting.pop()
            waiting += step.get("Plans", [])
            yield step


async def read_pages(database: Database, feed_id: UUID) -> None:
    """One of a fill, one of a device's changes, one of an export."""
    reader = FeedReader(database)
    for device, after in ((None, ROWS // 2), (uuid4(), 0)):
        page = await reader.page(feed_id, after, device_id=device, limit=LIMIT)
        assert page is not None
        assert [row.seq for row in page.rows] == list(range(after + 1, after + LIMIT + 1))
    assert await anext(Accounts(database).items(Account(feed_id, feed_id, "")))


@pytest.mark.parametrize("pinned", [True, False])
async def test_a_page_of_a_long_feed_walks_along_the_index(
    database: Database, long_feed: UUID, pinned: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not pinned:  # without it the test would prove nothing
        monkeypatch.setattr(module, "_SET_FEEDS_AND_WALK", module.SET_FEEDS)
    plans = Plans()
    event.listen(database.engine.sync_engine, "before_cursor_execute", plans.explain)
    await read_pages(database, long_feed)
    assert len(plans) == 3
    scans = {(step["Node Type"], step.get("Index Name")) for step in plans.steps() if step.get("Alias") == "items"}
    assert (scans == {("Index Scan", "ix_items_feed_id_seq")}) == pinned
    assert (max(step["Actual Rows"] for step in plans.steps()) <= LIMIT + 1) == pinned
