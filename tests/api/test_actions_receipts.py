"""Receipts: who has an item, who is getting it, who will; and waiting for them."""

import asyncio
from typing import Any
from uuid import uuid4

import pytest

from app.model import Origin
from app.store.fold import Change
from tests.harness.live import Live
from tests.harness.people import TestDevice
from tests.harness.problems import problem
from tests.harness.waiting import eventually


def described(device: TestDevice, kind: str = "desktop") -> dict[str, str]:
    return {"device_id": str(device.id), "name": device.name, "kind": kind}


async def acknowledge(live: Live, device: TestDevice, cursor: str | None) -> None:
    response = await live.http.post("/v1/ack", json={"cursor": cursor}, headers=device.headers)
    assert response.status_code == 204, response.text


async def test_every_device_stands_in_one_list(live: Live) -> None:
    person = await live.person()
    laptop, phone, tablet = [await person.device(name) for name in ("laptop", "phone", "tablet")]
    on_laptop, on_phone = await live.listen(laptop), await live.listen(phone)
    await on_laptop.until_ready()
    await on_phone.until_ready()
    assistant = await live.assistant(person)

    saved = await assistant.save(title="x")
    expected: dict[str, Any] = {
        "acknowledged": [],
        "live": [described(laptop), described(phone)],
        "pending": [described(tablet)],
    }
    assert saved["delivery"] == expected

    await on_laptop.until_seq(1)
    await acknowledge(live, laptop, on_laptop.cursor)
    expected |= {"acknowledged": [described(laptop)], "live": [described(phone)]}
    path = f"/actions/items/{saved['item']['id']}/delivery"
    delivery = await assistant.call("GET", path)
    assert (delivery.status_code, delivery.json()["delivery"]) == (200, expected)

    await on_phone.close()

    async def phone_is_gone() -> bool:
        return bool((await assistant.call("GET", path)).json()["delivery"]["live"] == [])

    await eventually(phone_is_gone)
    expected |= {"live": [], "pending": [described(phone), described(tablet)]}
    assert (await assistant.call("GET", path)).json()["delivery"] == expected
    assert (await assistant.save(title="x")) == {**saved, "delivery": expected, "duplicate": True}


async def test_a_change_has_receipts_of_its_own(live: Live) -> None:
    person = await live.person()
    device = await person.device()
    listener = await (await live.listen(device)).until_ready()
    assistant = await live.assistant(person)
    item = (await assistant.save(title="x"))["item"]
    await listener.until_seq(1)
    await acknowledge(live, device, listener.cursor)

    for method, body in (("PATCH", {"title": "y"}), ("DELETE", None)):
        changed = (await assistant.call(method, f"/actions/items/{item['id']}", body)).json()
        assert changed["delivery"] == {"acknowledged": [], "live": [described(device)], "pending": []}


async def test_devices_outside_the_audience_are_in_no_list(live: Live) -> None:
    person = await live.person()
    laptop, phone = await person.device("laptop"), await person.device("phone")
    outcome = await live.starling.committer.submit(
        Change(
            person.feed_id,
            uuid4(),
            "put",
            "create",
            Origin("action", "chatgpt"),
            values={"title": "for the phone"},
            audience=(phone.id,),
        )
    )
    assistant = await live.assistant(person)
    delivery = (await assistant.call("GET", f"/actions/items/{outcome.item_id}/delivery")).json()["delivery"]
    assert delivery == {"acknowledged": [], "live": [], "pending": [described(phone)]}
    assert (await assistant.call("GET", f"/v1/items/{outcome.item_id}")).json()["audience"] == [str(phone.id)]
    assert (await live.get(f"/v1/items/{outcome.item_id}", phone.token)).status_code == 200
    problem(await live.get(f"/v1/items/{outcome.item_id}", laptop.token), 404, "not_found")


@pytest.mark.parametrize("method", ["POST", "PATCH", "DELETE"])
async def test_waiting_ends_when_every_live_device_has_acknowledged(live: Live, method: str) -> None:
    person = await live.person()
    devices = [await person.device(name) for name in ("laptop", "phone")]
    away = await person.device("away")
    listeners = [await (await live.listen(device)).until_ready() for device in devices]
    assistant = await live.assistant(person)
    path, seq = "/actions/items", 1
    if method != "POST":
        path, seq = f"{path}/{(await assistant.save(title='x'))['item']['id']}", 2

    if method == "DELETE":
        call = assistant.call(method, path, params={"wait_for_delivery": 5})
    else:
        call = assistant.call(method, path, {"title": "y", "wait_for_delivery": 5})
    waiting = asyncio.create_task(call)
    await listeners[0].until_seq(seq)
    await acknowledge(live, devices[0], listeners[0].cursor)
    assert not waiting.done()
    await listeners[1].until_seq(seq)
    await acknowledge(live, devices[1], listeners[1].cursor)

    assert (await waiting).json()["delivery"] == {
        "acknowledged": [described(device) for device in devices],
        "live": [],
        "pending": [described(away)],
    }


async def test_waiting_ends_with_its_time_or_with_the_devices(live: Live) -> None:
    person = await live.person()
    device = await person.device()
    assistant = await live.assistant(person)
    nobody = await assistant.save(title="x", wait_for_delivery=5)
    assert nobody["delivery"]["pending"] == [described(device)]

    listener = await (await live.listen(device)).until_ready()
    silent = await assistant.save(title="y", wait_for_delivery=0.2)
    assert silent["delivery"]["live"] == [described(device)]

    waiting = asyncio.create_task(assistant.save(title="z", wait_for_delivery=5))
    await listener.until_seq(3)
    await listener.close()
    assert (await waiting)["delivery"]["pending"] == [described(device)]


@pytest.mark.parametrize("seconds", ["5.1", "-1", "nan", "inf", "x", ""])
async def test_a_wait_out_of_range_is_refused_in_a_query(live: Live, seconds: str) -> None:
    assistant = await live.assistant(await live.person())
    item = (await assistant.save(title="x"))["item"]
    path = f"/actions/items/{item['id']}?wait_for_delivery={seconds}"
    assert problem(await assistant.call("DELETE", path), 422, "invalid")["field"] == "wait_for_delivery"
    assert (await assistant.call("GET", f"/actions/items/{item['id']}")).json() == item
