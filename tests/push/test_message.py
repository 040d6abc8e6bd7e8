"""What a push says."""

from typing import Any
from uuid import uuid4

import msgspec
import pytest

from app.push.envelope import MAX_BYTES
from app.push.message import LONGEST_S, Notice, notice_of

ITEM = {"kind": "notification", "title": "Hot oven", "status": "unread", "deleted": False, "data": {}}


def notice(**fields: Any) -> Notice | None:
    return notice_of(msgspec.json.encode({"id": uuid4(), "seq": 7, **ITEM, **fields}))


def told(**fields: Any) -> Notice:
    found = notice(**fields)
    assert found is not None
    return found


def test_only_notifications_and_tombstones_count() -> None:
    assert notice(kind="note") is None
    assert notice(kind="note", data={"kind": "notification"}) is None
    assert notice_of(msgspec.json.encode({"id": uuid4(), "seq": 7, "audience": None, "deleted": True})) is not None


@pytest.mark.parametrize("fields", [{"status": "read"}, {"status": "archived"}, {"deleted": True}])
def test_what_was_seen_to_is_withdrawn(fields: dict[str, Any]) -> None:
    found = told(**fields)
    assert msgspec.json.decode(found.body()) == {"type": "withdrawn", "id": str(found.id), "seq": 7}


@pytest.mark.parametrize("character", ["x", "ä", "鳥", "🐦", "\1", '"'])
def test_the_longest_fits(character: str) -> None:
    found = told(title=character * 500, text=character * 100_000, url="https://example.com/" + "x" * 8000)
    assert len(found.body()) <= MAX_BYTES
    said = msgspec.json.decode(found.body())
    assert said["title"] == character * 200
    assert said["url"] is None


def test_urgency_life_and_topic() -> None:
    found = told(data={"notification": {"priority": "high"}}, expires_at="2030-01-01T00:01:00Z")
    headers = found.headers(1893456000.0)  # 2030-01-01T00:00:00Z
    assert (headers["ttl"], headers["urgency"], len(headers["topic"])) == ("60", "high", 22)
    assert found.headers(1893456000.0 + 90)["ttl"] == "0"
    assert told().headers(0)["ttl"] == str(LONGEST_S)
    for strange in ({"notification": 1}, {"notification": {"priority": "loud"}}, {"other": 1}):
        assert told(data=strange).priority == "normal"
