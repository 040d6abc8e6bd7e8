"""A prune past a cursor: the device is told, and in no first sync does it lead to a circle or hide a deletion."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from app.store import upkeep
from app.store.upkeep import Upkeep
from tests.harness.afresh import held_after, items, reconnected
from tests.harness.live import Live


async def pruned(live: Live) -> int:
    """Removes every tombstone."""
    return await Upkeep(live.starling.database, live.starling.committer, tombstone_age=timedelta(0)).prune()


@pytest.mark.case(10, "a prune passes a cursor")
async def test_a_prune_past_a_cursor_resets_the_device(live: Live) -> None:
    person = await live.person()
    assistant = await live.assistant(person)
    saved = [await assistant.save() for _ in range(3)]
    before = await live.listen(await person.device())
    await before.until_seq(3)
    await before.close()
    await assistant.call("DELETE", f"/actions/items/{saved[0]['item']['id']}")
    await assistant.save()
    assert await pruned(live) == 1
    back = await reconnected(live.url, before, 5)
    assert back.events[0].data == '{"reason":"cursor_pruned"}'
    assert len(held := held_after(before, back)) == 3
    assert held == await items(live.url, await person.token())


Page = dict[str, Any]


async def pages(live: Live, token: str, between: Callable[[int], Awaitable[None]]) -> tuple[dict[str, Any], list[Page]]:
    """Reads the feed from the beginning as a client does, two items a page, while something happens in between."""
    held: dict[str, Any] = {}
    read: list[Page] = []
    cursor: str | None = None
    while not read or read[-1]["has_more"]:
        assert len(read) < 40, "it goes round in circles"
        query = "/v1/changes?limit=2" + (f"&cursor={cursor}" if cursor else "")
        page = (await live.get(query, token)).json()
        if page["reset"]:
            held.clear()
        for item in page["items"]:
            held[item["id"]] = item
            if item["deleted"]:
                del held[item["id"]]
        cursor = page["cursor"]
        read.append(page)
        await between(len(read))
    return held, read


@pytest.mark.case(10, "a prune during a paged first sync")
@pytest.mark.parametrize("pruning", [True, False])
async def test_a_prune_between_pages_of_a_first_sync_leads_to_an_end_and_misses_no_deletion(
    live: Live, pruning: bool
) -> None:
    person = await live.person()
    assistant, token = await live.assistant(person), await person.token()
    saved = [(await assistant.save())["item"]["id"] for _ in range(10)]

    async def between(page: int) -> None:
        if page <= 3:  # one that was read already, one that was not
            for gone in (saved[2 * page - 2], saved[-page]):
                await assistant.call("DELETE", f"/actions/items/{gone}")
            if pruning:
                assert await pruned(live) > 0

    held, read = await pages(live, token, between)
    assert held == await items(live.url, token)
    assert len(held) == 4
    reasons = [page["reset"]["reason"] for page in read if page["reset"]]
    assert reasons == (["cursor_pruned"] * len(reasons) if pruning else [])
    assert bool(reasons) == pruning


async def test_a_prune_of_what_was_deleted_before_a_first_sync_began_resets_nobody(live: Live) -> None:
    person = await live.person()
    assistant, token = await live.assistant(person), await person.token()
    saved = [(await assistant.save())["item"]["id"] for _ in range(8)]
    for gone in saved[:3]:
        await assistant.call("DELETE", f"/actions/items/{gone}")

    async def between(_: int) -> None:
        await pruned(live)

    held, read = await pages(live, token, between)
    assert [page["reset"] for page in read if page["reset"]] == []
    assert held == await items(live.url, token)


@pytest.mark.control(10, "a prune without a floor")
async def test_control_without_a_floor_a_prune_hides_a_deletion(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    lowered = str(upkeep._PRUNE.text).replace("greatest(floor, told.highest)", "floor")
    monkeypatch.setattr(upkeep, "_PRUNE", text(lowered))
    person = await live.person()
    assistant, token = await live.assistant(person), await person.token()
    first = (await assistant.save())["item"]["id"]
    for _ in range(5):
        await assistant.save()

    async def between(page: int) -> None:
        if page == 1:
            await assistant.call("DELETE", f"/actions/items/{first}")
            assert await pruned(live) == 1

    held, _ = await pages(live, token, between)
    assert held != await items(live.url, token)


@pytest.mark.case(10, "a prune during a stream's first sync")
async def test_a_prune_during_a_streams_first_sync_leads_to_ready_and_misses_no_deletion(live: Live) -> None:
    person = await live.person()
    assistant, token = await live.assistant(person), await person.token()
    saved = [(await assistant.save(title=str(number), text="x" * 90_000))["item"]["id"] for number in range(60)]
    device = await live.listen(await person.device())
    await device.until_seq(1)
    device.pause()
    for gone in (saved[0], saved[-1], saved[30]):
        await assistant.call("DELETE", f"/actions/items/{gone}")
    assert await pruned(live) == 3
    device.resume()
    last = (await assistant.save())["item"]["seq"]
    await device.until_ready()
    await device.until_seq(last)
    assert device.state() == await items(live.url, token)
    assert device.names.count("reset") <= 1
