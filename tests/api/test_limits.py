"""What can be written: the limits of every field, at the limit and one above; unknown fields; text that survives."""

import json
from typing import Any

import pytest

from tests.harness.live import Live
from tests.harness.people import Assistant
from tests.harness.problems import problem

ASTRAL = "\U0001f426"


def nested(levels: int) -> dict[str, Any]:
    """An object of that many levels, itself counted."""
    value: dict[str, Any] = {}
    for _ in range(levels - 1):
        value = {"a": value}
    return value


def sized(size: int) -> dict[str, str]:
    """An object whose JSON takes that many bytes."""
    return {"a": "x" * (size - len('{"a":""}'))}


WITHIN: list[dict[str, Any]] = [
    {"title": "x" * 500},
    {"title": ASTRAL * 500},
    {"text": "x" * 100_000},
    {"text": ASTRAL * 100_000},
    {"tags": [f"{n:0100}" for n in range(50)]},
    {"data": sized(64 * 1024)},
    {"data": nested(32)},
    {"data": {"a": 2**63 - 1, "b": -(2**63), "c": 0.1, "d": 1e308}},
    {"url": "http://example.com"},
    {"url": "https://user@example.com:8443/päth?q=ü#f"},
    {"kind": "note"},
    {"kind": "link"},
    {"kind": "task"},
    *({"status": status} for status in ("unread", "read", "done", "archived")),
    {"title": "", "text": ""},
]
BEYOND: list[tuple[str, Any]] = [
    ("title", "x" * 501),
    ("title", ASTRAL * 501),
    ("title", 5),
    ("title", ["x"]),
    ("text", "x" * 100_001),
    ("text", ASTRAL * 100_001),
    ("tags", ["x"] * 51),
    ("tags", "x"),
    ("data", sized(64 * 1024 + 1)),
    ("data", nested(33)),
    ("data", []),
    ("data", {"a": 2**64}),
    ("url", "ftp://example.com"),
    ("url", "javascript:alert(1)"),
    ("url", "JAVASCRIPT://example.com/%0aalert(1)"),
    ("url", "example.com"),
    ("url", "https://"),
    ("url", "https://[::1"),
    ("url", "https://exa mple.com"),
    ("url", "https://example.com/\n"),
    ("url", ""),
    ("status", "gone"),
    ("status", 1),
    ("kind", "notification"),
    ("kind", "file"),
    ("kind", "answer"),
    ("kind", "Note"),
    ("kind", None),
    ("expires_at", "2999-01-02T03:04:05"),
    ("expires_at", "2999-01-02"),
    ("expires_at", "tomorrow"),
    ("expires_at", 32503680000),
    ("expires_at", "32503680000"),
    ("expires_at", True),
    ("expires_at", "0001-01-01T00:00:00+23:59"),
    ("expires_at", "0001-01-01T00:00:00Z"),
    ("expires_at", "9999-12-31T23:59:59.999999Z"),
    ("wait_for_delivery", 5.1),
    ("wait_for_delivery", -0.1),
    ("wait_for_delivery", "long"),
    ("wait_for_delivery", "1"),
    ("wait_for_delivery", True),
    ("wait_for_delivery", None),
    ("request_id", ""),
    ("request_id", "x" * 201),
    ("request_id", 7),
    ("id", "0199f9a0-0000-7000-8000-000000000000"),
    ("seq", 1),
    ("audience", []),
    ("deleted", True),
    ("surprise", None),
]
UNSTORABLE = ["a\0b", "\ud800", "x\udfff", "\udc00\ud800"]
FAITHFUL = [
    "\r\n\r\ndata: x\n\nevent: bye\n\n",
    "\u2028\u2029\u0085\ufeff\v\f\x1b\x7f\x01",
    "e\u0301 \u00e9 \u1e9b\u0323 \ufb01 \u212b",
    f"{ASTRAL}\U0010ffff\uffff\ufffe",
    '</script><script>alert("\\")</script>',
    "  leading and trailing \t",
]


