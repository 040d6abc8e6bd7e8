"""People, tokens, tickets: who may act for whom, and what is kept of a credential."""

from datetime import timedelta
from math import inf

import pytest
from sqlalchemy import text

from app.auth.tokens import Tokens, digest
from app.errors import AlreadyExists, NotFound
from app.store.database import Database
from app.store.devices import Devices
from app.store.grants import Grants
from app.store.tables import metadata
from tests.harness.people import Person
from tests.store.conftest import Sql

ENDED = timedelta(seconds=-1)
HOUR = timedelta(hours=1)


@pytest.fixture
def grants(database: Database) -> Grants:
    return Grants(database)


async def test_a_token_tells_whom_it_acts_for(grants: Grants, person: Person) -> None:
    device = await person.device()
    principal = await grants.by_token(digest(device.token))
    assert principal is not None
    assert (principal.feed_id, principal.device_id, principal.client) == (person.feed_id, device.id, "starling")
    assert (principal.token_hash, principal.good_until, principal.auth) == (digest(device.token), inf, 0)
    assert (await grants.user(principal.user_id))["email"] == person.email


@pytest.mark.parametrize(("life", "good"), [(None, True), (HOUR, True), (ENDED, False), (timedelta(0), False)])
async def test_a_token_counts_until_its_end(grants: Grants, person: Person, life: timedelta | None, good: bool) -> None:
    token = (await person.device(life=life)).token
    assert (await grants.by_token(digest(token)) is not None) == good
    assert await grants.good([digest(token), digest("unknown")]) == ({digest(token)} if good else set())


async def test_an_unknown_token_is_nobodys(grants: Grants, person: Person) -> None:
    assert await grants.by_token(digest("unknown")) is None
    assert await grants.by_ticket(digest("unknown")) is None


async def test_a_ticket_acts_for_its_token_and_is_none(grants: Grants, person: Person) -> None:
    device = await person.device()
    await grants.add_ticket(digest("ticket"), token_hash=digest(device.token), life=HOUR)
    assert await grants.by_ticket(digest("ticket")) == await grants.by_token(digest(device.token))
    assert await grants.by_token(digest("ticket")) is None
    assert await grants.by_ticket(digest(device.token)) is None


@pytest.mark.parametrize("ended", ["ticket", "token", "device"])
async def test_a_ticket_dies_with_its_time_its_token_and_its_device(grants: Grants, person: Person, ended: str) -> None:
    device = await person.device(life=ENDED if ended == "token" else HOUR)
    await grants.add_ticket(digest("t"), token_hash=digest(device.token), life=ENDED if ended == "ticket" else HOUR)
    if ended == "device":
        await Devices(person.database).revoke(person.feed_id, device.id)
    assert await grants.by_ticket(digest("t")) is None


async def test_a_new_ticket_removes_its_tokens_ended_ones(grants: Grants, person: Person, sql: Sql) -> None:
    one, other = await person.device(), await person.device()
    for name, device, life in (("a", one, ENDED), ("b", other, ENDED), ("c", one, HOUR), ("d", one, HOUR)):
        await grants.add_ticket(digest(name), token_hash=digest(device.token), life=life)
    kept = {row.hash for row in await sql("select hash from tickets")}
    assert kept == {digest("b"), digest("c"), digest("d")}


async def test_no_table_holds_a_token_or_a_ticket(person: Person, sql: Sql) -> None:
    device = await person.device()
    tokens = Tokens(Grants(person.database))
    ticket = await tokens.issue_ticket(await tokens.authenticate(device.token))
    secrets = [device.token, ticket, device.token.partition("_")[2], ticket.partition("_")[2]]
    rows = [row for table in metadata.sorted_tables for row in await sql(f"select t::text as said from {table.name} t")]
    said = "\n".join(row.said for row in rows)
    assert digest(device.token).hex() in said
    for secret in secrets:
        assert secret not in said
        assert secret.encode().hex() not in said


async def test_an_address_belongs_to_one_person_however_it_is_written(grants: Grants) -> None:
    feed_id = await grants.add_user("Ann@Example.com", None)
    assert await grants.feed_of("aNN@example.com") == feed_id
    with pytest.raises(AlreadyExists):
        await grants.add_user("ann@example.COM", None)
    with pytest.raises(NotFound):
        await grants.feed_of("bob@example.com")


async def test_a_person_takes_everything_along(person: Person, database: Database, sql: Sql) -> None:
    device = await person.device()
    await Grants(database).add_ticket(digest("t"), token_hash=digest(device.token), life=HOUR)
    async with database.transaction() as connection:
        await connection.execute(text("delete from users"))
    for table in ("feeds", "devices", "tokens", "tickets"):
        assert await sql(f"select 1 from {table}") == []
