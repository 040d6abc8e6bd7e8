"""Accounts by invitation: one link, one account."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from app.auth.tokens import digest
from app.store.invitations import Invitations
from tests.harness.browser import PASSWORD, Browser
from tests.harness.live import Live, serving
from tests.store.conftest import Sql, sql

__all__ = ["sql"]  # a fixture
DAY = timedelta(days=1)


@pytest.fixture
async def invited(database_url: str, own_dir: Path) -> AsyncIterator[Live]:
    async with serving(database_url, own_dir, sign_up="invitation") as live:
        yield live


async def invite(live: Live, secret: str, email: str | None = None) -> str:
    await Invitations(live.starling.database).add(digest(secret), email, DAY)
    return f"/sign-up?invitation={secret}"


async def test_a_link_makes_one_account(invited: Live, sql: Sql) -> None:
    link = await invite(invited, "sti_one")
    async with Browser.open(invited.url) as browser:
        await browser.go("/sign-in")
        assert "Make an account" not in browser.text
        assert (await browser.go("/sign-up")).status_code == 403
        assert "invitation is needed" in browser.text
        await browser.go(link)
        assert (await browser.send("/sign-up", email="ada@example.com", password="short")).status_code == 422
        await browser.send("/sign-up", email="ada@example.com", password=PASSWORD)
        assert browser.path == "/account"
    async with Browser.open(invited.url) as browser:
        assert (await browser.go(link)).status_code == 403
        assert "used already" in browser.text
    assert await sql("select 1 from invitations") == []


async def test_no_form_makes_an_account_without_a_good_link(invited: Live, sql: Sql) -> None:
    link = await invite(invited, "sti_old")
    async with Browser.open(invited.url) as browser:
        await browser.go(link)
        for invitation in ("", "sti_none", "é", "sti_old\0"):
            answer = await browser.send("/sign-up", email="ada@example.com", password=PASSWORD, invitation=invitation)
            assert answer.status_code in (400, 403), invitation
            await browser.go(link)
        await sql("update invitations set expires_at = now()")
        assert (await browser.send("/sign-up", email="ada@example.com", password=PASSWORD)).status_code == 403
        assert (await browser.go(link)).status_code == 403
    assert await sql("select 1 from users") == []


async def test_a_link_for_an_address_is_for_no_other(invited: Live, sql: Sql) -> None:
    link = await invite(invited, "sti_ada", "Ada@Example.com")
    async with Browser.open(invited.url) as browser:
        await browser.go(link)
        assert browser.form("/sign-up")["email"] == "ada@example.com"
        assert (await browser.send("/sign-up", email="bob@example.com", password=PASSWORD)).status_code == 403
        await browser.go(link)
        assert (await browser.send("/sign-up", email="ADA@example.com", password=PASSWORD)).status_code == 200
    assert await sql("select email from users") == [("ada@example.com",)]


async def test_an_account_that_cannot_be_made_leaves_the_invitation(invited: Live, sql: Sql) -> None:
    person = await invited.person()
    link = await invite(invited, "sti_one")
    async with Browser.open(invited.url) as browser:
        await browser.go(link)
        assert (await browser.send("/sign-up", email=person.email, password=PASSWORD)).status_code == 409
        assert (await browser.send("/sign-up", email="ada@example.com", password=PASSWORD)).status_code == 200
        assert browser.path == "/account"


@pytest.mark.case(27, "an invitation is used by six at once")
async def test_of_many_who_use_a_link_at_once_one_gets_in(invited: Live, sql: Sql) -> None:
    link = await invite(invited, "sti_one")
    browsers = [Browser.open(invited.url) for _ in range(6)]
    for browser in browsers:
        await browser.go(link)
    sent = (each.send("/sign-up", email=f"{n}@example.com", password=PASSWORD) for n, each in enumerate(browsers))
    answers = [answer.status_code for answer in await asyncio.gather(*sent)]
    for browser in browsers:
        await browser.http.aclose()
    assert sorted(answers) == [200, 403, 403, 403, 403, 403]
    assert len(await sql("select 1 from users")) == len(await sql("select 1 from feeds")) == 1


async def test_a_server_that_is_closed_takes_no_invitation(database_url: str, own_dir: Path) -> None:
    async with serving(database_url, own_dir, sign_up="closed") as live, Browser.open(live.url) as browser:
        assert (await browser.go(await invite(live, "sti_one"))).status_code == 403
        assert "Nobody can sign up here" in browser.text


async def test_only_a_hash_of_the_link_is_kept(invited: Live, sql: Sql) -> None:
    await invite(invited, "sti_planted")
    assert "sti_planted" not in str(await sql("select * from invitations"))
