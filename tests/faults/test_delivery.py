"""Between commit and delivery: what publishes fails, who called hangs up, the process dies. Nothing is lost."""

import asyncio
import json
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2
import pytest

from app.local import Valkey
from app.store.database import Database
from tests.harness.build import BuildProcess
from tests.harness.counts import times
from tests.harness.crew import crew
from tests.harness.journal import Journal
from tests.harness.listener import Listener
from tests.harness.live import Live, serving
from tests.harness.people import Assistant, Person
from tests.harness.speechless import TITLE
from tests.harness.waiting import eventually
from tests.harness.witness import Witness, witnessing

HANG_UPS = times(150, full=1000)


@pytest.mark.case(4, "publishing raises, is cancelled, or does nothing")
@pytest.mark.parametrize("failure", [RuntimeError("made to fail"), asyncio.CancelledError(), None])
async def test_what_could_not_be_published_is_delivered_all_the_same(
    live: Live, failure: BaseException | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(_: Any) -> None:
        if failure is not None:
            raise failure

    person = await live.person()
    device = await live.listen(await person.device())
    await device.until_ready()
    with monkeypatch.context() as patch:
        patch.setattr(live.starling.committer, "_publish", fails)
        for _ in range(3):
            await (await live.assistant(person)).save()
    await device.until_seq(3, within=15)
    await (await live.assistant(person)).save()
    await device.until_seq(4)
    assert device.seqs == [1, 2, 3, 4]


@pytest.fixture
async def speechless(database_url: str, own_dir: Path) -> AsyncIterator[BuildProcess]:
    environment = {"STARLING_DATABASE_URL": database_url, "STARLING_UNSAFE_DURABILITY": "true"}
    server = BuildProcess(own_dir, environment=environment, module="tests.harness.speechless")
    yield await server.start()
    if server.process is not None and server.process.poll() is None:
        server.kill()


@pytest.mark.case(4, "the process dies between commit and publish")
async def test_a_process_that_dies_before_it_publishes_delivers_after_the_reconnect(
    speechless: BuildProcess, database: Database
) -> None:
    person = await Person.make(database)
    laptop = await person.device()
    device = await Listener(speechless.url, laptop.token).open()
    async with httpx2.AsyncClient(base_url=speechless.url, timeout=30) as http:
        assistant = Assistant(http, await person.token())
        await assistant.save(title="before")
        await device.until_seq(1)
        with pytest.raises(httpx2.TransportError):
            await assistant.save(title=TITLE)
    await device.until_end()
    assert [item["title"] for item in device.items] == ["before"]
    assert speechless.process is not None
    assert await asyncio.to_thread(speechless.process.wait) == 137
    await speechless.start()
    await device.close()
    await device.open()
    await device.until_seq(2, within=15)
    assert [item["title"] for item in device.items] == ["before", TITLE]
    await device.close()


@asynccontextmanager
async def two_workers(
    valkey: Valkey, database_url: str, own_dir: Path, module: str
) -> AsyncIterator[tuple[BuildProcess, Witness]]:
    """The database's person has streams on both."""
    more = {"STARLING_REDIS_URL": valkey.url}
    async with crew(own_dir, database_url, 2, module=module, more=more) as server:
        await server.start()
        async with witnessing(server, valkey.url, Journal()) as witness:
            await witness.beat()
            yield server, witness


async def last_words(server: BuildProcess, witness: Witness) -> list[Listener]:
    """A worker commits an item and dies; the streams that are left."""
    async with witness.writer.client() as http:
        with pytest.raises(httpx2.TransportError):
            await http.post("/actions/items", json={"title": TITLE})
    await eventually(lambda: server.told("worker.died") == 1, 30, "the worker's death")
    await eventually(lambda: any(each.ended for each in witness.kept.listeners), 30, "its streams' end")
    left = [each for each in witness.kept.listeners if not each.ended]
    assert left
    return left


@pytest.mark.case(4, "a worker dies between commit and publish, with streams on another one")
async def test_what_a_dead_worker_did_not_publish_is_delivered_by_the_others(
    valkey: Valkey, redis_url: str, database_url: str, own_dir: Path
) -> None:
    async with two_workers(valkey, database_url, own_dir, "tests.harness.speechless") as (server, witness):
        for each in await last_words(server, witness):
            await each.until_seq(2, within=15)
            assert each.seqs == [1, 2]
            assert each.items[-1]["title"] == TITLE


@pytest.mark.control(4, "workers whose hub believes the bus")
async def test_control_workers_that_believe_their_bus_are_found_out(
    valkey: Valkey, redis_url: str, database_url: str, own_dir: Path
) -> None:
    async with two_workers(valkey, database_url, own_dir, "tests.harness.trusting") as (server, witness):
        (survivor, *_) = await last_words(server, witness)
        with pytest.raises(TimeoutError):
            await survivor.until_seq(2, within=8)


async def hang_up_somewhere(live: Live, token: str, number: int) -> None:
    """One save whose caller goes away: while it asks, while it waits, or while it is answered."""
    address = urlsplit(live.url)
    body = json.dumps({"title": f"item {number}", "request_id": str(number)}).encode()
    lines = ["POST /actions/items HTTP/1.1", "Host: x", f"Authorization: Bearer {token}"]
    lines += ["Content-Type: application/json", f"Content-Length: {len(body)}", "", ""]
    request = "\r\n".join(lines).encode() + body
    _, writer = await asyncio.open_connection(address.hostname, address.port)
    sent = len(request) if number % 5 else random.randrange(len(request))
    writer.write(request[:sent])
    await asyncio.sleep(random.uniform(0, 0.012))
    writer.transport.abort()


@pytest.mark.case(5, f"{HANG_UPS} callers that hang up at random moments")
async def test_callers_that_hang_up_never_leave_a_change_undelivered(live: Live) -> None:
    person = await live.person()
    device = await live.listen(await person.device())
    await device.until_ready()
    token = await person.token()
    for begin in range(0, HANG_UPS, 10):
        await asyncio.gather(*(hang_up_somewhere(live, token, begin + n) for n in range(10)))
    await (await live.assistant(person)).save(title="the last")
    pools = [live.starling.database.engine.pool, live.starling.writing.engine.pool]
    kept = 1  # by the writer, for the next batch
    await eventually(lambda: sum(pool.checkedout() for pool in pools) == kept, 15, "the return of every connection")  # type: ignore[attr-defined]

    head = await live.starling.reader.head(person.feed_id)
    assert head is not None
    assert HANG_UPS / 10 < head.head <= HANG_UPS + 1
    await device.until_seq(head.head, within=15)
    assert device.seqs == list(range(1, head.head + 1))
    titles = [item["title"] for item in device.items]
    assert len(set(titles)) == len(titles)
    assert (await live.http.get("/readyz")).status_code == 200


@pytest.mark.control(4, "a hub that never compares its feeds with the database")
async def test_control_a_hub_that_never_checks_is_found_out(
    database_url: str, own_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.hub.hub.CHECK_S", 3600)
    async with serving(database_url, own_dir) as live:
        person = await live.person()
        device = await live.listen(await person.device())
        await device.until_ready()
        monkeypatch.setattr(live.starling.committer, "_publish", lambda _: None)
        await (await live.assistant(person)).save()
        with pytest.raises(TimeoutError):
            await device.until_seq(1, within=8)
