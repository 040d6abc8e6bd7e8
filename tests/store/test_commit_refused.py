"""Group commit when a change cannot be stored: it fails alone, and for certain."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any
from uuid import UUID

import pytest
from structlog.testing import capture_logs

from app.errors import InvalidField, Unavailable
from app.store import commit
from app.store.batch import Batch
from app.store.births import Births
from app.store.commit import Committer
from app.store.database import Database
from app.store.fold import Change, Outcome
from app.store.writer import Writer
from tests.harness.outage import Outage, outage_before
from tests.store.conftest import Sql
from tests.store.making import Published, committing, error_of, put

POISON = [{"collection": "a\0b"}, {"title": "a\0b"}, {"title": "a\ud800b"}, {"collection": 5}]
"""What validation refuses; here it came past it. Postgres refuses NUL, our encoder the lone surrogate, the driver 5."""


@pytest.fixture
async def outage(database_url: str) -> AsyncIterator[Outage]:
    async with outage_before(database_url) as relay:
        yield relay


@pytest.mark.case(3, "one bad change among 500")
@pytest.mark.parametrize("fresh", [False, True])
@pytest.mark.parametrize("values", POISON)
async def test_a_change_that_cannot_be_stored_fails_alone_among_five_hundred(
    committer: Committer, published: Published, feed_id: UUID, sql: Sql, values: dict[str, Any], fresh: bool
) -> None:
    changes = [put(feed_id, title=str(n), fresh=fresh) for n in range(499)]
    with capture_logs() as logged:
        outcomes = await committer.submit_all([*changes[:250], put(feed_id, fresh=fresh, **values), *changes[250:]])
    bad = outcomes.pop(250)
    assert (bad.status, error_of(bad)) == ("rejected", InvalidField)
    assert [outcome.seq for outcome in outcomes] == published.seqs(feed_id) == list(range(1, 500))
    assert [row.seq for row in await sql("select seq from items order by seq")] == list(range(1, 500))
    assert [entry["event"] for entry in logged] == ["commit.refused_by_database"]


async def test_when_the_database_goes_meanwhile_the_rest_is_refused_at_once(
    outage: Outage, feed_id: UUID, monkeypatch: pytest.MonkeyPatch, sql: Sql
) -> None:
    monkeypatch.setattr(commit, "PATIENCE_S", 0.1)
    tried: list[Change] = []
    real = Writer.commit

    async def write(self: Writer, changes: Sequence[Change], *, patient: bool = False) -> Births | Batch:
        if len(changes) == 1 and changes[0] not in tried:
            tried.append(changes[0])
            if len(tried) == 3:
                await outage.begin()
        return await real(self, changes, patient=patient)

    monkeypatch.setattr(Writer, "commit", write)
    changes = [put(feed_id), put(feed_id, collection=5), *(put(feed_id) for _ in range(7))]
    database = Database(outage.url, pool_size=2)
    async with committing(database) as committer:
        told = await asyncio.gather(*committer._enqueue(changes), return_exceptions=True)
    await database.close()
    stored, refused, *rest = told
    assert isinstance(stored, Outcome)
    assert isinstance(refused, Outcome)
    assert (stored.seq, error_of(refused)) == (1, InvalidField)
    assert [type(each) for each in rest] == [Unavailable] * 7
    assert tried == changes[:3]
    assert [tuple(row) for row in await sql("select count(*), max(seq) from items")] == [(1, 1)]
