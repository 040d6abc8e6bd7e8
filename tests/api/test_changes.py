"""POST /v1/changes: what a device did, judged change by change by the protocol's rule."""

from typing import Any
from uuid import uuid4

import pytest

from tests.harness.offline import Offline, change


@pytest.fixture
async def item_id(offline: Offline) -> str:
    """An item at seq 1."""
    return str((await offline.assistant.save(title="old", text="old"))["item"]["id"])


async def test_a_device_creates_changes_and_deletes(offline: Offline) -> None:
    item_id = str(uuid4())
    status, item, error = await offline.one(item_id, None, put={"title": "Milk", "kind": "task"})
    assert (status, error) == ("applied", None)
    assert (item["id"], item["seq"], item["title"], item["kind"]) == (item_id, 1, "Milk", "task")
    origin = {"via": "device", "client": "starling", "device_id": str(offline.device.id), "conversation_id": None}
    assert item["origin"] == origin
    assert await offline.now(item_id) == item

    status, item, _ = await offline.one(item_id, 1, put={"text": "2 l", "title": None})
    assert (status, item["seq"], item["title"], item["text"]) == ("applied", 2, None, "2 l")

    status, item, _ = await offline.one(item_id, 2, delete=True)
    assert (status, item) == ("applied", {"id": item_id, "seq": 3, "audience": None, "deleted": True})
    assert await offline.now(item_id) is None


async def test_a_field_changed_since_to_another_value_is_a_conflict(offline: Offline, item_id: str) -> None:
    await offline.patch(item_id, title="theirs")
    status, item, error = await offline.one(item_id, 1, put={"title": "mine", "text": "mine"})
    assert (status, error) == ("conflict", None)
    assert (item["title"], item["text"], item["seq"]) == ("theirs", "old", 2)
    assert await offline.now(item_id) == item


async def test_changes_of_different_fields_merge(offline: Offline, item_id: str) -> None:
    await offline.patch(item_id, title="theirs")
    status, item, _ = await offline.one(item_id, 1, put={"text": "mine"})
    assert (status, item["title"], item["text"], item["seq"]) == ("applied", "theirs", "mine", 3)


async def test_the_same_value_on_both_sides_is_no_conflict(offline: Offline, item_id: str) -> None:
    await offline.patch(item_id, title="same")
    status, item, _ = await offline.one(item_id, 1, put={"title": "same"})
    assert (status, item["seq"]) == ("applied", 2)
    status, item, _ = await offline.one(item_id, 1, put={"title": "same", "text": "mine"})
    assert (status, item["seq"], item["text"]) == ("applied", 3, "mine")


async def test_values_that_json_tells_apart_are_apart(offline: Offline, item_id: str) -> None:
    await offline.patch(item_id, data={"n": 1})
    for other in ({"n": 1.5}, {"n": True}):
        assert (await offline.one(item_id, 1, put={"data": other}))[0] == "conflict"
    assert (await offline.one(item_id, 2, put={"data": {"n": True}}))[1]["data"]["n"] is True


@pytest.mark.parametrize("put", [{"title": "mine"}, {"text": "mine"}, {"kind": "task"}, {"status": "done"}])
async def test_a_create_of_an_existing_id_with_other_values_is_a_conflict(
    offline: Offline, item_id: str, put: dict[str, Any]
) -> None:
    current = await offline.now(item_id)
    assert await offline.one(item_id, None, put=put) == ("conflict", current, None)
    assert await offline.one(item_id, None, put={"title": "old", "kind": "note"}) == ("applied", current, None)
    assert await offline.now(item_id) == current


async def test_a_put_on_a_tombstone_is_a_conflict(offline: Offline, item_id: str) -> None:
    _, tombstone, _ = await offline.one(item_id, 1, delete=True)
    for base in (None, 0, 1, 2):
        assert await offline.one(item_id, base, put={"title": "mine"}) == ("conflict", tombstone, None)
    assert (await offline.one(item_id, 3, put={"title": "mine"}))[0] == "rejected"


async def test_a_base_above_the_items_seq_is_rejected(offline: Offline, item_id: str) -> None:
    await offline.assistant.save()
    for rest in ({"put": {"title": "mine"}}, {"delete": True}):
        status, item, error = await offline.one(item_id, 2, **rest)
        assert (status, item, error["status"], error["field"]) == ("rejected", None, 422, "base_seq")
    assert (await offline.now(item_id))["title"] == "old"


async def test_a_delete_conflicts_with_any_later_change(offline: Offline, item_id: str) -> None:
    await offline.patch(item_id, status="read")
    status, item, _ = await offline.one(item_id, 1, delete=True)
    assert (status, item) == ("conflict", await offline.now(item_id))
    assert (await offline.one(item_id, 2, delete=True))[0] == "applied"


async def test_a_delete_of_what_is_deleted_takes_no_seq(offline: Offline, item_id: str) -> None:
    _, tombstone, _ = await offline.one(item_id, 1, delete=True)
    for base in (1, 2):
        assert (await offline.one(item_id, base, delete=True))[1:] == (tombstone, None)
    assert (await offline.assistant.save())["item"]["seq"] == 3


@pytest.mark.parametrize(("base", "rest"), [(1, {"put": {"title": "x"}}), (1, {"delete": True}), (0, {"put": {}})])
async def test_a_change_of_what_never_was_is_rejected(offline: Offline, base: int, rest: dict[str, Any]) -> None:
    status, item, error = await offline.one(str(uuid4()), base, **rest)
    assert (status, item, error["code"]) == ("rejected", None, "not_found")


async def test_a_change_id_again_gets_the_first_result_even_after_later_changes(offline: Offline, item_id: str) -> None:
    first = change(item_id, 1, put={"title": "mine"})
    (applied,) = await offline.results(first)
    await offline.patch(item_id, title="later")
    for again in (first, {**first, "put": {"title": "something else"}}, {**first, "base_seq": 0}):
        assert await offline.results(again) == [{**applied, "status": "duplicate"}]
    assert (await offline.now(item_id))["title"] == "later"
    await offline.assistant.call("DELETE", f"/actions/items/{item_id}")
    assert await offline.results(first) == [{**applied, "status": "duplicate"}]


async def test_only_what_was_applied_is_remembered(offline: Offline, item_id: str) -> None:
    await offline.patch(item_id, title="theirs")
    conflicting = change(item_id, 1, put={"title": "mine"})
    assert [(await offline.results(conflicting))[0]["status"] for _ in range(2)] == ["conflict", "conflict"]
    assert (await offline.results({**conflicting, "base_seq": 9}))[0]["status"] == "rejected"
    assert (await offline.results({**conflicting, "base_seq": 2}))[0]["status"] == "applied"


async def test_changes_of_one_batch_build_on_one_another(offline: Offline) -> None:
    item_id, twice = str(uuid4()), change(str(uuid4()), None, put={"title": "once"})
    results = await offline.results(
        change(item_id, None, put={"title": "a"}),
        twice,
        change(item_id, 1, put={"title": "b"}),
        change(item_id, 1, put={"title": "c"}),
        change(item_id, 3, delete=True),
        twice,
        change(item_id, 4, put={"title": "d"}),
    )
    statuses = ["applied", "applied", "applied", "conflict", "applied", "duplicate", "conflict"]
    assert [each["status"] for each in results] == statuses
    assert [each["item"]["seq"] for each in results] == [1, 2, 3, 3, 4, 2, 4]
