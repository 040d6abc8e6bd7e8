"""Answers: every device sees the same text while it is written, and one item when it is done."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from app.providers import End, ProviderFailed
from tests.harness.live import Live, serving
from tests.harness.people import Person, TestDevice
from tests.harness.problems import problem
from tests.harness.reader import has_ended, item, joined
from tests.harness.speaker import Speaker
from tests.harness.waiting import eventually

ODD = ["Tides ", "e\u0301 \N{ROCKET}", "\u2028\u2029\x85\r\n", "\u05d0 end"]


@pytest.fixture
def speaker() -> Speaker:
    return Speaker()


@pytest.fixture
async def talking(database_url: str, own_dir: Path, speaker: Speaker) -> AsyncIterator[Live]:
    async with serving(database_url, own_dir, providers=speaker.providers) as live:
        yield live


async def begin(live: Live, device: TestDevice, **body: Any) -> str:
    answer = await live.http.post("/v1/answers", json={"prompt": "Why tides?", **body}, headers=device.headers)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["id"])


async def test_every_device_gets_the_text_as_it_comes_and_then_the_item(talking: Live, speaker: Speaker) -> None:
    person, other = await talking.person(), await talking.person()
    first, second = await person.device("first"), await person.device("second")
    streams = [await talking.listen(first), await talking.listen(second)]
    stranger = await talking.listen(await other.device())
    for stream in (*streams, stranger):
        await stream.until_ready()
    answer_id = await begin(talking, first, system="Briefly.")
    for n, part in enumerate(ODD):
        await speaker.say(part)
        for stream in streams:
            await stream.until(lambda seen, n=n: joined(seen, answer_id) == "".join(ODD[: n + 1]))  # type: ignore[misc]
    late = await talking.listen(await person.device("late"))
    await late.until(lambda seen: joined(seen, answer_id) == "".join(ODD))
    assert [event.name for event in late.events[-2:]] == ["ready", "answer"]
    assert late.events[-1].id == late.events[-2].id
    await speaker.say(End("stop", {"input_tokens": 2, "output_tokens": 9}))
    usage = {"input_tokens": 2, "output_tokens": 9}
    told = {"provider": "speaker", "model": "told", "finish_reason": "stop", "usage": usage}
    for stream in (*streams, late):
        await stream.until(lambda seen: has_ended(seen, answer_id))
        sealed = item(stream, answer_id)
        assert sealed is not None
        assert (sealed["kind"], sealed["text"]) == ("answer", "".join(ODD))
        assert sealed["data"] == {"answer": told}
        assert stream.names[-1] == "item"
    assert set(stranger.names) == {"hello", "ready"}
    assert [(ask.prompt, ask.system) for ask in speaker.asked] == [("Why tides?", "Briefly.")]
    read = (await talking.get(f"/v1/answers/{answer_id}", first.token)).json()
    assert read == {"id": answer_id, "done": True, "text": "".join(ODD), "answer": told}
    assert (await talking.get(f"/v1/answers/{answer_id}", (await other.device()).token)).status_code == 404


async def test_a_device_that_comes_back_after_the_end_finds_one_item(talking: Live, speaker: Speaker) -> None:
    device = await (await talking.person()).device()
    stream = await talking.listen(device)
    await stream.until_ready()
    answer_id = await begin(talking, device)
    await speaker.say(*"one two")
    await stream.until(lambda seen: joined(seen, answer_id) == "one two")
    await stream.close()
    await speaker.say(End("length"))

    async def is_done() -> bool:
        return bool((await talking.get(f"/v1/answers/{answer_id}", device.token)).json()["done"])

    await eventually(is_done, 15, "the end")
    back = await talking.listen(device, stream.cursor)
    await back.until_ready()
    assert back.names == ["hello", "item", "ready"]
    assert back.items[0]["text"] == "one two"


@pytest.mark.parametrize("reason", ["rate_limited", "provider_error", "timeout"])
async def test_a_provider_that_fails_leaves_what_it_said(talking: Live, speaker: Speaker, reason: Any) -> None:
    device = await (await talking.person()).device()
    stream = await talking.listen(device)
    await stream.until_ready()
    answer_id = await begin(talking, device)
    await speaker.say("half a ", ProviderFailed(reason, "for the test"))
    await stream.until(lambda seen: has_ended(seen, answer_id))
    sealed: Any = item(stream, answer_id)
    assert (sealed["text"], sealed["data"]["answer"]["finish_reason"]) == ("half a ", reason)


async def test_a_long_answer_is_cut_at_its_limit(talking: Live, speaker: Speaker) -> None:
    device = await (await talking.person()).device()
    stream = await talking.listen(device)
    await stream.until_ready()
    answer_id = await begin(talking, device)
    await speaker.say(*["\N{ROCKET}" * 30_000] * 4)
    await stream.until(lambda seen: has_ended(seen, answer_id))
    sealed: Any = item(stream, answer_id)
    assert sealed["text"] == "\N{ROCKET}" * 100_000
    assert sealed["data"]["answer"]["finish_reason"] == "length"


async def test_cancelling_keeps_the_text_so_far(talking: Live, speaker: Speaker) -> None:
    person = await talking.person()
    device = await person.device()
    stream = await talking.listen(device)
    await stream.until_ready()
    answer_id = await begin(talking, device)
    await speaker.say("one ")
    await stream.until(lambda seen: joined(seen, answer_id) == "one ")
    stranger = await (await talking.person()).device()
    address = f"/v1/answers/{answer_id}"
    assert (await talking.http.delete(address, headers=stranger.headers)).status_code == 404
    assert (await talking.http.delete(address, headers=device.headers)).status_code == 204
    await stream.until(lambda seen: has_ended(seen, answer_id))
    await speaker.say("two")
    sealed: Any = item(stream, answer_id)
    assert (sealed["text"], sealed["data"]["answer"]["finish_reason"]) == ("one ", "cancelled")
    assert (await talking.http.delete(address, headers=device.headers)).status_code == 204


async def test_a_server_that_stops_ends_its_answers(database_url: str, own_dir: Path, speaker: Speaker) -> None:
    async with serving(database_url, own_dir, providers=speaker.providers) as live:
        device = await (await live.person()).device()
        stream = await live.listen(device)
        await stream.until_ready()
        answer_id = await begin(live, device)
        await speaker.say("one ")
        await stream.until(lambda seen: joined(seen, answer_id) == "one ")
    async with serving(database_url, own_dir) as live:
        read = (await live.get(f"/v1/answers/{answer_id}", device.token)).json()
        assert (read["done"], read["text"], read["answer"]["finish_reason"]) == (True, "one ", "interrupted")


async def test_so_many_at_once_and_no_more(talking: Live, speaker: Speaker) -> None:
    person = await talking.person()
    device = await person.device()
    begun = [await begin(talking, device) for _ in range(8)]
    answer = await talking.http.post("/v1/answers", json={"prompt": "One more"}, headers=device.headers)
    assert problem(answer, 429)["code"] == "too_many_answers"
    assert int(answer.headers["retry-after"]) >= 1
    await begin(talking, await (await talking.person()).device())
    await talking.http.delete(f"/v1/answers/{begun[0]}", headers=device.headers)

    async def has_room() -> bool:
        again = await talking.http.post("/v1/answers", json={"prompt": "One more"}, headers=device.headers)
        return again.status_code == 202

    await eventually(has_room, 15, "room for one more")


async def test_the_action_returns_a_handle_and_the_scripted_provider_answers(live: Live) -> None:
    person = await live.person()
    stream = await live.listen(await person.device())
    await stream.until_ready()
    assistant = await live.assistant(person, scopes=["answers", "items:read"])
    begun = await assistant.call("POST", "/actions/answers", {"prompt": "Say hello"})
    assert begun.status_code == 202, begun.text
    answer_id = begun.json()["id"]
    await stream.until(lambda seen: has_ended(seen, answer_id))
    sealed: Any = item(stream, answer_id)
    assert sealed["text"].startswith("You asked: Say hello")
    assert joined(stream, answer_id) == sealed["text"]
    assert sealed["data"]["answer"]["provider"] == "scripted"
    assert sealed["origin"]["via"] == "action"
    without = await live.assistant(person)
    assert (
        problem(await without.call("POST", "/actions/answers", {"prompt": "No"}), 403)["code"] == "insufficient_scope"
    )


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"prompt": ""}, "prompt"),
        ({}, "prompt"),
        ({"prompt": "x", "provider": "nobody"}, "provider"),
        ({"prompt": "x", "model": "../../v1/files"}, "model"),
        ({"prompt": "x", "more": 1}, "more"),
    ],
)
async def test_what_cannot_be_asked(live: Live, person: Person, body: dict[str, Any], field: str) -> None:
    device = await person.device()
    answer = await live.http.post("/v1/answers", json=body, headers=device.headers)
    assert problem(answer, 422)["field"] == field
