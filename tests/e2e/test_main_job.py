"""The main job: what an action saves is on every device at once, and a device that was away catches up."""

import asyncio

import pytest

from tests.harness.live import Live


async def test_a_saved_item_reaches_every_device_of_its_user_and_nobody_else(live: Live) -> None:
    person, other = await live.person(), await live.person()
    devices = [await live.listen(await person.device(name)) for name in ("laptop", "phone", "browser")]
    foreign = await live.listen(await other.device())
    for device in [*devices, foreign]:
        await device.until_ready()

    saved = await (await live.assistant(person)).save(title="Milk", text="2 l", tags=["shop"])

    for device in devices:
        await device.until_seq(1)
        assert device.items == [saved["item"]]
    assert {each["name"] for each in saved["delivery"]["live"]} == {"laptop", "phone", "browser"}
    await (await live.assistant(other)).save(title="Bread")
    await foreign.until_seq(1)
    assert [item["title"] for item in foreign.items] == ["Bread"]


@pytest.mark.parametrize("is_followed", [True, False], ids=["from the tail", "from the store"])
async def test_a_device_that_was_away_gets_each_changed_item_once_in_its_newest_state(
    live: Live, *, is_followed: bool
) -> None:
    person = await live.person()
    assistant = await live.assistant(person)
    if is_followed:
        await (await live.listen(await person.device("laptop"))).until_ready()
    phone = await person.device("phone")
    first = await live.listen(phone)
    await first.until_ready()
    kept, gone = await assistant.save(title="kept"), await assistant.save(title="gone")
    await first.until_seq(2)
    await first.close()

    for _ in range(5):
        await assistant.save()
    await assistant.call("PATCH", f"/actions/items/{kept['item']['id']}", {"title": "changed"})
    await assistant.call("DELETE", f"/actions/items/{gone['item']['id']}")

    back = await live.listen(phone, cursor=first.cursor)
    await back.until_ready()
    assert back.seqs == [3, 4, 5, 6, 7, 8, 9]
    assert back.items[-2]["title"] == "changed"
    assert back.items[-1] == {"id": gone["item"]["id"], "seq": 9, "audience": None, "deleted": True}
    assert "reset" not in back.names


async def test_the_order_of_events_at_the_start_of_a_stream(live: Live) -> None:
    person = await live.person()
    await (await live.assistant(person)).save(title="one")
    device = await live.listen(await person.device())
    await device.until_ready()

    assert device.raw.startswith(b": ")
    assert device.names == ["hello", "item", "ready"]
    hello = device.events[0]
    assert hello.retry is not None
    assert 1500 <= hello.retry <= 4500
    assert device.headers["content-type"].startswith("text/event-stream")
    assert device.headers["cache-control"] == "no-store, no-transform"
    assert device.headers["x-accel-buffering"] == "no"
    assert device.headers["access-control-allow-origin"] == "*"


async def test_many_writers_and_devices_see_one_order(live: Live) -> None:
    person = await live.person()
    assistants = [await live.assistant(person) for _ in range(8)]
    devices = [await live.listen(await person.device(f"device {n}")) for n in range(3)]
    for device in devices:
        await device.until_ready()
    await asyncio.gather(*(assistant.save() for assistant in assistants for _ in range(25)))
    for device in devices:
        await device.until_seq(200)
        assert device.seqs == list(range(1, 201))
        assert device.items == devices[0].items
