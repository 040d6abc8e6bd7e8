"""What assistants are answered stays below 100,000 characters, and all of it can still be read."""

import json
import re
from typing import Any
from uuid import uuid4

import msgspec
import pytest

from app.actions import fitted
from app.actions.receipts import Delivery
from app.store.items import Found, Query
from tests.actions.shown import wire

LIMIT = 100_000
TEXTS = {
    "letters": "x" * 100_000,
    "quotes": '"' * 100_000,
    "control characters": "\x01" * 100_000,
    "astral": "\U0001f426" * 100_000,
    "all kinds": 'a"\x01é\u2028\U0001f426\\' * 14_000,
    "just too long": "x" * fitted.ROOM,
}
WORST: dict[str, Any] = {
    "title": "\x01" * 500,
    "collection": "\x01" * 200,
    "text": '"' * 100_000,
    "url": "https://example.com/" + '"' * 8000,
    "tags": ["\x01" * 100] * 50,
    "data": {"a": '"' * 32_000},
    "files": [
        {"id": str(uuid4()), "name": "\x01" * 255, "mime_type": "a/b", "size": 1, "sha256": "0" * 64} for _ in range(10)
    ],
    "audience": [str(uuid4()) for _ in range(3000)],
}
NEXT = re.compile(r"`(text_offset|limit|page)` (\d+)")


def characters(answer: bytes) -> int:
    """As JavaScript counts."""
    return len(answer.decode().encode("utf-16-le")) // 2


def next_of(answer: dict[str, Any]) -> dict[str, int]:
    return {name: int(value) for name, value in NEXT.findall(answer.get("next_step", ""))}


@pytest.mark.parametrize("fields", [{}, {"text": "x" * 90_000}, {"text": '"é\u2028\U0001f426'}, {"data": {"a": [1.0]}}])
async def test_what_fits_is_answered_byte_for_byte(fields: dict[str, Any]) -> None:
    sent = wire(**fields)
    assert fitted.item(sent) is fitted.item(sent, text_offset=0) is sent
    delivery = Delivery([], [{"device_id": "1", "name": "x", "kind": "cli"}], [])
    assert sent in fitted.written(sent, delivery, duplicate=False)
    assert sent in await fitted.page(Found([sent], 1, 1, 1), Query())


@pytest.mark.parametrize("name", TEXTS)
def test_a_long_text_is_read_piece_by_piece(name: str) -> None:
    sent, offset, pieces = wire(text=TEXTS[name]), 0, []
    while True:
        answer = fitted.item(sent, text_offset=offset)
        assert characters(answer) < LIMIT
        shown = json.loads(answer)
        assert (shown["text_offset"], shown["text_length"], shown["cut"]) == (offset, len(TEXTS[name]), ["text"])
        pieces.append(shown["text"])
        if "next_step" not in shown:
            break
        offset = next_of(shown)["text_offset"]
    assert "".join(pieces) == TEXTS[name]
    assert len(pieces) <= 8
    assert json.loads(sent) | {name: shown[name] for name in shown.keys() - json.loads(sent).keys() | {"text"}} == shown


@pytest.mark.parametrize(("offset", "rest", "begin"), [(2, "c", 2), (3, "", 3), (4, "", 3), (100_000, "", 3)])
def test_an_offset_in_a_short_text_is_honoured_as_far_as_it_goes(offset: int, rest: str, begin: int) -> None:
    shown = json.loads(fitted.item(wire(text="abc"), text_offset=offset))
    assert (shown["text"], shown["text_offset"], shown["text_length"], shown["cut"]) == (rest, begin, 3, ["text"])
    assert "next_step" not in shown


def test_there_is_nothing_to_read_on_in_an_item_without_a_text() -> None:
    for text in (None, ""):
        sent = wire(text=text)
        assert fitted.item(sent, text_offset=5) is sent
        shown = json.loads(fitted.item(wire(text=text, data={"a": "x" * 60_000}), 2000))
        assert (shown["text"], shown["cut"]) == (text, ["data"])


