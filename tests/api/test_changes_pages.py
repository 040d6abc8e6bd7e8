"""GET /v1/changes: the feed as pages, cursors and resets, and the long poll."""

import asyncio
import re
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import text

from app.model import Origin
from app.store.fold import Change
from tests.harness.live import Live
from tests.harness.people import Assistant, Person
from tests.harness.problems import problem


class Reader:
    """Reads the feed as a client does that keeps the cursor as it came."""

    def __init__(self, live: Live, token: str) -> None:
        self.live, self.token = live, token
        self.cursor: str | None = None
        self.items: list[dict[str, Any]] = []

    async def page(self, **query: Any) -> dict[str, Any]:
        """The next page."""
        wanted = query if self.cursor is None else {"cursor": self.cursor, **query}
        response = await self.live.http.get(
            "/v1/changes", params=wanted, headers={"authorization": f"Bearer {self.token}"}
        )
        assert response.status_code == 200, response.text
        page: dict[str, Any] = response.json()
        assert list(page) == ["items", "cursor", "has_more", "reset"]
        self.cursor = page["cursor"]
        self.items += page["items"]
        return page


@pytest.fixture
async def person(live: Live) -> Person:
    return await live.person()


@pytest.fixture
async def assistant(live: Live, person: Person) -> Assistant:
    return await live.assistant(person)


@pytest.fixture
async def reader(live: Live, person: Person) -> Reader:
    return Reader(live, (await person.device()).token)


async def test_an_empty_feed_is_one_empty_page(reader: Reader) -> None:
    page = await reader.page()
    assert (page["items"], page["has_more"], page["reset"]) == ([], False, None)
    assert re.fullmatch(r"[a-z0-9]{8}\.0", page["cursor"])


async def test_pages_carry_the_base_until_the_first_sync_is_over(assistant: Assistant, reader: Reader) -> None:
    saved = [(await assistant.save())["item"] for _ in range(5)]
    first = await reader.page(limit=2)
    epoch = first["cursor"].partition(".")[0]
    assert first["items"] == saved[:2]
    assert (first["cursor"], first["has_more"]) == (f"{epoch}.2.5", True)

    late = (await assistant.save())["item"]
    second, third = await reader.page(limit=2), await reader.page(limit=2)
    assert (second["cursor"], second["has_more"]) == (f"{epoch}.4.5", True)
    assert (third["cursor"], third["has_more"]) == (f"{epoch}.6", False)
    assert reader.items == [*saved, late]


@pytest.mark.parametrize(("query", "size"), [({}, 200), ({"limit": 1}, 1), ({"limit": 1000}, 250)])
async def test_a_page_holds_up_to_its_limit(
    assistant: Assistant, reader: Reader, query: dict[str, int], size: int
) -> None:
    await asyncio.gather(*(assistant.save() for _ in range(250)))
    page = await reader.page(**query)
    assert len(page["items"]) == size
    assert page["has_more"] is (size < 250)


async def test_a_page_ends_at_one_mebibyte_but_holds_one_item(assistant: Assistant, reader: Reader) -> None:
    for n in range(4):
        await assistant.save(title=str(n), text="\U0001f426" * 100_000)
    sizes = []
    while (page := await reader.page())["has_more"]:
        sizes.append(len(page["items"]))
    assert all(1 <= size <= 3 for size in sizes)
    assert [item["title"] for item in reader.items] == ["0", "1", "2", "3"]


@pytest.mark.parametrize(
    "query",
    [
        ("limit", "0"),
        ("limit", "1001"),
        ("limit", "-1"),
        ("limit", "x"),
        ("wait", "-1"),
        ("wait", "30.1"),
        ("wait", "nan"),
    ],
)
async def test_a_limit_or_wait_out_of_range_is_refused(live: Live, reader: Reader, query: tuple[str, str]) -> None:
    response = await live.get(f"/v1/changes?{query[0]}={query[1]}", reader.token)
    assert problem(response, 422, "invalid")["field"] == query[0]


