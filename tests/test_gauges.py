"""Streams and devices by state, as the hub has them."""

import pytest
from prometheus_client import REGISTRY

from app.gauges import Gauges
from app.store.database import Database
from tests.harness.people import Person
from tests.harness.room import open_room


def value(name: str, **labels: str) -> float | None:
    """What a scrape would find."""
    return REGISTRY.get_sample_value(f"starling_{name}", labels)


async def test_a_device_that_does_not_read_is_behind_by_what_it_misses(database: Database, person: Person) -> None:
    async with open_room(database) as room:
        gauges = Gauges(room.hub, room.committer, room.bus, {"read": database})
        laptop, phone = await person.device("laptop"), await person.device("phone")
        reading, slow, twin = [await (await room.sit(device)).live() for device in (laptop, phone, phone)]
        slow.stream.pause_writing()
        for _ in range(3):
            await room.put(person)
        await reading.until_seq(3)
        gauges.look()
        assert value("streams", state="live") == 2
        assert value("streams", state="behind") == 1
        assert value("streams", state="joining") == 0
        assert value("behind_changes") == 3
        assert value("devices", state="live") == 2
        assert value("devices", state="behind") == 0  # its other stream is live

        twin.stream.pause_writing()
        gauges.look()
        assert value("devices", state="live") == 1
        assert value("devices", state="behind") == 1
        twin.stream.cut("stalled")
        slow.stream.cut("stalled")
        gauges.look()
        assert value("devices", state="behind") == 0
        assert value("behind_changes") == 0


async def test_connections_in_use_are_told_from_those_that_may_be(database: Database, person: Person) -> None:
    async with open_room(database) as room:
        gauges = Gauges(room.hub, room.committer, room.bus, {"read": database})
        await room.clear()
        gauges.look()
        assert value("database_connections_used", pool="read") == 0
        async with database.transaction(person.feed_id):
            gauges.look()
        assert value("database_connections_used", pool="read") == 1
        assert value("database_connections_max", pool="read") == 10


async def test_what_waits_is_told(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    async with open_room(database) as room:
        monkeypatch.setattr(type(room.committer), "waiting", (7, 900))
        monkeypatch.setattr(type(room.bus), "waiting", 5)
        Gauges(room.hub, room.committer, room.bus, {}).look()
    assert value("commit_queue_changes") == 7
    assert value("commit_queue_bytes") == 900
    assert value("bus_queue_messages") == 5
