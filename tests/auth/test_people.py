"""Signing in: who is held up by whose tries, what a wrong password leaves behind, and what a new one ends."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress

import pytest
from argon2 import PasswordHasher
from sqlalchemy import delete, text, update

from app.auth import passwords, people
from app.auth.people import People
from app.auth.tokens import digest
from app.errors import TooManyRequests, WrongPassword
from app.model import Message
from app.store.accounts import Accounts
from app.store.database import Database
from app.store.grants import Grants
from app.store.sessions import Account, Opening, begin
from app.store.tables import users
from app.store.throttles import Throttles
from tests.harness.waiting import eventually

EMAIL, PASSWORD, OTHER = "ada@example.com", "correct horse battery", "another password"
HOME, STRANGER = "192.0.2.1", "198.51.100.7"


def nobody_hears(_: Sequence[Message]) -> None: ...


@pytest.fixture
async def ours(database: Database, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[People]:
    """Accounts with cheap passwords, and the task that writes wrong ones down."""
    cheap = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    monkeypatch.setattr(passwords, "_hasher", cheap)
    monkeypatch.setattr(passwords, "_NOBODYS", cheap.hash("nobody's"))
    made = People(Grants(database), database, Throttles(database), nobody_hears, sign_up="open")
    task = asyncio.create_task(made.failures.run())
    yield made
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def signed_up(ours: People) -> Account:
    account = await ours.account(await ours.sign_up(EMAIL, PASSWORD, HOME))
    assert account is not None
    return account


async def guess(ours: People, address: str, *, email: str = EMAIL) -> type[Exception] | None:
    try:
        await ours.sign_in(email, "wrong", address)
    except (WrongPassword, TooManyRequests) as error:
        return type(error)
    return None


async def failures(ours: People, account: Account, times: int) -> list[tuple[int, str | None]]:
    """How often and whence wrong passwords came, day by day, once all of them are written."""

    async def read() -> list[tuple[int, str | None]]:
        latest = await ours.events.latest(account.feed_id, 100)
        return [(each.times, each.address) for each in latest if each.kind == "sign_in_failed"]

    async def are_written() -> bool:
        return sum(count for count, _ in await read()) >= times

    await eventually(are_written, 30, "the events")
    return await read()


async def test_a_stranger_who_guesses_keeps_the_person_out_of_nothing(
    ours: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(people, "TRIES", 2)
    account = await signed_up(ours)
    assert [await guess(ours, STRANGER) for _ in range(3)] == [WrongPassword, WrongPassword, TooManyRequests]
    assert await ours.sign_in(EMAIL, PASSWORD, HOME)
    with pytest.raises(TooManyRequests):
        await ours.sign_in(EMAIL, PASSWORD, STRANGER)
    assert await guess(ours, STRANGER, email="bob@example.com") is WrongPassword
    assert await ours.change_password(account, PASSWORD, OTHER, STRANGER)


async def test_guesses_from_everywhere_end_at_the_ceiling_and_successes_do_not_count(
    ours: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(people, "PER_ACCOUNT", 4)
    await signed_up(ours)
    for n in range(6):
        assert await ours.sign_in(EMAIL, PASSWORD, f"192.0.2.{n}")
    told = [await guess(ours, f"203.0.113.{n}") for n in range(5)]
    assert told == [WrongPassword] * 4 + [TooManyRequests]
    with pytest.raises(TooManyRequests):
        await ours.sign_in(EMAIL, PASSWORD, HOME)


async def test_success_buys_no_more_guesses_elsewhere(ours: People, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(people, "TRIES", 2)
    await signed_up(ours)
    assert [await guess(ours, STRANGER) for _ in range(2)] == [WrongPassword] * 2
    assert await ours.sign_in(EMAIL, PASSWORD, HOME)
    assert await guess(ours, STRANGER) is TooManyRequests


async def test_who_is_signed_in_has_tries_of_its_own(ours: People, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(people, "TRIES", 2)
    account = await signed_up(ours)
    for _ in range(2):
        with pytest.raises(WrongPassword):
            await ours.delete(account, "wrong", HOME)
    with pytest.raises(TooManyRequests):
        await ours.delete(account, PASSWORD, HOME)
    assert await ours.sign_in(EMAIL, PASSWORD, HOME)
    assert await failures(ours, account, 2) == [(2, HOME)]


async def test_many_wrong_passwords_are_one_event_a_day_with_the_last_address(ours: People) -> None:
    account = await signed_up(ours)
    for address in (HOME, HOME, STRANGER):
        await guess(ours, address)
    assert await failures(ours, account, 3) == [(3, STRANGER)]
    await guess(ours, HOME, email="nobody@example.com")
    latest = await ours.events.latest(account.feed_id, 100)
    assert [each.kind for each in latest] == ["sign_in_failed", "signed_up"]


async def test_a_wrong_password_for_an_account_that_is_just_deleted_harms_nothing(
    ours: People, database: Database
) -> None:
    account = await signed_up(ours)
    async with database.transaction() as leaving:
        await leaving.execute(delete(users))
        counted = asyncio.create_task(ours.events.count(account.user_id, "sign_in_failed", HOME, 1))
        await eventually(lambda: waits_for_a_lock(database), 30, "waiting for the deletion")
    await counted
    assert await ours.events.latest(account.feed_id, 1) == []


async def test_an_address_that_is_known_is_answered_without_another_write(
    ours: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    account, written = await signed_up(ours), asyncio.Event()
    count = ours.events.count

    async def held_up(*arguments: object) -> None:
        await written.wait()
        await count(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(ours.events, "count", held_up)
    async with asyncio.timeout(30):
        assert await guess(ours, HOME) is WrongPassword
    written.set()
    assert await failures(ours, account, 1) == [(1, HOME)]


async def test_a_sign_in_with_the_old_password_gets_no_session_after_the_change(ours: People) -> None:
    account = await signed_up(ours)
    proof = await ours.verify(EMAIL, PASSWORD, HOME)
    assert await ours.change_password(account, PASSWORD, OTHER, HOME)
    with pytest.raises(WrongPassword):
        await ours._open(proof, "signed_in", HOME)


async def waits_for_a_lock(database: Database) -> bool:
    async with database.transaction() as connection:
        waiting = await connection.execute(text("select 1 from pg_locks where not granted"))
        return waiting.first() is not None


async def test_a_sign_in_waits_for_a_change_under_way_and_is_refused(ours: People, database: Database) -> None:
    await signed_up(ours)
    proof, hashed = await ours.verify(EMAIL, PASSWORD, HOME), await ours._hash(OTHER)
    async with database.transaction() as changing:
        await changing.execute(update(users).values(password_hash=hashed))
        opened = asyncio.create_task(ours._open(proof, "signed_in", HOME))
        await eventually(lambda: waits_for_a_lock(database), 30, "waiting for the change")
    with pytest.raises(WrongPassword):
        await opened


async def test_a_change_waits_for_a_sign_in_under_way_and_ends_it(ours: People, database: Database) -> None:
    account, hashed = await signed_up(ours), await ours._hash(OTHER)
    proof = await ours.verify(EMAIL, PASSWORD, HOME)
    async with database.transaction() as opening:
        opened = Opening(digest("stn_x"), people.SESSION_LIFE, "signed_in", HOME)
        assert await begin(opening, opened, proof) == account.user_id
        change = asyncio.create_task(Accounts(database).set_password(account, proof.hash, hashed))
        await eventually(lambda: waits_for_a_lock(database), 30, "waiting for the sign-in")
    assert await change
    assert await ours.account("stn_x") is None


async def test_of_two_changes_from_the_same_password_one_wins(ours: People) -> None:
    account = await signed_up(ours)
    changes = (ours.change_password(account, PASSWORD, new, HOME) for new in (OTHER, f"{OTHER} 2"))
    told = await asyncio.gather(*changes, return_exceptions=True)
    assert sorted(isinstance(each, WrongPassword) for each in told) == [False, True]
