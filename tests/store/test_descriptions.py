"""Clients that describe themselves: how long they are known, and which go when there are too many."""

from collections.abc import Iterable
from datetime import timedelta

from app.store.clients import Clients, Registration
from app.store.codes import Code, Codes
from app.store.database import Database
from app.store.descriptions import Descriptions
from app.store.families import Grant
from app.store.ledger import Ledger, Ledgers
from tests.harness.people import Person
from tests.store.conftest import Sql

HOUR = timedelta(hours=1)


def client(name: str, uris: Iterable[str] = ("https://a.example/done",)) -> Registration:
    return Registration(url(name), name, None, list(uris), ["items:read"], "document")


def url(name: str) -> str:
    return f"https://a.example/{name}"


def let_in(ledger: Ledger, person: Person, name: str) -> None:
    given = Grant(None, person.feed_id, None, ["items:read"], name.encode())
    ledger.families.add_grant(given, url(name))


async def names(database: Database) -> list[str]:
    return sorted(each.name for each in await Clients(database).all())


async def test_a_client_is_known_while_its_document_is_believed(database: Database, sql: Sql) -> None:
    descriptions = Descriptions(database)
    assert not await descriptions.is_known(url("a"))
    await descriptions.keep(client("a"), HOUR, 10)
    assert await descriptions.is_known(url("a"))
    await sql("update clients set fresh_until = now()")
    assert not await descriptions.is_known(url("a"))
    await descriptions.keep(client("a", ["https://b.example/"]), HOUR, 10)
    assert await descriptions.is_known(url("a"))
    (kept,) = await Clients(database).all()
    assert (kept.redirect_uris, kept.made_by) == (["https://b.example/"], "document")


async def test_what_the_operator_made_is_known_and_stays_as_it_is(database: Database, person: Person) -> None:
    descriptions = Descriptions(database)
    ours = Registration(url("ours"), "Ours", None, ["https://c.example/"], ["items:read"], "command")
    await Clients(database).add(ours)
    assert await descriptions.is_known(url("ours"))
    await descriptions.keep(client("ours"), HOUR, 10)
    (kept,) = await Clients(database).all()
    assert (kept.name, kept.made_by, kept.redirect_uris) == ("Ours", "command", ["https://c.example/"])
    await person.token(client=url("held"))  # no client that anybody registered
    assert not await descriptions.is_known(url("held"))
    await descriptions.keep(client("held"), HOUR, 10)
    assert await names(database) == ["Ours"]


async def test_of_those_that_nobody_lets_in_the_last_are_kept(database: Database, person: Person) -> None:
    descriptions, clients = Descriptions(database), Clients(database)
    await clients.add(Registration("by-hand", "by-hand", None, [], ["items:read"], "command"))
    await clients.add(Registration("client-1", "itself", None, [], ["items:read"], "registration"))
    for name in ("granted", "coded", "tokened", "taken back", "old", "new"):
        await descriptions.keep(client(name), HOUR, 10)
    ledgers = Ledgers(database, lambda _: None)
    await ledgers.run(lambda ledger: let_in(ledger, person, "granted"))
    await ledgers.run(lambda ledger: let_in(ledger, person, "taken back"))
    await ledgers.run(lambda ledger: ledger.families.revoke_given_for(b"taken back"))
    code = Code(b"c", person.feed_id, "https://a.example/done", ["items:read"], None)
    await ledgers.run(lambda ledger: ledger.codes.add(code, url("coded")))
    await person.token(client=url("tokened"))
    used = ["by-hand", "coded", "granted", "itself", "tokened"]
    assert await names(database) == sorted([*used, "new", "old", "taken back"])
    await descriptions.keep(client("old"), HOUR, 2)
    assert await names(database) == sorted([*used, "new", "old"])
    await descriptions.keep(client("newest"), HOUR, 1)
    assert await names(database) == sorted([*used, "newest"])


async def test_whom_somebody_is_letting_in_just_now_stays(database: Database, person: Person) -> None:
    descriptions = Descriptions(database)
    await descriptions.keep(client("a"), HOUR, 10)
    code = Code(b"c", person.feed_id, "https://a.example/done", ["items:read"], None)
    async with database.transaction() as connection:
        await connection.run_sync(lambda held: Codes(held).add(code, url("a")))
        await descriptions.keep(client("b"), HOUR, 1)
    assert await names(database) == ["a", "b"]
