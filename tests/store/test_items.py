"""Reading items: one, and what a search finds."""

from typing import Any
from uuid import UUID, uuid4

import msgspec
import pytest

from app.errors import NotFound
from app.store.commit import Committer
from app.store.database import Database
from app.store.items import Items, Query
from tests.harness.people import Person
from tests.store.making import delete, put

DEVICE, OTHER = uuid4(), uuid4()
STORED: list[dict[str, Any]] = [
    {"title": "Milk and bread", "tags": ["shop"], "collection": "home"},
    {"title": "Bread recipe", "text": "flour, water, salt", "kind": "link", "url": "https://bakery.example/sourdough"},
    {"title": "Straße", "text": "naïve café", "status": "done"},
    {"title": "牛乳", "status": "read", "collection": "home"},
    {"title": "private", "audience": (DEVICE,)},
]


@pytest.fixture
def items(database: Database) -> Items:
    return Items(database)


@pytest.fixture
async def stored(committer: Committer, feed_id: UUID) -> UUID:
    gone = uuid4()
    changes = [put(feed_id, **values) for values in STORED]
    await committer.submit_all([put(feed_id, gone, title="Milk gone"), *changes, delete(feed_id, gone)])
    return feed_id


def titles(wires: list[bytes]) -> list[str]:
    return [msgspec.json.decode(wire)["title"] for wire in wires]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (Query(), ["private", "牛乳", "Straße", "Bread recipe", "Milk and bread"]),
        (Query(q="milk"), ["Milk and bread"]),
        (Query(q="BREAD"), ["Bread recipe", "Milk and bread"]),
        (Query(q="bread -milk"), ["Bread recipe"]),
        (Query(q="milk or salt"), ["Bread recipe", "Milk and bread"]),
        (Query(q='"bread recipe"'), ["Bread recipe"]),
        (Query(q='"recipe bread"'), []),
        (Query(q="shop"), ["Milk and bread"]),
        (Query(q="bakery.example"), ["Bread recipe"]),
        (Query(q="café"), ["Straße"]),
        (Query(q="牛乳"), ["牛乳"]),
        (Query(q=""), ["private", "牛乳", "Straße", "Bread recipe", "Milk and bread"]),
        (Query(q="'); drop table items; --"), []),
        (Query(q='"unclosed'), []),
        (Query(kind="link"), ["Bread recipe"]),
        (Query(collection="home"), ["牛乳", "Milk and bread"]),
        (Query(collection="home", status="read"), ["牛乳"]),
        (Query(status="archived"), []),
    ],
)
async def test_a_search_finds_what_matches_newest_first(
    items: Items, stored: UUID, query: Query, expected: list[str]
) -> None:
    found = await items.find(stored, query)
    assert (titles(found.wires), found.total) == (expected, len(expected))


async def test_pages_together_are_all_that_was_found(items: Items, stored: UUID) -> None:
    pages = [await items.find(stored, Query(limit=2, page=page)) for page in (1, 2, 3, 4)]
    assert [len(page.wires) for page in pages] == [2, 2, 1, 0]
    assert {(page.total, page.total_pages) for page in pages} == {(5, 3)}
    assert [page.page for page in pages] == [1, 2, 3, 4]
    joined = [title for page in pages for title in titles(page.wires)]
    assert joined == titles((await items.find(stored, Query())).wires)


async def test_a_device_finds_only_what_is_for_it(items: Items, stored: UUID) -> None:
    assert (await items.find(stored, Query(q="private"), device_id=DEVICE)).total == 1
    assert (await items.find(stored, Query(q="private"), device_id=OTHER)).total == 0
    assert (await items.find(stored, Query(), device_id=OTHER)).total == 4


async def test_one_item_is_read_as_it_was_answered(items: Items, committer: Committer, feed_id: UUID) -> None:
    outcome = await committer.submit(put(feed_id, title="a", audience=(DEVICE,)))
    place = await items.get(feed_id, outcome.item_id)
    assert (place.wire, place.seq, place.audience) == (outcome.wire, 1, frozenset({DEVICE}))
    assert await items.get(feed_id, outcome.item_id, device_id=DEVICE) == place
    with pytest.raises(NotFound):
        await items.get(feed_id, outcome.item_id, device_id=OTHER)


async def test_a_deleted_a_foreign_and_an_unknown_item_are_equally_not_found(
    items: Items, committer: Committer, database: Database, feed_id: UUID
) -> None:
    foreign = (await Person.make(database)).feed_id
    gone, theirs = uuid4(), uuid4()
    await committer.submit_all([put(feed_id, gone), delete(feed_id, gone), put(foreign, theirs)])
    for item in (gone, theirs, uuid4()):
        with pytest.raises(NotFound):
            await items.get(feed_id, item)
    assert (await items.find(feed_id, Query())).total == 0
