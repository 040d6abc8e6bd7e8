"""The custom GPT's operations: what each answers, to the letter of the protocol."""

import re
from typing import Any
from uuid import UUID, uuid4

import pytest

from tests.harness.live import Live
from tests.harness.people import Assistant
from tests.harness.problems import problem

ITEM_KEYS = [
    *("id", "seq", "kind", "collection", "title", "text", "url", "tags", "data", "status", "files", "audience"),
    *("deleted", "created_at", "updated_at", "expires_at", "origin"),
]
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z")
EVERY_FIELD: dict[str, Any] = {
    "title": "Milk",
    "text": "2 l",
    "url": "https://example.com/milk?x=1",
    "tags": ["shop", "today"],
    "data": {"price": 1.5, "nested": {"list": [1, None, True, "x"]}},
    "status": "read",
    "collection": "inbox",
    "expires_at": "2999-01-02T03:04:05Z",
}
CLEARED: dict[str, Any] = {**dict.fromkeys(EVERY_FIELD), "tags": [], "data": {}, "status": "unread"}


@pytest.fixture
async def assistant(live: Live) -> Assistant:
    return await live.assistant(await live.person(), "conversation 1")


async def test_a_saved_item_is_answered_with_201_in_the_wire_shape(assistant: Assistant) -> None:
    response = await assistant.call("POST", "/actions/items", {"kind": "task", **EVERY_FIELD})

    assert response.status_code == 201
    assert response.headers["content-type"].startswith("application/json")
    answer = response.json()
    assert list(answer) == ["item", "delivery", "duplicate"]
    assert answer["duplicate"] is False
    assert answer["delivery"] == {"acknowledged": [], "live": [], "pending": []}
    item = answer["item"]
    assert list(item) == ITEM_KEYS
    assert UUID(item["id"]).version == 7
    assert TIME.fullmatch(item["created_at"])
    assert item["updated_at"] == item["created_at"]
    assert {name: item[name] for name in EVERY_FIELD} == EVERY_FIELD
    assert (item["seq"], item["kind"], item["files"], item["audience"], item["deleted"]) == (1, "task", [], None, False)
    assert item["origin"] == {
        "via": "action",
        "client": "chatgpt",
        "device_id": None,
        "conversation_id": "conversation 1",
    }


async def test_an_item_of_nothing_has_the_defaults(assistant: Assistant) -> None:
    item = (await assistant.call("POST", "/actions/items", {})).json()["item"]
    assert {name: item[name] for name in CLEARED} == CLEARED
    assert item["kind"] == "note"


async def test_an_equal_save_is_answered_with_200_and_the_first_item(assistant: Assistant) -> None:
    first = await assistant.save(title="same")
    response = await assistant.call("POST", "/actions/items", {"title": "same"})
    assert response.status_code == 200
    assert response.json() == {**first, "duplicate": True}


async def test_an_item_is_read_as_it_was_answered(live: Live, assistant: Assistant) -> None:
    item = (await assistant.save(**EVERY_FIELD))["item"]
    response = await assistant.call("GET", f"/actions/items/{item['id']}")
    assert response.status_code == 200
    assert response.json() == item
    assert (await live.http.get(f"/v1/items/{item['id']}", headers=assistant.headers)).content == response.content


async def test_a_patch_leaves_absent_fields_and_clears_null_ones(assistant: Assistant) -> None:
    item = (await assistant.save(**EVERY_FIELD))["item"]
    path = f"/actions/items/{item['id']}"

    renamed = (await assistant.call("PATCH", path, {"title": "Oat milk"})).json()
    assert list(renamed) == ["item", "delivery", "duplicate"]
    changed = {name for name in ITEM_KEYS if renamed["item"][name] != item[name]}
    assert changed == {"title", "seq", "updated_at"}
    assert renamed["item"]["seq"] == 2

    cleared = (await assistant.call("PATCH", path, dict.fromkeys(EVERY_FIELD))).json()["item"]
    assert {name: cleared[name] for name in CLEARED} == CLEARED
    assert cleared["seq"] == 3


