"""GET /v1/items: words, filters and pages; the same at /actions/items."""

from typing import Any

import pytest

from tests.harness.live import Live
from tests.harness.people import Assistant
from tests.harness.problems import problem

SHELF: list[dict[str, Any]] = [
    {"title": "milk", "text": "two litres of oat milk", "collection": "shop", "tags": ["today"]},
    {"title": "bread", "text": "rye, and milk rolls", "collection": "shop", "status": "done", "kind": "task"},
    {"title": "reading", "url": "https://example.com/milk-science", "collection": "later", "kind": "link"},
    {"title": "Ωmega naïve", "text": "ÄRGER über 牛乳", "status": "archived"},
]


@pytest.fixture
async def assistant(live: Live) -> Assistant:
    return await live.assistant(await live.person())


@pytest.fixture
async def shelf(assistant: Assistant) -> Assistant:
    for body in SHELF:
        await assistant.save(**body)
    return assistant


async def found(assistant: Assistant, **query: Any) -> list[str]:
    """First words of the titles that both addresses find, newest first."""
    answers = [(await assistant.call("GET", path, params=query)).json() for path in ("/v1/items", "/actions/items")]
    assert answers[0] == answers[1]
    assert answers[0].keys() == {"items", "page", "total_pages", "total"}
    assert answers[0]["total"] == len(answers[0]["items"])
    return [item["title"].split()[0] for item in answers[0]["items"]]


@pytest.mark.parametrize(
    ("q", "titles"),
    [
        ("milk", ["bread", "milk"]),
        ("MILK", ["bread", "milk"]),
        ("oat milk", ["milk"]),
        ('"oat milk"', ["milk"]),
        ('"milk oat"', []),
        ("rye or litres", ["bread", "milk"]),
        ("milk -rye", ["milk"]),
        ("today", ["milk"]),
        ("ärger", ["Ωmega"]),
        ("ωmega", ["Ωmega"]),
        ("牛乳", ["Ωmega"]),
        ("nothing", []),
    ],
)
async def test_words_find_items(shelf: Assistant, q: str, titles: list[str]) -> None:
    assert await found(shelf, q=q) == titles


@pytest.mark.parametrize(
    "q", ['"', "' or 1=1 --", "& | ! :* <->", "(((", "\\", "%", "-", "a" * 1000, "\u2028", "\ud7ff"]
)
async def test_no_words_break_the_search(shelf: Assistant, q: str) -> None:
    await found(shelf, q=q)


@pytest.mark.parametrize(
    ("filters", "titles"),
    [
        ({}, ["Ωmega", "reading", "bread", "milk"]),
        ({"q": ""}, ["Ωmega", "reading", "bread", "milk"]),
        ({"kind": "task"}, ["bread"]),
        ({"kind": "note"}, ["Ωmega", "milk"]),
        ({"kind": "answer"}, []),
        ({"status": "unread"}, ["reading", "milk"]),
        ({"collection": "shop"}, ["bread", "milk"]),
        ({"collection": "shop", "status": "done", "kind": "task", "q": "milk"}, ["bread"]),
        ({"collection": "Shop"}, []),
    ],
)
async def test_filters_narrow(shelf: Assistant, filters: dict[str, str], titles: list[str]) -> None:
    assert await found(shelf, **filters) == titles


async def test_a_changed_item_comes_first_and_is_found_by_its_new_words_alone(shelf: Assistant) -> None:
    (item,) = (await shelf.call("GET", "/v1/items", params={"q": "litres"})).json()["items"]
    await shelf.call("PATCH", f"/actions/items/{item['id']}", {"text": "one bottle", "status": "done"})
    assert await found(shelf, q="litres") == []
    assert await found(shelf, status="done") == ["milk", "bread"]
    await shelf.call("DELETE", f"/actions/items/{item['id']}")
    assert await found(shelf, q="bottle") == []


async def test_pages_cover_everything_once(assistant: Assistant) -> None:
    saved = [(await assistant.save())["item"] for _ in range(23)]
    pages = [(await assistant.call("GET", "/v1/items", params={"limit": 5, "page": n})).json() for n in range(1, 7)]
    assert [page["page"] for page in pages] == [1, 2, 3, 4, 5, 6]
    assert all((page["total_pages"], page["total"]) == (5, 23) for page in pages)
    assert [item for page in pages for item in page["items"]] == saved[::-1]
    assert pages[-1]["items"] == []


async def test_an_empty_search_has_no_pages(assistant: Assistant) -> None:
    assert (await assistant.call("GET", "/v1/items")).json() == {"items": [], "page": 1, "total_pages": 0, "total": 0}


async def test_what_is_out_of_range_is_refused_with_its_field(assistant: Assistant) -> None:
    for path in ("/v1/items", "/actions/items"):
        for name, value in (
            *(("limit", value) for value in ("0", "101", "-1", "x", "1.5", "", "99999999999999999999")),
            *(("page", value) for value in ("0", "-1", "x", "99999999999999999999")),
            ("kind", "x"),
            ("status", "x"),
            ("q", "x" * 1001),
            ("q", "a\0b"),
            ("collection", "a\0b"),
            ("collection", "x" * 201),
        ):
            response = await assistant.call("GET", path, params={name: value})
            assert problem(response, 422, "invalid")["field"] == name, (name, value)


async def test_reading_needs_its_scope(live: Live) -> None:
    writer = await live.assistant(await live.person(), scopes=["items:write"])
    problem(await writer.call("GET", "/v1/items"), 403, "insufficient_scope")
