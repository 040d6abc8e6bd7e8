"""Answers whose process is killed, whose device drops out, that are cancelled: one text on every device, in 30 s."""

import asyncio
import hashlib
import os
import signal
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx2
import pytest

from app.hub.answers import OpenAnswers, Piece, _ring
from app.local import Valkey
from app.model import Delta
from app.providers import End
from app.store.database import Database
from tests.harness.build import BuildProcess
from tests.harness.counts import times
from tests.harness.crew import crew
from tests.harness.listener import Listener
from tests.harness.live import serving
from tests.harness.people import Person, TestDevice
from tests.harness.reader import has_ended, item, joined
from tests.harness.speaker import Speaker
from tests.harness.waiting import eventually

ANSWERS = times(3, full=8)
WORKERS = 2
PROMPT = " ".join(f"word{n}" for n in range(3000))
"""The scripted provider repeats it, so that an answer lasts for a minute and a half."""
SEALED_S = 30.0
PATIENCE_S = 3 * SEALED_S


@pytest.fixture
async def server(data_dir: Path, database_url: str, valkey: Valkey) -> AsyncIterator[BuildProcess]:
    more = {"STARLING_REDIS_URL": valkey.url}
    async with crew(data_dir, database_url, WORKERS, more=more) as crewed:
        yield await crewed.start()


async def devices_of(server: BuildProcess, person: Person) -> list[tuple[TestDevice, Listener]]:
    """Three, which have their streams in whatever process took them."""
    found = []
    for n in range(3):
        device = await person.device(f"{n}")
        found.append((device, await Listener(server.url, device.token).open()))
        await found[-1][1].until_ready()
    return found


async def begin(http: httpx2.AsyncClient, device: TestDevice) -> str:
    answer = await http.post("/v1/answers", json={"prompt": PROMPT}, headers=device.headers)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["id"])


async def current(stream: Listener, done: Callable[[Listener], bool]) -> None:
    """Follows the stream, and opens it again when it ends, as a client does, until it has what is awaited."""
    while not done(stream):
        if stream.ended:
            await stream.close()
            await asyncio.sleep(0.1)
            try:
                await stream.open()
            except OSError:
                stream.ended = True
        else:
            stream._changed.clear()
            await asyncio.wait([asyncio.create_task(stream._changed.wait())], timeout=1)


def digests(streams: list[Listener], answer_id: str) -> set[str]:
    texts = [str((item(stream, answer_id) or {})["text"]) for stream in streams]
    return {hashlib.sha256(text.encode()).hexdigest() for text in texts}


@pytest.mark.case(
    21,
    f"{ANSWERS} answers over {WORKERS} processes, 3 devices each: all processes killed in the middle, devices dropped, "
    "one answer cancelled",
)
async def test_every_device_ends_with_the_same_text(
    server: BuildProcess, database: Database, saw: Callable[[str], None]
) -> None:
    async with httpx2.AsyncClient(base_url=server.url, timeout=30) as http:
        people = [await Person.make(database) for _ in range(ANSWERS)]
        seats = [await devices_of(server, person) for person in people]
        begun = [await begin(http, each[0][0]) for each in seats]
        for each, answer_id in zip(seats, begun, strict=True):
            for _, stream in each:
                await stream.until(lambda seen, of=answer_id: len(joined(seen, of)) > 100, PATIENCE_S)  # type: ignore[misc]
        dropped = [each[1][1] for each in seats]
        for stream in dropped:
            await stream.close()
            stream.ended = True
        cancelled = await http.delete(f"/v1/answers/{begun[0]}", headers=seats[0][0][0].headers)
        assert cancelled.status_code == 204
        await seats[0][0][1].until(lambda seen: has_ended(seen, begun[0]), PATIENCE_S)
        shown = [len(joined(each[0][1], answer_id)) for each, answer_id in zip(seats, begun, strict=True)]
        loop = asyncio.get_running_loop()
        killed_at = loop.time()
        for pid in server.worker_pids:
            os.kill(pid, signal.SIGKILL)
        async with asyncio.timeout(PATIENCE_S), asyncio.TaskGroup() as following:
            for each, answer_id in zip(seats, begun, strict=True):
                for _, stream in each:
                    done: Any = lambda seen, of=answer_id: has_ended(seen, of)  # noqa: E731
                    following.create_task(current(stream, done))
        took = loop.time() - killed_at
    reasons = set()
    for each, answer_id, length in zip(seats, begun, shown, strict=True):
        streams = [stream for _, stream in each]
        assert len(digests(streams, answer_id)) == 1
        sealed: Any = item(streams[0], answer_id)
        reasons.add(sealed["data"]["answer"]["finish_reason"])
        assert len(sealed["text"]) >= length - 60, "more than a moment's text is lost"
        for stream in streams:
            assert sum(each["id"] == answer_id for each in stream.items) == 1
            await stream.close()
    assert reasons == {"cancelled", "interrupted"}
    assert took <= SEALED_S
    saw(f"all sealed, and on every device, {took:.0f} s after the kill")


@pytest.mark.control(21, "a hub that passes on what it gets, holes or not")
async def test_control_a_hub_that_does_not_look_for_holes_is_found_out(
    database_url: str, own_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def pass_on(_: object, feed: Any, delta: Delta) -> bool:
        _ring(feed, Piece(delta.answer_id, delta.offset, delta.text))
        return True

    speaker = Speaker()
    async with serving(database_url, own_dir, providers=speaker.providers) as live:
        device = await (await live.person()).device()
        stream = await live.listen(device)
        await stream.until_ready()
        answer = await live.http.post("/v1/answers", json={"prompt": "any"}, headers=device.headers)
        answer_id = str(answer.json()["id"])
        await speaker.say("one ")
        await stream.until(lambda seen: joined(seen, answer_id) == "one ")
        monkeypatch.setattr(OpenAnswers, "_pass_on", pass_on)
        listeners, live.starling.bus._listeners = live.starling.bus._listeners, set()
        (writing,) = live.starling.scribe._writing.values()
        await speaker.say("two ")
        await eventually(lambda: writing.text.length == 8, 15, "what the bus loses")
        live.starling.bus._listeners = listeners
        await speaker.say("three", End("stop"))
        with pytest.raises(AssertionError, match="a hole: 8 after 4"):
            await stream.until(lambda seen: has_ended(seen, answer_id) and bool(joined(seen, answer_id)))
