"""OAuth clients: the unused make room for others, and a revoked one takes along what is just being given to it."""

import asyncio
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from sqlalchemy import Connection

from app.errors import NotFound
from app.store.clients import Clients, MadeBy, Registration
from app.store.database import Database
from app.store.families import Grant
from app.store.ledger import Ledger
from tests.harness.people import Person
from tests.harness.waiting import eventually
from tests.store.conftest import Sql

WEEK, HOUR = timedelta(days=7), timedelta(hours=1)


@pytest.fixture
def clients(database: Database) -> Clients:
    return Clients(database)


async def add(clients: Clients, *names: str, made_by: MadeBy = "registration") -> None:
    for name in names:
        await clients.add(Registration(name, name, None, ["https://a.example/"], ["items:read"], made_by))


def let_in(connection: Connection, client_id: str, feed_id: UUID) -> Grant:
    """What a redeemed code does for a client: a device, a grant, a token."""
    ledger = Ledger(connection)
    assert ledger.client(client_id) is not None
    device_id = ledger.families.add_device(feed_id, "laptop", "desktop")
    asked = Grant(None, feed_id, device_id, ["items:read"], uuid4().bytes)
    grant = ledger.families.add_grant(asked, client_id)
    ledger.families.add_token(uuid4().bytes, grant, client_id, ["items:read"], HOUR)
    return grant


async def known(clients: Clients) -> set[str]:
    return {each.id for each in await clients.all()}


async def test_the_oldest_that_act_for_nobody_make_room(
    clients: Clients, database: Database, person: Person, sql: Sql
) -> None:
    await add(clients, "oldest", "used", "left", "newer", "newest")
    await add(clients, "gpt", made_by="command")
    async with database.transaction() as connection:
        await connection.run_sync(let_in, "used", person.feed_id)
        left = await connection.run_sync(let_in, "left", person.feed_id)
        await connection.run_sync(lambda held: Ledger(held).families.revoke_grant(person.feed_id, left.id or uuid4()))
    await clients.clear_unused(WEEK, 4)
    assert await known(clients) == {"oldest", "used", "left", "newer", "newest", "gpt"}
    await clients.clear_unused(WEEK, 2)
    assert await known(clients) == {"used", "newer", "newest", "gpt"}
    await sql("update clients set created_at = created_at - interval '8 days' where id <> 'newest'")
    await clients.clear_unused(WEEK, 2)
    assert await known(clients) == {"used", "newest", "gpt"}
    await clients.clear_unused(WEEK, 0)
    assert await known(clients) == {"used", "gpt"}


async def test_one_that_somebody_is_just_letting_in_stays(clients: Clients, database: Database, person: Person) -> None:
    await add(clients, "app", "other")
    async with database.transaction() as connection:
        await connection.run_sync(let_in, "app", person.feed_id)
        await clients.clear_unused(WEEK, 0)
    assert await known(clients) == {"app"}


async def test_revoking_waits_for_what_is_just_being_given_and_ends_it(
    clients: Clients, database: Database, person: Person, sql: Sql
) -> None:
    await add(clients, "app")

    async def waits() -> bool:
        return bool(await sql("select 1 from pg_locks where not granted"))

    async with database.transaction() as connection:
        await connection.run_sync(let_in, "app", person.feed_id)
        revoking = asyncio.create_task(clients.revoke("app"))
        await eventually(waits, 15, "the wait of the revocation")
    revoked = await revoking
    assert [(each.feed_id, each.auth) for each in revoked] == [(person.feed_id, 1)]
    assert await sql("select 1 from grants union all select 1 from tokens") == []
    assert len(await sql("select 1 from devices where revoked_at is not null")) == 1


async def test_giving_and_revoking_never_wait_for_each_other(
    clients: Clients, database: Database, person: Person, sql: Sql
) -> None:
    await add(clients, "app")
    async with database.transaction() as connection:
        await connection.run_sync(let_in, "app", person.feed_id)

    async def waits() -> bool:
        return bool(await sql("select 1 from pg_locks where not granted"))

    async with database.transaction() as connection:
        assert await connection.run_sync(lambda held: Ledger(held).client("app")) is not None
        revoking = asyncio.create_task(clients.revoke("app"))
        await eventually(waits, 15, "the wait of the revocation")
        await connection.run_sync(let_in, "app", person.feed_id)
    assert len(await revoking) == 1
    assert await sql("select 1 from grants") == []


async def test_an_unknown_one_cannot_be_revoked(clients: Clients) -> None:
    with pytest.raises(NotFound):
        await clients.revoke("nobody")
