"""Answers to assistants that would be too long: each is cut, says so, and all of it can still be had."""

import re
from typing import Any

import httpx2
import pytest

from tests.harness.live import Live
from tests.harness.people import Assistant

TEXT = '2 l "full" \U0001f426\u2028' * 7500


@pytest.fixture
async def assistant(live: Live) -> Assistant:
    return await live.assistant(await live.person())


def short(response: httpx2.Response) -> Any:
    """The answer, checked for its length as JavaScript counts."""
    assert response.status_code in (200, 201), response.text[:1000]
    assert len(response.text.encode("utf-16-le")) // 2 < 100_000
    return response.json()


async def test_a_long_text_is_saved_whole_and_read_in_pieces(live: Live, assistant: Assistant) -> None:
    saved = short(await assistant.call("POST", "/actions/items", {"title": "long", "text": TEXT}))
    item = saved["item"]
    assert (item["cut"], item["text_length"]) == (["text"], len(TEXT))
    assert TEXT.startswith(item["text"])
    path = f"/actions/items/{item['id']}"
    whole = (await live.http.get(path.replace("actions", "v1"), headers=assistant.headers)).json()
    assert whole["text"] == TEXT

    pieces, step = [], {"text_offset": "0"}
    while step:
        shown = short(await assistant.call("GET", path, params=step))
        assert shown["text_offset"] == int(step["text_offset"])
        pieces.append(shown["text"])
        step = dict(re.findall(r"`(text_offset)` (\d+)", shown.get("next_step", "")))
    assert "".join(pieces) == TEXT
    assert len(pieces) > 1

    for method, body in (("GET", None), ("PATCH", {"title": "longer"})):
        answer = short(await assistant.call(method, f"{path}/delivery" if body is None else path, body))
        assert answer["item"]["cut"] == ["text"]


async def test_a_list_of_long_texts_shows_the_beginning_of_each(live: Live, assistant: Assistant) -> None:
    for n in range(12):
        await assistant.save(title=f"item {n}", text=TEXT)
    small = (await assistant.save(title="small"))["item"]
    page = short(await assistant.call("GET", "/actions/items"))
    assert (page["total"], len(page["items"]), page["items"][0]) == (13, 13, small)
    for item in page["items"][1:]:
        assert item["cut"] == ["text"]
        assert TEXT.startswith(item["text"])
        assert len(item["text"]) > 5000
    wire = (await live.http.get("/v1/items", headers=assistant.headers)).json()
    assert {item["text"] for item in wire["items"]} == {TEXT, None}


async def test_devices_come_in_pages(live: Live) -> None:
    person = await live.person()
    devices = [await person.device(f"device {n}") for n in range(5)]
    assistant = await live.assistant(person)
    pages = [short(await assistant.call("GET", "/actions/devices", params={"limit": 2, "page": n})) for n in (1, 2, 3)]
    assert [each["name"] for page in pages for each in page["devices"]] == [device.name for device in devices]
    assert {(page["total_pages"], page["total"]) for page in pages} == {(3, 5)}
    assert short(await assistant.call("GET", "/actions/devices", params={"page": 2}))["devices"] == []
