"""Notifications: whom they are for, repeats, and reading one away."""

from typing import Any
from uuid import uuid4

import pytest

from tests.harness.live import Live
from tests.harness.people import Person, TestDevice
from tests.harness.problems import problem

PATH = "/actions/notifications"


@pytest.fixture
async def person(live: Live) -> Person:
    return await live.person()


@pytest.fixture
async def devices(person: Person) -> list[TestDevice]:
    kinds = {"Laptop": "desktop", "Phone": "mobile", "Tablet": "mobile"}
    return [await person.device(name, kind) for name, kind in kinds.items()]


async def notify(live: Live, person: Person, **body: Any) -> Any:
    return await (await live.assistant(person)).call("POST", PATH, {"title": "Hot oven", **body})


async def test_all_devices_are_meant_unless_some_are_named(
    live: Live, person: Person, devices: list[TestDevice]
) -> None:
    laptop, phone, tablet = devices
    answer = await notify(live, person, text="Now", url="https://example.com/", priority="high")
    assert answer.status_code == 201, answer.text
    item = answer.json()["item"]
    assert (item["kind"], item["audience"], item["status"]) == ("notification", None, "unread")
    assert (item["title"], item["text"], item["url"]) == ("Hot oven", "Now", "https://example.com/")
    assert item["data"] == {"notification": {"priority": "high"}}
    assert len(answer.json()["delivery"]["pending"]) == 3
    for chosen, expected in (
        ({"devices": ["phone", str(laptop.id)]}, {phone.id, laptop.id}),
        ({"device_kind": "mobile"}, {phone.id, tablet.id}),
    ):
        answer = await notify(live, person, **chosen)
        assert set(answer.json()["item"]["audience"]) == {str(each) for each in expected}, chosen
        assert {each["device_id"] for each in answer.json()["delivery"]["pending"]} == {str(e) for e in expected}


async def test_it_reaches_only_its_audience(live: Live, person: Person, devices: list[TestDevice]) -> None:
    laptop, phone, _ = devices
    at_laptop, at_phone = [await (await live.listen(device)).until_ready() for device in (laptop, phone)]
    await notify(live, person, devices=["Phone"])
    await notify(live, person, title="For all")
    await at_laptop.until_seq(2)
    await at_phone.until_seq(2)
    assert [item["title"] for item in at_laptop.items] == ["For all"]
    assert [item["title"] for item in at_phone.items] == ["Hot oven", "For all"]


async def test_a_repeat_has_no_second_effect(live: Live, person: Person, devices: list[TestDevice]) -> None:
    first = await notify(live, person, request_id="oven", devices=["Phone"])
    again = await notify(live, person, request_id="oven", devices=["Phone"])
    assert (again.status_code, again.json()["duplicate"]) == (200, True)
    assert again.json()["item"] == first.json()["item"]
    problem(await notify(live, person, request_id="oven", title="Other"), 409, "request_id_reused")
    unnamed = [await notify(live, person) for _ in range(2)]
    assert [each.status_code for each in unnamed] == [201, 200]
    saved = await (await live.assistant(person)).call("POST", "/actions/items", {"title": "Hot oven"})
    assert saved.json()["item"]["kind"] == "note"


@pytest.mark.parametrize(
    ("body", "field", "allowed"),
    [
        ({"devices": ["Fridge"]}, "devices", ["Laptop", "Phone", "Tablet"]),
        ({"devices": [str(uuid4())]}, "devices", ["Laptop", "Phone", "Tablet"]),
        ({"device_kind": "browser"}, "device_kind", ["desktop", "mobile"]),
        ({"devices": ["Phone"], "device_kind": "mobile"}, "device_kind", None),
        ({"devices": []}, "devices", None),
        ({"priority": "urgent"}, "priority", ["low", "normal", "high"]),
        ({"title": ""}, "title", None),
        ({"title": None}, "title", None),
    ],
)
async def test_what_is_refused(
    live: Live, person: Person, devices: list[TestDevice], body: dict[str, Any], field: str, allowed: Any
) -> None:
    refusal = problem(await notify(live, person, **body), 422)
    assert refusal["field"] == field
    assert allowed is None or refusal["allowed"] == allowed


async def test_a_stranger_s_device_cannot_be_named(live: Live, person: Person) -> None:
    stranger = await (await live.person()).device("Phone")
    for name in ("Phone", str(stranger.id)):
        problem(await notify(live, person, devices=[name]), 422)


async def test_what_is_read_on_one_device_is_read_on_all(live: Live, person: Person, devices: list[TestDevice]) -> None:
    laptop, phone, _ = devices
    streams = [await (await live.listen(device)).until_ready() for device in (laptop, phone)]
    item = (await notify(live, person)).json()["item"]
    epoch = (await live.get("/v1/me", phone.token)).json()["feed"]["epoch"]
    change = {"change_id": str(uuid4()), "id": item["id"], "base_seq": item["seq"], "put": {"status": "read"}}
    body = {"epoch": epoch, "changes": [change]}
    done = await live.http.post("/v1/changes", json=body, headers=phone.headers)
    assert done.json()["results"][0]["status"] == "applied", done.text
    for stream in streams:
        await stream.until_seq(2)
        assert stream.items[-1]["status"] == "read"


async def test_it_needs_the_scope(live: Live, person: Person) -> None:
    reader = await live.assistant(person, scopes=["items:read"])
    problem(await reader.call("POST", PATH, {"title": "Hot oven"}), 403, "insufficient_scope")
