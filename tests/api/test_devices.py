"""Devices: listed, renamed, revoked; by themselves and by those who may manage them."""

from typing import Any
from uuid import uuid4

import pytest

from app.model import Scope
from tests.harness.live import Live
from tests.harness.people import Person
from tests.harness.problems import problem
from tests.harness.waiting import eventually

KEYS = ["id", "name", "kind", "online", "last_seen", "acked_seq", "created_at"]
MANAGER = (Scope.ITEMS_READ, Scope.DEVICES_MANAGE)


@pytest.fixture
async def person(live: Live) -> Person:
    return await live.person()


async def listed(live: Live, token: str) -> list[dict[str, Any]]:
    response = await live.get("/v1/devices", token)
    assert response.status_code == 200
    assert list(response.json()) == ["devices"]
    devices: list[dict[str, Any]] = response.json()["devices"]
    assert all(list(device) == KEYS for device in devices)
    return devices


async def test_devices_are_listed_oldest_first(live: Live, person: Person) -> None:
    made = [await person.device(name, kind) for name, kind in (("b", "browser"), ("a", "mobile"), ("c", "cli"))]
    devices = await listed(live, await person.token())
    assert [(each["id"], each["name"]) for each in devices] == [(str(each.id), each.name) for each in made]
    assert [each["kind"] for each in devices] == ["browser", "mobile", "cli"]
    assert all((each["online"], each["last_seen"], each["acked_seq"]) == (False, None, 0) for each in devices)


async def test_a_device_is_online_while_it_has_a_stream_and_was_last_seen_then(live: Live, person: Person) -> None:
    device = await person.device()
    listener = await (await live.listen(device)).until_ready()
    (online,) = await listed(live, device.token)
    assert online["online"] is True
    await listener.close()

    async def offline() -> bool:
        (found,) = await listed(live, device.token)
        return not found["online"] and found["last_seen"] is not None

    await eventually(offline)


async def test_a_device_renames_itself_and_nothing_else(live: Live, person: Person) -> None:
    device, other = await person.device("old"), await person.device("other")
    renamed = await live.http.patch(f"/v1/devices/{device.id}", json={"name": "néw \U0001f426"}, headers=device.headers)
    assert renamed.status_code == 200
    assert list(renamed.json()) == KEYS
    assert renamed.json() == (await listed(live, device.token))[0]
    assert renamed.json()["name"] == "néw \U0001f426"

    refused = await live.http.patch(f"/v1/devices/{other.id}", json={"name": "mine"}, headers=device.headers)
    assert problem(refused, 403, "insufficient_scope")["scope"] == "devices:manage"
    assert (await listed(live, device.token))[1]["name"] == "other"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "x" * 101}, "name"),
        ({"name": "a\0"}, "name"),
        ({"name": None}, "name"),
        ({"name": 5}, "name"),
        ({}, "name"),
        ({"name": "x", "kind": "cli"}, "kind"),
    ],
)
async def test_a_wrong_name_is_refused(live: Live, person: Person, body: dict[str, Any], field: str) -> None:
    device = await person.device("kept")
    response = await live.http.patch(f"/v1/devices/{device.id}", json=body, headers=device.headers)
    assert problem(response, 422, "invalid")["field"] == field
    assert (await listed(live, device.token))[0]["name"] == "kept"


async def test_who_may_manage_devices_renames_and_revokes_others(live: Live, person: Person) -> None:
    device = await person.device("old")
    manager = await live.assistant(person, scopes=MANAGER)
    response = await manager.call("PATCH", f"/v1/devices/{device.id}", {"name": "new"})
    assert (response.status_code, response.json()["name"]) == (200, "new")
    response = await manager.call("DELETE", f"/v1/devices/{device.id}")
    assert (response.status_code, response.content) == (204, b"")
    problem(await manager.call("DELETE", f"/v1/devices/{device.id}"), 404, "not_found")
    problem(await manager.call("PATCH", f"/v1/devices/{device.id}", {"name": "new"}), 404, "not_found")
    assert (await manager.call("GET", "/v1/devices")).json() == {"devices": []}


async def test_others_may_not_revoke(live: Live, person: Person) -> None:
    device, other = await person.device(), await person.device()
    for token in (other.token, await person.token()):
        response = await live.http.delete(f"/v1/devices/{device.id}", headers={"authorization": f"Bearer {token}"})
        problem(response, 403, "insufficient_scope")
    problem(await live.http.delete(f"/v1/devices/{uuid4()}", headers=other.headers), 403, "insufficient_scope")
    assert len(await listed(live, device.token)) == 2


async def test_a_revoked_device_is_cut_and_locked_out_and_the_others_are_not(live: Live, person: Person) -> None:
    device, other = await person.device("gone"), await person.device("stays")
    streams = [await (await live.listen(device)).until_ready() for _ in range(2)]
    staying = await (await live.listen(other)).until_ready()
    ticket = (await live.http.post("/v1/stream/tickets", headers=device.headers)).json()["ticket"]

    assert (await live.http.delete(f"/v1/devices/{device.id}", headers=device.headers)).status_code == 204

    for stream in streams:
        await stream.until_end()
        assert stream.events[-1].name == "revoked"
        assert stream.events[-1].data == "{}"
    problem(await live.get("/v1/me", device.token), 401, "unauthorized")
    problem(await live.http.get(f"/v1/stream?ticket={ticket}"), 401, "unauthorized")
    assert (await live.listen(device)).status == 401
    saved = await (await live.assistant(person)).save(title="after")
    await staying.until_seq(1)
    assert staying.items == [saved["item"]]
    assert all(stream.items == [] for stream in streams)
    assert [each["name"] for each in saved["delivery"]["live"]] == ["stays"]


async def test_the_list_needs_its_scope(live: Live, person: Person) -> None:
    problem(await live.get("/v1/devices", await person.token(scopes=[Scope.STREAM])), 403, "insufficient_scope")
