"""Group commit when somebody else holds a feed's row: nobody but that feed's callers notices."""

import asyncio
from collections.abc import AsyncIterator, Callable
from uuid import UUID

import pytest
from structlog.testing import capture_logs

from app.errors import Locked, NotFound
from app.main import WRITING_LOCK_MS
from app.store import writer
from app.store.commit import Committer
from app.store.database import Database
from app.store.fold import Change
from app.store.writer import Writer
from tests.harness.going_on import going_on, locking
from tests.harness.live import Live
from tests.harness.people import Person
from tests.harness.problems import problem
from tests.harness.waiting import eventually
from tests.store.conftest import Sql
from tests.store.making import Published, committing, error_of, put

WITHIN_S = 60


@pytest.fixture
async def committer(database_url: str, published: Published) -> AsyncIterator[Committer]:
    """One with the server's connections."""
    database = Database(database_url, pool_size=2, lock_timeout_ms=WRITING_LOCK_MS)
    async with committing(database, published) as running:
        yield running
    await database.close()


@pytest.fixture(params=[False, True], ids=["change", "birth"])
def fresh(request: pytest.FixtureRequest) -> bool:
    """Whether items are new beyond doubt, and so committed in one round trip."""
    return bool(request.param)


@pytest.fixture
def patience(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Sets for how many milliseconds the callers of a locked feed wait."""
    return lambda ms: monkeypatch.setattr(writer, "_BEGIN_PATIENTLY", f"BEGIN; set local lock_timeout = {ms};")


async def test_a_locked_feed_holds_up_no_other(
    committer: Committer,
    published: Published,
    database: Database,
    database_url: str,
    feed_id: UUID,
    fresh: bool,
    patience: Callable[[int], None],
) -> None:
    patience(2 * WITHIN_S * 1000)
    others = [(await Person.make(database)).feed_id for _ in range(3)]
    async with going_on(database_url, locking(feed_id)):
        waiting = [asyncio.create_task(committer.submit(put(feed_id, fresh=fresh))) for _ in range(3)]
        async with asyncio.timeout(WITHIN_S):
            for _ in range(10):  # the first are in one batch with the locked one
                batch = [committer.submit(put(other, fresh=fresh)) for other in others for _ in range(3)]
                assert {outcome.status for outcome in await asyncio.gather(*batch)} == {"applied"}
        assert not any(task.done() for task in waiting)
    outcomes = await asyncio.gather(*waiting)
    assert [outcome.seq for outcome in outcomes] == published.seqs(feed_id) == [1, 2, 3]


async def test_a_feed_that_stays_locked_is_refused_and_its_neighbours_are_not(
    committer: Committer,
    database: Database,
    database_url: str,
    feed_id: UUID,
    sql: Sql,
    fresh: bool,
    patience: Callable[[int], None],
) -> None:
    patience(300)
    other = (await Person.make(database)).feed_id
    async with going_on(database_url, locking(feed_id)), asyncio.timeout(WITHIN_S):
        with capture_logs() as logged:
            for _ in range(2):  # found out, and then known
                with pytest.raises(Locked) as refused:
                    await committer.submit_all([put(feed_id, fresh=fresh), put(feed_id, fresh=fresh)])
                assert refused.value.retry_after > 0
                assert (await committer.submit(put(other, fresh=fresh))).status == "applied"
    assert [entry["feed"] for entry in logged if entry["event"] == "commit.feed_locked"] == [str(feed_id)]
    assert [tuple(row) for row in await sql("select count(*) from items where feed_id = :feed", feed=feed_id)] == [(0,)]
    assert (await committer.submit(put(feed_id, fresh=fresh))).seq == 1


async def test_one_of_two_locked_feeds_is_refused_and_the_other_goes_on(
    committer: Committer, database: Database, database_url: str, feed_id: UUID, patience: Callable[[int], None]
) -> None:
    patience(1500)
    other = (await Person.make(database)).feed_id
    async with going_on(database_url, locking(feed_id)):
        async with going_on(database_url, locking(other)):
            waiting = asyncio.gather(
                *(committer.submit(put(each)) for each in (feed_id, other)), return_exceptions=True
            )
            await eventually(lambda: len(committer._aside) == 2, WITHIN_S, "the discovery of both")
        refused, outcome = await waiting
    assert isinstance(refused, Locked)
    assert not isinstance(outcome, BaseException)
    assert outcome.seq == 1


async def test_once_known_a_locked_feed_takes_no_time_of_the_others(
    committer: Committer,
    database: Database,
    database_url: str,
    feed_id: UUID,
    fresh: bool,
    patience: Callable[[int], None],
) -> None:
    patience(2 * WITHIN_S * 1000)
    other = (await Person.make(database)).feed_id
    async with going_on(database_url, locking(feed_id)):
        first = asyncio.create_task(committer.submit(put(feed_id, fresh=fresh)))
        await eventually(lambda: bool(committer._aside), WITHIN_S, "the discovery")
        more = asyncio.gather(*(committer.submit(put(each, fresh=fresh)) for each in (feed_id, other)))
        await asyncio.sleep(0)
        assert (committer._side.changes, committer._main.changes) == (1, 1)
    assert [outcome.seq for outcome in (await first, *await more)] == [1, 2, 1]


async def test_what_waits_already_steps_aside_with_it(
    committer: Committer,
    database: Database,
    database_url: str,
    feed_id: UUID,
    monkeypatch: pytest.MonkeyPatch,
    patience: Callable[[int], None],
) -> None:
    patience(2 * WITHIN_S * 1000)
    discoveries: list[frozenset[UUID]] = []
    real = Writer._locked

    async def locked(self: Writer, feeds: set[UUID]) -> frozenset[UUID]:
        discoveries.append(await real(self, feeds))
        return discoveries[-1]

    monkeypatch.setattr(Writer, "_locked", locked)
    other = (await Person.make(database)).feed_id
    async with going_on(database_url, locking(feed_id)), asyncio.timeout(WITHIN_S):
        waiting = [asyncio.create_task(committer.submit(put(feed_id)))]
        await asyncio.sleep(0)
        await eventually(lambda: committer.waiting == (0, 0), WITHIN_S, "the first's turn")
        waiting += [asyncio.create_task(committer.submit(put(feed_id))) for _ in range(3)]
        assert (await committer.submit(put(other))).seq == 1
    assert [(await task).seq for task in waiting] == [1, 2, 3, 4]
    assert discoveries == [{feed_id}]


async def test_an_account_that_is_just_being_deleted_is_gone(
    committer: Committer, database_url: str, feed_id: UUID, fresh: bool, patience: Callable[[int], None]
) -> None:
    patience(WITHIN_S * 1000)
    async with going_on(database_url, "delete from users"):
        waiting = asyncio.create_task(committer.submit(put(feed_id, fresh=fresh)))
        await eventually(lambda: bool(committer._aside), WITHIN_S, "the discovery")
    assert error_of(await waiting) is NotFound


@pytest.mark.parametrize("table", ["feeds", "items"])
async def test_a_locked_table_is_waited_for(
    committer: Committer,
    database_url: str,
    feed_id: UUID,
    monkeypatch: pytest.MonkeyPatch,
    table: str,
    fresh: bool,
    patience: Callable[[int], None],
) -> None:
    """A migration locks it, for a moment: nobody could make way for anybody."""
    patience(WITHIN_S * 1000)
    tried: list[bool] = []
    real = Writer._change

    async def change(self: Writer, changes: list[Change], *, patient: bool) -> object:
        tried.append(patient)
        return await real(self, changes, patient=patient)

    monkeypatch.setattr(Writer, "_change", change)
    async with going_on(database_url, f"lock table {table} in access exclusive mode"):
        waiting = asyncio.create_task(committer.submit(put(feed_id, fresh=fresh)))
        await eventually(lambda: True in tried, WITHIN_S, "another try")
    assert (await waiting).seq == 1
    assert committer._aside == {}


async def test_over_http_the_locked_account_gets_503_and_others_201(
    live: Live, database_url: str, patience: Callable[[int], None]
) -> None:
    patience(300)
    locked, free = await live.person(), await live.person()
    theirs, other = await live.assistant(locked), await live.assistant(free)
    async with going_on(database_url, locking(locked.feed_id)), asyncio.timeout(WITHIN_S):
        refused = asyncio.create_task(theirs.call("POST", "/actions/items", {"title": "a"}))
        assert (await other.call("POST", "/actions/items", {"title": "a"})).status_code == 201
        assert problem(await refused, 503, "locked")["retryable"] is True
        assert 1 <= int((await refused).headers["retry-after"]) <= 3
    assert (await theirs.call("POST", "/actions/items", {"title": "a"})).status_code == 201
