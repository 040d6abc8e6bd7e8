"""Group commit when the connection goes: every caller gets a true answer, and a repeat has one effect."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import UUID

import pytest

from app.errors import OutcomeUnknown, Unavailable
from app.store import uncertain
from app.store.batch import Batch
from app.store.births import Births
from app.store.commit import Committer
from app.store.database import Database
from app.store.fold import Change, Outcome
from app.store.statements import LOCK
from app.store.writer import Writer
from tests.harness.live import Live
from tests.harness.proxy import Mode, Proxy, proxied
from tests.harness.waiting import eventually
from tests.store.conftest import Sql
from tests.store.making import Published, committing, named, put, running


@pytest.fixture
async def proxy(database_url: str, own_dir: Path) -> AsyncIterator[Proxy]:
    async with proxied(database_url, own_dir) as opened:
        yield opened


@pytest.fixture
async def committer(proxy: Proxy, published: Published) -> AsyncIterator[Committer]:
    """One whose connections can be lost."""
    database = Database(proxy.url, pool_size=3)
    async with committing(database, published) as running:
        yield running
    await database.close()


@pytest.fixture(params=[False, True], ids=["change", "birth"])
def fresh(request: pytest.FixtureRequest) -> bool:
    """Whether an item is new beyond doubt, and so committed in one round trip."""
    return bool(request.param)


def milk(feed_id: UUID, *, fresh: bool = False) -> Change:
    return put(feed_id, title="Milk", replay=named(b"request"), fresh=fresh)


async def told(committer: Committer, change: Change) -> Outcome | type[Exception]:
    """The answer, or the kind of the failure."""
    try:
        return await committer.submit(change)
    except Unavailable as error:
        return type(error)


async def only(sql: Sql) -> tuple[int, int]:
    """How many items there are, and the head of the only feed."""
    (row,) = await sql("select (select count(*) from items) as items, head from feeds")
    return row.items, row.head


@pytest.mark.case(3, "connection lost after COMMIT")
async def test_a_commit_whose_answer_was_lost_succeeds_once(
    proxy: Proxy, committer: Committer, published: Published, feed_id: UUID, sql: Sql, fresh: bool
) -> None:
    proxy.mode = "after"
    first = await told(committer, milk(feed_id, fresh=fresh))
    assert proxy.met.is_set()
    assert isinstance(first, Outcome)
    assert (first.status, first.seq) == ("applied", 1)
    again = await told(committer, milk(feed_id, fresh=fresh))
    assert isinstance(again, Outcome)
    assert (again.status, again.wire) == ("duplicate", first.wire)
    assert await only(sql) == (1, 1)
    assert published.seqs(feed_id) == [1]


@pytest.mark.case(3, "connection lost before COMMIT")
async def test_a_commit_that_never_arrived_is_made_anew(
    proxy: Proxy, committer: Committer, published: Published, feed_id: UUID, sql: Sql, fresh: bool
) -> None:
    proxy.mode = "before"
    first = await told(committer, milk(feed_id, fresh=fresh))
    assert proxy.met.is_set()
    assert isinstance(first, Outcome)
    assert first.status == "applied"
    assert (await only(sql), published.seqs(feed_id)) == ((1, 1), [1])


@pytest.mark.case(3, "no proof of the commit: 503 outcome_unknown")
@pytest.mark.parametrize("change", ["update items set wire = 'x'", "delete from items"])
async def test_a_commit_that_cannot_be_proven_is_called_unknown(
    proxy: Proxy, committer: Committer, feed_id: UUID, sql: Sql, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    async def rewrite() -> None:
        await sql(change)

    monkeypatch.setattr(uncertain, "RESOLVE_S", 0.3)
    proxy.mode, proxy.on_lost = "after", rewrite
    assert await told(committer, milk(feed_id)) is OutcomeUnknown


async def test_a_commit_still_in_progress_is_waited_for(
    proxy: Proxy, committer: Committer, feed_id: UUID, monkeypatch: pytest.MonkeyPatch, sql: Sql, fresh: bool
) -> None:
    seen: list[str | None] = []
    name = "birth_status" if fresh else "status"
    real = getattr(uncertain, name)

    async def status(database: Database, batch: Births | Batch) -> str | None:
        seen.append(await real(database, batch))
        return seen[-1]

    monkeypatch.setattr(uncertain, name, status)
    proxy.mode = "hang"
    caller = asyncio.create_task(told(committer, milk(feed_id, fresh=fresh)))
    await eventually(lambda: len(seen) > 1, what="asking again")
    proxy.release.set()
    assert isinstance(await caller, Outcome)
    assert (seen[0], seen[-1]) == (None, "aborted")
    assert await only(sql) == (1, 1)


async def test_new_items_are_open_as_long_as_the_session_lives_that_may_make_them(
    database: Database, database_url: str, feed_id: UUID
) -> None:
    lost = Database(database_url, pool_size=1)
    births = Births([put(feed_id, fresh=True)])
    async with lost.driver() as connection:
        births.mark = await Writer(lost)._mark(connection)
    assert await uncertain.birth_status(database, births) is None
    await lost.close()

    async def is_aborted() -> bool:
        return await uncertain.birth_status(database, births) == "aborted"

    await eventually(is_aborted, 30, "the end of the session")


async def test_a_commit_in_progress_for_too_long_is_called_unknown(
    proxy: Proxy, committer: Committer, feed_id: UUID, monkeypatch: pytest.MonkeyPatch, fresh: bool
) -> None:
    monkeypatch.setattr(uncertain, "RESOLVE_S", 0.3)
    proxy.mode = "hang"
    assert await told(committer, milk(feed_id, fresh=fresh)) is OutcomeUnknown


async def test_nothing_is_published_before_it_is_committed(
    proxy: Proxy, committer: Committer, published: Published, feed_id: UUID, fresh: bool
) -> None:
    proxy.mode = "hold"
    caller = asyncio.create_task(committer.submit(put(feed_id, fresh=fresh)))
    await proxy.met.wait()
    assert published.messages == []
    proxy.release.set()
    await caller
    assert published.seqs(feed_id) == [1]


async def test_a_server_that_stops_in_mid_commit_does_not_say_that_nothing_changed(
    proxy: Proxy, feed_id: UUID, published: Published, fresh: bool
) -> None:
    database = Database(proxy.url, pool_size=3)
    committer = Committer(database, published)
    proxy.mode = "hold"
    async with running(committer):
        caught = asyncio.create_task(told(committer, put(feed_id, fresh=fresh)))
        await proxy.met.wait()
    assert await caught is OutcomeUnknown
    await database.close()


async def test_a_server_that_stops_says_that_nothing_changed_to_those_who_still_waited(
    database: Database, feed_id: UUID, published: Published
) -> None:
    committer = Committer(database, published)
    waiting = asyncio.create_task(told(committer, put(feed_id)))
    await eventually(lambda: committer.waiting[0] > 0, what="one that waits")
    committer._main._wake.clear()  # it was not told yet
    async with running(committer):
        await asyncio.sleep(0)  # it has begun
    assert await waiting is Unavailable


async def test_a_transaction_that_a_crash_forgot_was_not_committed(database: Database, feed_id: UUID) -> None:
    batch = Batch([put(feed_id)])
    async with database.driver() as connection:
        batch.load_feeds(await LOCK.fetch(connection, batch.lock_arguments()))
    batch.xid = str(int(batch.xid) + 1_000_000)
    assert await uncertain.status(database, batch) == "aborted"


async def test_a_number_that_another_transaction_got_proves_nothing(database: Database, feed_id: UUID) -> None:
    batch = Batch([put(feed_id)])
    async with database.driver() as connection:
        batch.load_feeds(await LOCK.fetch(connection, batch.lock_arguments()))
        batch.fold()
    with pytest.raises(OutcomeUnknown):
        await uncertain.status(database, batch)


@pytest.mark.case(3, "the same over HTTP, repeated with the same key")
@pytest.mark.parametrize("mode", ["after", "before"])
async def test_over_http_a_repeat_after_a_lost_connection_is_one_item(
    proxy: Proxy, live: Live, sql: Sql, monkeypatch: pytest.MonkeyPatch, mode: Mode
) -> None:
    person = await live.person()
    assistant, device = await live.assistant(person), await live.listen(await person.device())
    await device.until_ready()
    database = Database(proxy.url, pool_size=3)
    monkeypatch.setattr(live.starling.committer, "_writer", Writer(database))
    proxy.mode = mode
    answer = await assistant.call("POST", "/actions/items", {"title": "Milk", "request_id": "r"})
    assert (answer.status_code, proxy.mode) == (201, "pass")
    repeat = await assistant.save(title="Milk", request_id="r")
    assert repeat["duplicate"]
    await device.until_seq(1)
    assert device.items == [repeat["item"]]
    assert await only(sql) == (1, 1)
    await database.close()


@pytest.mark.control(3, "a committer that forgets the keys of earlier requests")
async def test_control_a_committer_that_forgets_keys_is_found_out(
    proxy: Proxy, committer: Committer, feed_id: UUID, sql: Sql, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Batch, "load_replays", lambda *_: None)
    proxy.mode = "after"
    await told(committer, milk(feed_id))
    await told(committer, milk(feed_id))
    assert (await only(sql))[0] == 2
