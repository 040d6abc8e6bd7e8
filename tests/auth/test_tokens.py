"""Tokens and tickets: opaque, kept as hashes, cached for three seconds, dropped at a revocation."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import text

from app.auth.tokens import CACHE_S, Tokens, digest, new_secret
from app.errors import InvalidField, Unauthorized
from app.model import Message, Principal, Revoked, Scope
from app.store.database import Database
from app.store.devices import Devices
from app.store.grants import Grants
from tests.harness.people import Person
from tests.harness.waiting import eventually


class Counting(Grants):
    """Counts look-ups."""

    reads = 0

    async def by_token(self, hashed: bytes) -> Principal | None:
        self.reads += 1
        return await super().by_token(hashed)


@pytest.fixture
def grants(database: Database) -> Counting:
    return Counting(database)


@pytest.fixture
def tokens(grants: Counting) -> Tokens:
    return Tokens(grants)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Moves the clock on."""
    at = [1000.0]
    monkeypatch.setattr("app.auth.tokens.time", SimpleNamespace(monotonic=lambda: at[0]))
    return lambda seconds: at.__setitem__(0, at[0] + seconds)


async def issue(tokens: Tokens, person: Person, **options: Any) -> str:
    return await tokens.issue(person.feed_id, client="chatgpt", scopes=[Scope.ITEMS_READ], **options)


async def test_a_token_tells_its_holder(tokens: Tokens, person: Person) -> None:
    device = await person.device()
    principal = await tokens.authenticate(device.token)
    assert (principal.feed_id, principal.device_id, principal.client) == (person.feed_id, device.id, "starling")
    client = await tokens.authenticate(await issue(tokens, person))
    assert (client.device_id, client.client, client.scopes) == (None, "chatgpt", frozenset({"items:read"}))


@pytest.mark.parametrize("token", ["", "x", "stl_", "stl_" + "x" * 43, "\ud800", "é", "a\0b"])
async def test_an_unknown_token_is_nobodys(tokens: Tokens, token: str) -> None:
    with pytest.raises(Unauthorized):
        await tokens.authenticate(token)


async def test_only_hashes_are_kept(tokens: Tokens, database: Database, person: Person) -> None:
    token = await issue(tokens, person)
    ticket = await tokens.issue_ticket(await tokens.authenticate(token))
    async with database.transaction() as connection:
        for table in ("tokens", "tickets"):
            rows = str((await connection.execute(text(f"select t::text from {table} t"))).scalars().all())
            assert token not in rows
            assert ticket not in rows
            assert len(rows) > 50


def test_secrets_say_what_they_are_and_never_repeat() -> None:
    made = {new_secret("stl") for _ in range(100)}
    assert len(made) == 100
    assert all(each.startswith("stl_") and len(each) == 47 for each in made)
    assert len(digest(made.pop())) == 32


@pytest.mark.parametrize("scopes", [[], ["everything"], ["items:read", "x"]])
async def test_unknown_and_missing_scopes_are_refused(tokens: Tokens, person: Person, scopes: list[str]) -> None:
    with pytest.raises(InvalidField):
        await tokens.issue(person.feed_id, client="x", scopes=scopes)


async def test_a_look_up_holds_for_three_seconds(
    tokens: Tokens, grants: Counting, person: Person, clock: Callable[[float], None]
) -> None:
    token = await issue(tokens, person)
    for _ in range(5):
        await tokens.authenticate(token)
    clock(CACHE_S - 0.01)
    await tokens.authenticate(token)
    assert (CACHE_S, grants.reads) == (3, 1)
    clock(0.02)
    await tokens.authenticate(token)
    assert grants.reads == 2


async def test_without_word_of_it_a_revocation_holds_after_three_seconds(
    tokens: Tokens, database: Database, person: Person, clock: Callable[[float], None]
) -> None:
    device = await person.device()
    await tokens.authenticate(device.token)
    await Devices(database).revoke(person.feed_id, device.id)
    clock(CACHE_S)
    with pytest.raises(Unauthorized):
        await tokens.authenticate(device.token)


async def test_word_of_a_revocation_holds_at_once_and_for_that_feed_alone(
    tokens: Tokens, grants: Counting, database: Database, person: Person
) -> None:
    device, stays = await person.device(), await person.device()
    other = await (await Person.make(database)).device()
    for each in (device, stays, other):
        await tokens.authenticate(each.token)
    auth = await Devices(database).revoke(person.feed_id, device.id)
    said: asyncio.Queue[list[Message]] = asyncio.Queue()

    async def messages() -> AsyncIterator[list[Message]]:
        while True:
            yield await said.get()

    hearing = asyncio.create_task(tokens.hear(messages()))
    said.put_nowait([Revoked(person.feed_id, auth), Revoked(person.feed_id, auth - 1)])
    await eventually(lambda: person.feed_id in tokens._revoked)
    hearing.cancel()

    reads = grants.reads
    with pytest.raises(Unauthorized):
        await tokens.authenticate(device.token)
    await tokens.authenticate(stays.token)
    await tokens.authenticate(stays.token)
    assert grants.reads == reads + 2
    await tokens.authenticate(other.token)
    assert grants.reads == reads + 2


async def test_a_token_ends_with_its_life_cached_or_not(tokens: Tokens, person: Person) -> None:
    token = await issue(tokens, person, life=timedelta(milliseconds=300))
    await tokens.authenticate(token)

    async def ended() -> bool:
        try:
            await tokens.authenticate(token)
        except Unauthorized:
            return True
        return False

    await eventually(ended, CACHE_S * 0.9)


async def test_a_ticket_is_its_tokens_holder_again_and_again(tokens: Tokens, person: Person) -> None:
    device = await person.device()
    principal = await tokens.authenticate(device.token)
    ticket = await tokens.issue_ticket(principal)
    assert ticket.startswith("stt_")
    for _ in range(3):
        redeemed = await tokens.redeem_ticket(ticket)
        assert (redeemed.device_id, redeemed.token_hash) == (device.id, principal.token_hash)
    with pytest.raises(Unauthorized):
        await tokens.authenticate(ticket)
    with pytest.raises(Unauthorized):
        await tokens.redeem_ticket(device.token)


@pytest.mark.parametrize(
    "end",
    [
        "update tickets set expires_at = now()",
        "update tokens set revoked = true",
        "update tokens set expires_at = now()",
    ],
)
async def test_a_ticket_dies_with_its_time_and_with_its_token(
    tokens: Tokens, database: Database, person: Person, end: str
) -> None:
    device = await person.device()
    ticket = await tokens.issue_ticket(await tokens.authenticate(device.token))
    async with database.transaction() as connection:
        await connection.execute(text(end))
    with pytest.raises(Unauthorized):
        await tokens.redeem_ticket(ticket)