@pytest.fixture
async def assistant(live: Live) -> Assistant:
    return await live.assistant(await live.person())


async def test_what_is_within_the_limits_is_saved_and_read_back(assistant: Assistant) -> None:
    for body in WITHIN:
        item_id = (await assistant.save(**body))["item"]["id"]
        item = (await assistant.call("GET", f"/v1/items/{item_id}")).json()
        assert {name: item[name] for name in body} == body


async def test_what_is_beyond_a_limit_is_refused_with_its_field_and_nothing_is_saved(assistant: Assistant) -> None:
    item = (await assistant.save(title="there"))["item"]
    accepted = []
    for field, value in BEYOND:
        for method, path in (("POST", "/actions/items"), ("PATCH", f"/actions/items/{item['id']}")):
            response = await assistant.call(method, path, {field: value})
            if response.status_code < 300:
                accepted.append((method, field, str(value)[:50]))
            else:
                assert problem(response, 422, "invalid")["field"] == field
    assert accepted == []
    assert (await assistant.call("GET", "/v1/items")).json()["items"] == [item]


@pytest.mark.parametrize(("tags", "field"), [(["ok", "x" * 101], "tags.1"), (["ok", 1], "tags.1"), ([""], "tags.0")])
async def test_a_bad_tag_is_named_by_its_place(assistant: Assistant, tags: list[Any], field: str) -> None:
    assert problem(await assistant.call("POST", "/actions/items", {"tags": tags}), 422)["field"] == field


@pytest.mark.parametrize(
    ("field", "allowed"), [("status", ["unread", "read", "done", "archived"]), ("kind", ["note", "link", "task"])]
)
async def test_a_wrong_choice_is_answered_with_the_right_ones(
    assistant: Assistant, field: str, allowed: list[str]
) -> None:
    assert problem(await assistant.call("POST", "/actions/items", {field: "x"}), 422)["allowed"] == allowed


async def test_an_address_of_another_scheme_is_answered_with_the_right_ones(assistant: Assistant) -> None:
    found = problem(await assistant.call("POST", "/actions/items", {"url": "ftp://x"}), 422)
    assert found["allowed"] == ["http", "https"]


@pytest.mark.parametrize("text", UNSTORABLE, ids=ascii)
async def test_nul_and_lone_surrogates_are_refused(live: Live, assistant: Assistant, text: str) -> None:
    bodies: list[dict[str, Any]] = [{name: text} for name in ("title", "text", "collection", "request_id")]
    bodies += [{"url": f"https://example.com/{text}"}, {"tags": [text]}, {"data": {"a": [text]}}, {"data": {text: 1}}]
    for body in bodies:
        response = await live.http.post("/actions/items", content=json.dumps(body), headers=assistant.headers)
        assert "field" in problem(response, 422, "invalid")
    assert (await assistant.call("GET", "/v1/items")).json()["total"] == 0


@pytest.mark.parametrize("text", FAITHFUL, ids=ascii)
async def test_text_comes_back_code_point_for_code_point(live: Live, text: str) -> None:
    person = await live.person()
    device = await (await live.listen(await person.device())).until_ready()
    assistant = await live.assistant(person)
    body = {"title": text, "text": text, "tags": [text], "data": {text: [text]}, "collection": text}

    item = (await assistant.save(**body))["item"]

    assert {name: item[name] for name in body} == body
    assert (await assistant.call("GET", f"/v1/items/{item['id']}")).json() == item
    await device.until_seq(1)
    assert device.items == [item]
    assert not any(mark in device.raw for mark in (b"\xe2\x80\xa8", b"\xe2\x80\xa9", b"\xc2\x85"))


async def test_a_time_with_any_offset_is_kept_as_utc(assistant: Assistant) -> None:
    item = (await assistant.save(expires_at="2999-01-01T01:30:00.123456+01:30"))["item"]
    assert item["expires_at"] == "2999-01-01T00:00:00.123456Z"