@pytest.mark.parametrize(
    ("cursor", "reason"),
    [
        ("zzzzzzzz.1", "epoch_changed"),
        ("{epoch}.4", "cursor_ahead"),
        ("{epoch}.1.4", "cursor_ahead"),
        ("{epoch}.9223372036854775807", "cursor_ahead"),
        ("{epoch}.9223372036854775808", "cursor_ahead"),
        ("{epoch}.9999999999999999999", "cursor_ahead"),
        ("{epoch}.99999999999999999999", "cursor_invalid"),
        ("{epoch}.-1", "cursor_invalid"),
        ("{epoch}.1.", "cursor_invalid"),
        ("{epoch}", "cursor_invalid"),
        ("{epoch}.1\u0661", "cursor_invalid"),
        ("now", "cursor_invalid"),
        ("\0", "cursor_invalid"),
        ("x" * 5000, "cursor_invalid"),
    ],
)
async def test_a_cursor_that_cannot_be_honoured_starts_anew(
    assistant: Assistant, reader: Reader, cursor: str, reason: str
) -> None:
    for _ in range(3):
        await assistant.save()
    epoch = (await Reader(reader.live, reader.token).page())["cursor"].partition(".")[0]
    reader.cursor = cursor.format(epoch=epoch)
    page = await reader.page(limit=2, wait=30)
    assert page["reset"] == {"reason": reason}
    assert [item["seq"] for item in page["items"]] == [1, 2]
    assert page["cursor"] == f"{epoch}.2.3"
    assert (await reader.page())["reset"] is None


async def test_a_pruned_cursor_is_reset_and_a_first_sync_is_not(
    live: Live, assistant: Assistant, reader: Reader
) -> None:
    items = [(await assistant.save())["item"] for _ in range(3)]
    await reader.page()
    syncing = Reader(live, reader.token)
    await assistant.call("DELETE", f"/actions/items/{items[2]['id']}")
    await syncing.page(limit=1)
    live.starling.upkeep._age *= 0
    await live.starling.upkeep.run_once()

    assert (await reader.page())["reset"] == {"reason": "cursor_pruned"}
    rest = await syncing.page()
    assert rest["reset"] is None
    assert [item["seq"] for item in syncing.items] == [1, 2]


async def test_a_device_pages_past_what_is_not_for_it(live: Live, person: Person, reader: Reader) -> None:
    other = await person.device("other")
    for audience in [(other.id,), None, (other.id,), (other.id,)]:
        await live.starling.committer.submit(
            Change(person.feed_id, uuid4(), "put", "create", Origin("action", "chatgpt"), audience=audience)
        )
    page = await reader.page(limit=1)
    assert [item["seq"] for item in page["items"]] == [2]
    everything = Reader(live, await person.token())
    await everything.page()
    assert [item["seq"] for item in everything.items] == [1, 2, 3, 4]
    last = await reader.page(limit=1)
    assert (last["items"], last["has_more"], last["cursor"]) == ([], False, everything.cursor)


async def test_a_long_poll_returns_with_the_change(assistant: Assistant, reader: Reader) -> None:
    await reader.page()
    waiting = [asyncio.create_task(reader.page(wait=30)) for _ in range(3)]
    item = (await assistant.save())["item"]
    async with asyncio.timeout(15):
        assert [page["items"] for page in await asyncio.gather(*waiting)] == [[item]] * 3


async def test_a_long_poll_ends_empty_with_its_time(assistant: Assistant, reader: Reader) -> None:
    await assistant.save()
    before = await reader.page()
    page = await reader.page(wait=0.2)
    assert (page["items"], page["cursor"], page["has_more"]) == ([], before["cursor"], False)


async def test_a_long_poll_goes_on_past_what_is_not_for_the_device(
    live: Live, person: Person, assistant: Assistant, reader: Reader
) -> None:
    other = await person.device("other")
    await reader.page()
    waiting = asyncio.create_task(reader.page(wait=30))
    await live.starling.committer.submit(
        Change(person.feed_id, uuid4(), "put", "create", Origin("action", "x"), audience=(other.id,))
    )
    await assistant.save(title="for all")
    async with asyncio.timeout(15):
        assert [item["title"] for item in (await waiting)["items"]] == ["for all"]


async def test_a_long_poll_tells_that_history_changed(live: Live, assistant: Assistant, reader: Reader) -> None:
    await assistant.save()
    await reader.page()
    waiting = asyncio.create_task(reader.page(wait=30))
    async with live.starling.database.engine.begin() as connection:
        await connection.execute(text("update feeds set epoch = 'newepoch'"))
    await assistant.save()
    async with asyncio.timeout(15):
        page = await waiting
    assert page["reset"] == {"reason": "epoch_changed"}
    assert [item["seq"] for item in page["items"]] == [1, 2]


async def test_reading_needs_its_scope(live: Live, person: Person) -> None:
    writer = await live.assistant(person, scopes=["items:write"])
    problem(await writer.call("GET", "/v1/changes"), 403, "insufficient_scope")
