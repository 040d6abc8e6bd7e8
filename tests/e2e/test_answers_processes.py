"""Answers between processes: all of the text wherever a device is, holes on the bus filled, and an end in any case."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from app.model import Delta
from app.providers import End
from tests.e2e.test_answers import begin
from tests.harness.live import Live, serving
from tests.harness.reader import has_ended, item, joined
from tests.harness.speaker import Speaker
from tests.harness.waiting import eventually


@asynccontextmanager
async def paired(
    database_url: str, directory: Path, redis_url: str | None, speaker: Speaker
) -> AsyncIterator[tuple[Live, Live]]:
    for name in ("a", "b"):
        (directory / name).mkdir(parents=True)
    options: dict[str, Any] = {"redis_url": redis_url, "providers": speaker.providers}
    async with (
        serving(database_url, directory / "a", **options) as one,
        serving(database_url, directory / "b", **options) as two,
    ):
        await eventually(lambda: one.starling.bus.is_connected and two.starling.bus.is_connected, 15, "the bus")
        yield one, two


@pytest.fixture
def speaker() -> Speaker:
    return Speaker()


@pytest.fixture
async def pair(database_url: str, own_dir: Path, redis_url: str, speaker: Speaker) -> AsyncIterator[tuple[Live, Live]]:
    async with paired(database_url, own_dir, redis_url, speaker) as both:
        yield both


@pytest.mark.parametrize("kept", [True, False], ids=["kept", "not kept yet"])
async def test_the_other_process_has_all_of_the_text(
    pair: tuple[Live, Live], speaker: Speaker, kept: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = pair
    if not kept:
        monkeypatch.setattr(one.starling.scribe, "_keep", lambda: asyncio.sleep(0))
    person = await one.person()
    here, there = await person.device("here"), await person.device("there")
    first, second = await one.listen(here), await two.listen(there)
    for stream in (first, second):
        await stream.until_ready()
    answer_id = await begin(one, here)
    words = [f"{n} " for n in range(200)]
    await speaker.say(*words[:100])
    await second.until(lambda seen: bool(joined(seen, answer_id)))
    late = await two.listen(await person.device("late"))
    for word in words[100:]:
        await speaker.say(word)
    for stream in (first, second, late):
        await stream.until(lambda seen: joined(seen, answer_id) == "".join(words))
    alone = await (await two.person()).device()
    assert (await two.get(f"/v1/answers/{answer_id}", alone.token)).status_code == 404
    assert (await two.get(f"/v1/answers/{answer_id}", there.token)).json()["text"] == "".join(words)
    await speaker.say(End("stop"))
    for stream in (first, second, late):
        await stream.until(lambda seen: has_ended(seen, answer_id))
        assert (item(stream, answer_id) or {})["text"] == "".join(words)


async def test_a_hole_on_the_bus_is_filled_before_anything_goes_on(pair: tuple[Live, Live], speaker: Speaker) -> None:
    one, two = pair
    person = await one.person()
    here, there = await person.device("here"), await person.device("there")
    second = await two.listen(there)
    await second.until_ready()
    answer_id = await begin(one, here)
    await speaker.say("one ")
    await second.until(lambda seen: joined(seen, answer_id) == "one ")
    listeners, two.starling.bus._listeners = two.starling.bus._listeners, set()
    await speaker.say("two ")
    found: list[str] = []

    async def is_written() -> bool:
        found.append((await two.get(f"/v1/answers/{answer_id}", there.token)).json()["text"])
        return found[-1] == "one two "

    await eventually(is_written, 15, "the text in the other process")
    two.starling.bus._listeners = listeners
    await speaker.say("three", End("stop"))
    await second.until(lambda seen: has_ended(seen, answer_id))
    assert joined(second, answer_id) == "one two three"
    pieces = [event.data for event in second.events if event.name == "answer"]
    assert any('"offset":0,"text":"one two ' in piece for piece in pieces)


async def test_cancelled_in_another_process(pair: tuple[Live, Live], speaker: Speaker) -> None:
    one, two = pair
    device = await (await one.person()).device()
    stream = await two.listen(device)
    await stream.until_ready()
    answer_id = await begin(one, device)
    await speaker.say("one ")
    await stream.until(lambda seen: joined(seen, answer_id) == "one ")
    assert (await two.http.delete(f"/v1/answers/{answer_id}", headers=device.headers)).status_code == 204
    await stream.until(lambda seen: has_ended(seen, answer_id))
    sealed: Any = item(stream, answer_id)
    assert (sealed["text"], sealed["data"]["answer"]["finish_reason"]) == ("one ", "cancelled")


async def test_a_process_that_falls_silent_is_taken_over_from_and_says_no_more(
    pair: tuple[Live, Live], speaker: Speaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = pair
    device = await (await one.person()).device()
    stream = await two.listen(device)
    await stream.until_ready()
    silent = asyncio.Event()

    async def keeps_silent() -> None:
        silent.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(one.starling.scribe, "_keep", keeps_silent)
    answer_id = await begin(one, device)
    await speaker.say("one ")
    await stream.until(lambda seen: joined(seen, answer_id) == "one ")
    await silent.wait()
    await stream.until(lambda seen: has_ended(seen, answer_id), within=60)
    monkeypatch.undo()
    sealed: Any = item(stream, answer_id)
    assert (sealed["text"], sealed["data"]["answer"]["finish_reason"]) == ("one ", "interrupted")
    await speaker.say("two ", End("stop"))
    await eventually(lambda: not one.starling.scribe._writing, 15, "the end of the first process's work")
    again = await two.listen(device)
    await again.until_ready()
    assert [each["text"] for each in again.items] == ["one "]


async def test_a_piece_that_comes_twice_and_one_of_an_ended_answer_change_nothing(
    database_url: str, own_dir: Path, speaker: Speaker
) -> None:
    async with serving(database_url, own_dir, providers=speaker.providers) as live:
        person = await live.person()
        device = await person.device()
        stream = await live.listen(device)
        await stream.until_ready()
        answer_id = await begin(live, device)
        await speaker.say("one ", "two")
        await stream.until(lambda seen: joined(seen, answer_id) == "one two")
        bus, (writing,) = live.starling.bus, live.starling.scribe._writing.values()
        for offset, text in ((0, "one "), (2, "e t"), (3, " two")):
            bus.publish([Delta(person.feed_id, writing.answer.id, offset, text)])
        await speaker.say(End("stop"))
        await stream.until(lambda seen: has_ended(seen, answer_id))
        bus.publish([Delta(person.feed_id, writing.answer.id, 0, "one two and more")])
        late = await live.listen(await person.device("late"))
        await late.until_ready()
        await (await live.assistant(person)).save(title="a mark")
        await late.until_seq(2)
        assert late.names == ["hello", "item", "ready", "item"]
        assert [event.name for event in stream.events][-1] == "item"
        assert stream.names.count("answer") <= 2
