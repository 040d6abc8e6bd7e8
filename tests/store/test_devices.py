"""Devices: names, acknowledgements, revocation."""

import asyncio
from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from app.auth.tokens import digest
from app.errors import NotFound
from app.store.database import Database
from app.store.devices import Devices
from app.store.grants import Grants
from app.store.lineage import rename_histories
from tests.harness.people import Person, TestDevice
from tests.store.conftest import Sql


@pytest.fixture
def devices(database: Database) -> Devices:
    return Devices(database)


@pytest.fixture
async def phone(person: Person) -> TestDevice:
    return await person.device("phone", "mobile")


async def acked(devices: Devices, feed_id: UUID) -> list[int]:
    return [device.acked_seq for device in await devices.of(feed_id)]


async def epoch_of(sql: Sql) -> str:
    return str((await sql("select epoch from feeds"))[0].epoch)


async def test_devices_are_listed_oldest_first_and_each_feeds_own(devices: Devices, person: Person) -> None:
    for name in ("laptop", "phone", "tablet"):
        await person.device(name)
    other = await Person.make(person.database)
    await other.device("theirs")
    mine, theirs, nobodys = await asyncio.gather(
        *(devices.of(feed) for feed in (person.feed_id, other.feed_id, uuid4()))
    )
    assert [device.name for device in mine] == ["laptop", "phone", "tablet"]
    assert ([device.name for device in theirs], nobodys) == (["theirs"], [])


async def test_a_device_is_renamed(devices: Devices, person: Person, phone: TestDevice) -> None:
    renamed = await devices.rename(person.feed_id, phone.id, "new")
    assert (renamed.id, renamed.name, renamed.kind) == (phone.id, "new", "mobile")
    assert await devices.of(person.feed_id) == [renamed]


async def test_an_acknowledgement_never_goes_back(
    devices: Devices, person: Person, phone: TestDevice, sql: Sql
) -> None:
    epoch = await epoch_of(sql)
    for seq, expected in ((5, 5), (3, 5), (7, 7)):
        await devices.ack(person.feed_id, phone.id, epoch, seq)
        assert await acked(devices, person.feed_id) == [expected]
    assert (await devices.of(person.feed_id))[0].last_seen is not None


async def test_an_acknowledgement_of_another_history_counts_for_nothing(
    devices: Devices, person: Person, phone: TestDevice, sql: Sql
) -> None:
    await devices.ack(person.feed_id, phone.id, await epoch_of(sql), 500)
    await rename_histories(person.database)
    assert await acked(devices, person.feed_id) == [0]
    await devices.ack(person.feed_id, phone.id, await epoch_of(sql), 2)
    assert await acked(devices, person.feed_id) == [2]


async def test_only_devices_that_were_here_were_seen(devices: Devices, person: Person, phone: TestDevice) -> None:
    other = await Person.make(person.database)
    theirs = await other.device()
    await devices.seen({(person.feed_id, phone.id), (person.feed_id, theirs.id), (other.feed_id, uuid4())})
    assert (await devices.of(person.feed_id))[0].last_seen is not None
    assert (await devices.of(other.feed_id))[0].last_seen is None


async def test_a_revoked_device_is_gone_with_its_tokens_and_tickets(
    devices: Devices, person: Person, phone: TestDevice, sql: Sql
) -> None:
    kept = await person.device("kept")
    grants = Grants(person.database)
    await grants.add_ticket(digest("ticket"), token_hash=digest(phone.token), life=timedelta(hours=1))
    assert await devices.revoke(person.feed_id, phone.id) == 1
    assert await grants.by_token(digest(phone.token)) is None
    assert await grants.by_ticket(digest("ticket")) is None
    principal = await grants.by_token(digest(kept.token))
    assert principal is not None
    assert principal.auth == 1
    assert [device.name for device in await devices.of(person.feed_id)] == ["kept"]
    with pytest.raises(NotFound):
        await devices.revoke(person.feed_id, phone.id)
    assert [row.auth for row in await sql("select auth from feeds")] == [1]


@pytest.mark.parametrize("whose", ["revoked", "foreign", "unknown"])
async def test_nothing_is_done_to_a_device_that_is_not_there(
    devices: Devices, person: Person, phone: TestDevice, whose: str
) -> None:
    foreign = await (await Person.make(person.database)).device()
    await devices.revoke(person.feed_id, phone.id)
    device = {"revoked": phone.id, "foreign": foreign.id, "unknown": uuid4()}[whose]
    for attempt in (
        devices.rename(person.feed_id, device, "x"),
        devices.ack(person.feed_id, device, "aaaaaaaa", 1),
        devices.revoke(person.feed_id, device),
    ):
        with pytest.raises(NotFound):
            await attempt