async def test_a_patch_that_changes_nothing_takes_no_seq(assistant: Assistant) -> None:
    item = (await assistant.save(**EVERY_FIELD))["item"]
    for body in ({}, {"title": "Milk"}, {"tags": ["shop", "today"]}):
        response = await assistant.call("PATCH", f"/actions/items/{item['id']}", body)
        assert response.status_code == 200
        assert response.json()["item"] == item


async def test_a_deleted_item_is_a_tombstone_and_gone_for_every_read(live: Live, assistant: Assistant) -> None:
    item = (await assistant.save(title="gone"))["item"]
    path = f"/actions/items/{item['id']}"
    first, again = await assistant.call("DELETE", path), await assistant.call("DELETE", path)

    tombstone = {"id": item["id"], "seq": 2, "audience": None, "deleted": True}
    assert (first.status_code, again.status_code) == (200, 200)
    assert first.json()["item"] == again.json()["item"] == tombstone
    assert (first.json()["duplicate"], again.json()["duplicate"]) == (False, True)
    for method, gone, body in (
        ("GET", path, None),
        ("GET", f"{path}/delivery", None),
        ("PATCH", path, {"title": "back"}),
        ("GET", f"/v1/items/{item['id']}", None),
    ):
        problem(await live.http.request(method, gone, json=body, headers=assistant.headers), 404, "not_found")
    assert (await assistant.call("GET", "/actions/items")).json()["total"] == 0


async def test_found_items_come_in_pages_newest_change_first(assistant: Assistant) -> None:
    saved = [(await assistant.save(title=f"item {n}"))["item"] for n in range(5)]
    answer = (await assistant.call("GET", "/actions/items", params={"limit": 2, "page": 2})).json()
    assert answer == {"items": [saved[2], saved[1]], "page": 2, "total_pages": 3, "total": 5}


async def test_devices_are_listed_in_their_wire_shape(live: Live) -> None:
    person = await live.person()
    laptop, phone = await person.device("laptop"), await person.device("phone", "mobile")
    await (await live.listen(phone)).until_ready()
    response = await (await live.assistant(person)).call("GET", "/actions/devices")

    assert response.status_code == 200
    assert list(response.json()) == ["devices", "page", "total_pages", "total"]
    first, second = response.json()["devices"]
    assert list(first) == ["id", "name", "kind", "online", "last_seen", "acked_seq", "created_at"]
    assert (first["id"], first["name"], first["kind"], first["online"]) == (str(laptop.id), "laptop", "desktop", False)
    assert (second["id"], second["name"], second["kind"], second["online"]) == (str(phone.id), "phone", "mobile", True)
    assert (first["last_seen"], first["acked_seq"]) == (None, 0)
    assert TIME.fullmatch(first["created_at"])
    assert TIME.fullmatch(second["last_seen"])


@pytest.mark.parametrize(
    ("scope", "calls"),
    [
        (
            "items:write",
            [("POST", "/actions/items"), ("PATCH", "/actions/items/{}"), ("DELETE", "/actions/items/{}")],
        ),
        (
            "items:read",
            [
                ("GET", "/actions/items"),
                ("GET", "/actions/items/{}"),
                ("GET", "/actions/items/{}/delivery"),
                ("GET", "/actions/devices"),
            ],
        ),
    ],
)
async def test_a_token_without_the_scope_is_refused(live: Live, scope: str, calls: list[tuple[str, str]]) -> None:
    person = await live.person()
    item = (await (await live.assistant(person)).save(title="kept"))["item"]
    other = {"items:read": "items:write", "items:write": "items:read"}[scope]
    limited = await live.assistant(person, scopes=[other])
    for method, path in calls:
        body = {"title": "x"} if method in {"POST", "PATCH"} else None
        for item_id in (item["id"], uuid4()):
            found = problem(await limited.call(method, path.format(item_id), body), 403, "insufficient_scope")
            assert found["scope"] == scope
