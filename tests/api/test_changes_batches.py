"""POST /v1/changes: what is wrong with a batch as a whole, and what concerns one change alone."""

from typing import Any
from uuid import uuid4

import pytest

from tests.harness.live import Live
from tests.harness.offline import Offline, change
from tests.harness.problems import problem

BAD_PUTS: list[tuple[dict[str, Any], str]] = [
    ({"title": "x" * 501}, "title"),
    ({"text": "a\0b"}, "text"),
    ({"kind": "notification"}, "kind"),
    ({"audience": []}, "audience"),
    ({"expires_at": 5}, "expires_at"),
    ({"tags": ["ok", 5]}, "tags.1"),
]
BAD_ENVELOPES: list[tuple[dict[str, Any], str]] = [
    ({"base_seq": -1}, "changes.0.base_seq"),
    ({"base_seq": 2**63}, "changes.0.base_seq"),
    ({"base_seq": 1.5}, "changes.0.base_seq"),
    ({"base_seq": "1"}, "changes.0.base_seq"),
    ({"base_seq": True}, "changes.0.base_seq"),
    ({"id": "x"}, "changes.0.id"),
    ({"id": None}, "changes.0.id"),
    ({"change_id": 5}, "changes.0.change_id"),
    ({"put": None}, "changes.0"),
    ({"put": []}, "changes.0.put"),
    ({"delete": True}, "changes.0"),
    ({"put": None, "delete": False}, "changes.0.delete"),
    ({"surprise": 1}, "changes.0.surprise"),
]


async def total(offline: Offline) -> int:
    return int((await offline.assistant.call("GET", "/v1/items")).json()["total"])


async def test_five_hundred_changes_are_taken_in_order_and_one_more_is_refused(offline: Offline) -> None:
    many = [change(str(uuid4()), None, put={"title": str(n)}) for n in range(501)]
    assert problem(await offline.post(*many), 422, "invalid")["field"] == "changes"
    assert await total(offline) == 0
    results = await offline.results(*many[:500])
    assert [each["item"]["seq"] for each in results] == list(range(1, 501))
    assert [each["status"] for each in await offline.results(*many[:500])] == ["duplicate"] * 500


async def test_an_empty_batch_has_no_results(offline: Offline) -> None:
    assert await offline.results() == []


async def test_another_epoch_is_refused_as_a_whole(offline: Offline) -> None:
    response = await offline.post(change(str(uuid4()), None, put={"title": "x"}), epoch="zzzzzzzz")
    assert problem(response, 409, "epoch_changed")["field"] == "epoch"
    assert await total(offline) == 0


@pytest.mark.parametrize(("put", "field"), BAD_PUTS)
async def test_a_bad_change_stands_alone_among_good_ones(offline: Offline, put: dict[str, Any], field: str) -> None:
    good = [change(str(uuid4()), None, put={"title": str(n)}) for n in range(4)]
    bad = change(str(uuid4()), None, put=put)
    results = await offline.results(*good[:2], bad, *good[2:])
    assert [each["status"] for each in results] == ["applied", "applied", "rejected", "applied", "applied"]
    error = results[2]["error"]
    assert (results[2]["item"], error["status"], error["code"], error["field"]) == (None, 422, "invalid", field)
    assert {"type", "title", "detail"} <= error.keys()
    assert await total(offline) == 4


async def test_a_delete_needs_the_seq_of_what_it_deletes(offline: Offline) -> None:
    item = (await offline.assistant.save())["item"]
    status, _, error = await offline.one(item["id"], None, delete=True)
    assert (status, error["field"]) == ("rejected", "base_seq")
    assert await offline.now(item["id"]) == item


@pytest.mark.parametrize(("wrong", "field"), BAD_ENVELOPES)
async def test_a_wrong_envelope_is_refused_with_its_place(offline: Offline, wrong: dict[str, Any], field: str) -> None:
    response = await offline.post({**change(str(uuid4()), None, put={"title": "x"}), **wrong})
    assert problem(response, 422, "invalid")["field"] == field
    assert await total(offline) == 0


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "epoch"),
        ({"epoch": "x"}, "changes"),
        ({"epoch": 5, "changes": []}, "epoch"),
        ({"epoch": None, "changes": []}, "epoch"),
        ({"epoch": "x", "changes": {}}, "changes"),
        ({"epoch": "x", "changes": [5]}, "changes.0"),
        ({"epoch": "x", "changes": [], "device_id": "y"}, "device_id"),
    ],
)
async def test_a_wrong_batch_is_refused_with_its_field(
    live: Live, offline: Offline, body: dict[str, Any], field: str
) -> None:
    response = await live.http.post("/v1/changes", json=body, headers=offline.device.headers)
    assert problem(response, 422, "invalid")["field"] == field


async def test_writing_needs_its_scope(live: Live, offline: Offline) -> None:
    reader = await live.assistant(await live.person(), scopes=["items:read"])
    answer = await reader.call("POST", "/v1/changes", {"epoch": offline.epoch, "changes": []})
    problem(answer, 403, "insufficient_scope")


async def test_a_devices_changes_reach_the_other_devices(live: Live, offline: Offline) -> None:
    listener = await (await live.listen(offline.device)).until_ready()
    results = await offline.results(*(change(str(uuid4()), None, put={"title": str(n)}) for n in range(3)))
    await listener.until_seq(3)
    assert listener.items == [each["item"] for each in results]
