"""Counting attempts."""

import asyncio
from datetime import timedelta

import pytest

from app.errors import TooManyRequests
from app.store.database import Database
from app.store.throttles import Throttles
from tests.store.conftest import Sql

HOUR = timedelta(hours=1)


async def test_above_the_limit_it_says_when_to_come_back(database: Database, sql: Sql) -> None:
    throttles = Throttles(database)
    for _ in range(2):
        await throttles.hit("sign-in", "ada", limit=2, period=HOUR)
    with pytest.raises(TooManyRequests) as refused:
        await throttles.hit("sign-in", "ada", limit=2, period=HOUR)
    assert 3500 < refused.value.retry_after <= 3600
    await throttles.hit("sign-in", "bob", limit=2, period=HOUR)
    await throttles.hit("sign-up", "ada", limit=2, period=HOUR)
    await sql("update throttles set ends_at = now()")
    await throttles.hit("sign-in", "ada", limit=1, period=HOUR)
    assert len(await sql("select 1 from throttles")) == 1
    await throttles.clear("sign-in", "ada")
    assert await sql("select 1 from throttles") == []


async def test_tries_at_once_are_all_counted(database: Database) -> None:
    throttles = Throttles(database)
    tries = (throttles.hit("sign-in", "ada", limit=5, period=HOUR) for _ in range(20))
    answers = await asyncio.gather(*tries, return_exceptions=True)
    assert sum(answer is None for answer in answers) == 5


async def test_who_was_counted_cannot_be_read(database: Database, sql: Sql) -> None:
    await Throttles(database).hit("sign-in", "ada@example.com", limit=1, period=HOUR)
    assert "ada" not in str(await sql("select * from throttles"))