def test_the_worst_item_fits_and_says_what_it_lacks() -> None:
    whole = json.loads(wire(**WORST))
    shown = json.loads(fitted.item(wire(**WORST)))
    assert characters(fitted.item(wire(**WORST))) < LIMIT
    assert shown["cut"] == ["text", "url", "tags", "data", "files", "audience"]
    assert (shown["title"], shown["audience"], shown["url"]) == (whole["title"], [], None)
    assert len(shown["text"]) > 9000
    lean = json.loads(fitted.item(wire(**{**WORST, "audience": None, "tags": ["a"], "text": "x" * 100_000})))
    assert lean["cut"] == ["text", "data"]


def test_an_item_whose_text_fits_without_its_data_says_where_the_data_is() -> None:
    shown = json.loads(fitted.item(wire(text="short", data={"a": "x" * 60_000}), 2000))
    assert (shown["text"], shown["cut"]) == ("short", ["data"])
    assert shown["next_step"] == "Call getItem for what is left out here."


def test_a_tombstone_of_many_devices_fits() -> None:
    tombstone = {"id": str(uuid4()), "seq": 1, "audience": WORST["audience"], "deleted": True}
    shown = json.loads(fitted.item(msgspec.json.encode(tombstone)))
    assert shown | {"cut": ["audience"]} == shown
    assert (shown["audience"], "text" in shown) == ([], False)


@pytest.mark.parametrize(
    ("fields", "limit"),
    [({"text": "x" * 100_000}, 20), ({"text": '"' * 2000}, 100), ({"title": "é" * 500}, 100), (WORST, 100), (WORST, 7)],
    ids=["long texts", "texts of quotes", "long titles", "the worst", "the worst, an odd limit"],
)
async def test_pages_fit_and_none_of_the_items_is_out_of_reach(fields: dict[str, Any], limit: int) -> None:
    every = [wire(**fields) for _ in range(limit * 2)]
    small = wire(title="small")
    every[1] = small
    seen: dict[str, None] = {}
    query = Query(limit=limit)
    while True:
        begin = (query.page - 1) * query.limit
        matching = every[begin : begin + query.limit]
        answer = await fitted.page(Found(matching, query.page, -(-len(every) // query.limit), len(every)), query)
        assert characters(answer) < LIMIT
        assert (small in answer) is (small in matching)
        page = json.loads(answer)
        seen |= dict.fromkeys(item["id"] for item in page["items"])
        following = {"limit": query.limit, "page": query.page + 1, **next_of(page)}
        query = Query(limit=following["limit"], page=following["page"])
        if query.page > page["total_pages"] and "next_step" not in page:
            break
    assert list(seen) == [json.loads(each)["id"] for each in every]


async def test_what_short_items_leave_goes_to_the_long_ones() -> None:
    wires = [wire(title="small") for _ in range(9)] + [wire(text="x" * 100_000)]
    page = json.loads(await fitted.page(Found(wires, 1, 1, 10), Query(limit=10)))
    assert len(page["items"][-1]["text"]) > 90_000


@pytest.mark.parametrize("place", range(3))
@pytest.mark.parametrize("name", ["phone", "\x01" * 100])
def test_receipts_of_many_devices_fit_and_count_those_that_they_do_not_name(place: int, name: str) -> None:
    lists: list[list[dict[str, Any]]] = [[{"device_id": "first", "name": name, "kind": "cli"}] for _ in range(3)]
    lists[place] += [{"device_id": str(n), "name": name, "kind": "cli"} for n in range(999)]
    answer = fitted.written(wire(text='"' * 100_000), Delivery(*lists), duplicate=True)
    assert characters(answer) < LIMIT
    delivery = json.loads(answer)["delivery"]
    named = [delivery[each] for each in ("acknowledged", "live", "pending")]
    assert all(each[0]["device_id"] == "first" for each in named)
    assert sum(map(len, named)) + delivery["not_named"] == 1002
    assert len(named[place]) > 10
    assert "listDevices" in delivery["next_step"]
