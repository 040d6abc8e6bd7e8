"""Signing in through a certified provider, over HTTP from end to end."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit
from zipfile import ZipFile

import pytest

from app.auth.tokens import digest
from app.store.invitations import Invitations
from tests.e2e.test_account import rows
from tests.e2e.test_oauth_device import ask
from tests.e2e.test_oauth_secrets import everything
from tests.e2e.test_pages import authorize
from tests.harness.browser import PASSWORD, Browser
from tests.harness.live import Live, serving
from tests.harness.oauth import OAuthClient
from tests.harness.provider import RealProvider, Visitor, real_provider
from tests.store.conftest import Sql, sql

__all__ = ["sql"]  # a fixture
ADA = {"sub": "1", "email": "ada@example.com", "email_verified": "true"}


@pytest.fixture(scope="module")
async def provider() -> AsyncIterator[RealProvider]:
    async with real_provider() as started:
        yield started


@asynccontextmanager
async def joined(provider: RealProvider, database_url: str, own_dir: Path, **more: Any) -> AsyncIterator[Live]:
    """A server that lets people sign in through the provider."""
    settings = {**provider.settings(more.pop("alg", "RS256")), **more}
    async with serving(database_url, own_dir, **settings) as live:
        await provider.serve(f"{live.url}/sign-in/callback")
        yield live


@pytest.fixture
async def live(provider: RealProvider, database_url: str, own_dir: Path) -> AsyncIterator[Live]:
    async with joined(provider, database_url, own_dir) as running:
        yield running


@pytest.fixture
async def browser(live: Live) -> AsyncIterator[Browser]:
    async with Browser.open(live.url) as opened:
        yield opened


@pytest.fixture
async def ada() -> AsyncIterator[Visitor]:
    visitor = Visitor(dict(ADA))
    yield visitor
    await visitor.http.aclose()


async def away(browser: Browser, **query: str) -> str:
    """To the provider, from a page of the server."""
    await browser.go("/sign-in")
    answer = await browser.go("/sign-in/provider", params=query)
    assert answer.status_code == 303, answer.text
    return str(answer.headers["location"])


async def back(browser: Browser, visitor: Visitor, **query: str) -> str:
    """The address that the provider sends the browser back to, as a path."""
    return (await visitor.pass_through(await away(browser, **query))).removeprefix(browser.url)


@pytest.mark.parametrize("alg", ["RS256", "ES256", "EdDSA"])
async def test_somebody_new_gets_an_account_and_comes_back_to_it(
    provider: RealProvider, database_url: str, own_dir: Path, ada: Visitor, sql: Sql, alg: str
) -> None:
    async with joined(provider, database_url, own_dir, alg=alg) as live, Browser.open(live.url) as browser:
        await browser.go("/sign-in")
        assert "Sign in with Example" in browser.text
        to = await away(browser)
        asked = {name: values[0] for name, values in parse_qs(urlsplit(to).query).items()}
        assert (asked["scope"], asked["code_challenge_method"]) == ("openid email", "S256")
        await browser.go((await ada.pass_through(to)).removeprefix(live.url))
        assert browser.path == "/account"
        assert "ada@example.com" in browser.text
        await browser.send("/sign-out")
        await browser.go(await back(browser, ada))
        assert "ada@example.com" in browser.text
        assert ada.typed == 1
    assert await sql("select email, password_hash from users") == [("ada@example.com", None)]
    assert await sql("select issuer, subject from identities") == [(provider.issuer, ada_subject())]
    assert await sql("select kind from security_events order by id") == [("signed_up",), ("signed_in",)]


def ada_subject() -> str:
    return "sub=1&email=ada%40example.com&email_verified=true"


async def test_the_way_goes_on_to_where_it_began(live: Live, browser: Browser, ada: Visitor) -> None:
    await OAuthClient.make(live)
    await browser.go(authorize(state="s", scope="items:read"))
    then = browser.form("/sign-in")["next"]
    await browser.go(await back(browser, ada, next=then))
    assert browser.path == "/oauth/authorize"
    assert "Let GPT in?" in browser.text
    for elsewhere in ("https://evil.example/", "//evil.example"):
        await browser.go(await back(browser, ada, next=elsewhere))
        assert browser.path == "/account"


async def test_nothing_that_is_secret_is_kept(
    live: Live, browser: Browser, ada: Visitor, database_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = await ask(live)
    to = await away(browser, next=f"/activate?user_code={quote(asked['user_code'])}")
    sent = parse_qs(urlsplit(to).query)
    kept = await everything(database_url)
    came = await ada.pass_through(to)
    code = parse_qs(urlsplit(came).query)["code"][0]
    await browser.go(came.removeprefix(live.url))
    assert browser.form("/activate")["user_code"] == asked["user_code"]
    kept += await everything(database_url)
    kept += "".join(capsys.readouterr())
    for secret in (asked["user_code"], sent["state"][0], sent["nonce"][0], code, "secret of RS256"):
        assert secret not in kept
    assert "ada@example.com" in kept


@pytest.mark.case(34, "another browser brings the provider's answer, or another word with it")
async def test_only_the_browser_that_went_away_comes_back_signed_in(live: Live, browser: Browser, ada: Visitor) -> None:
    came = await back(browser, ada)
    async with Browser.open(live.url) as other:
        assert (await other.go(came)).status_code == 403
        await other.go("/sign-in")
        assert (await other.go(came)).status_code == 403
        assert "begun in another browser" in other.text
        assert "starling_session" not in other.http.cookies
        wrong = [came.replace("state=", "state=x"), came.partition("&state")[0], f"{came}&state=x", "/sign-in/callback"]
        for each in wrong:
            assert (await browser.go(each)).status_code in (400, 403), each
    await browser.go(came)
    assert browser.path == "/account"


@pytest.mark.case(27, "a provider's answer is replayed, and brought by six at once")
async def test_an_answer_counts_once(live: Live, browser: Browser, ada: Visitor, sql: Sql) -> None:
    came = await back(browser, ada)
    answers = await asyncio.gather(*(browser.http.get(came) for _ in range(6)))
    assert sorted(each.status_code for each in answers) == [303, 403, 403, 403, 403, 403]
    assert (await browser.http.get(came)).status_code == 403
    assert await sql("select count(*) from sessions") == [(1,)]


async def test_a_sign_in_that_took_too_long_has_ended(browser: Browser, ada: Visitor, sql: Sql) -> None:
    came = await back(browser, ada)
    await sql("update pending_sign_ins set expires_at = now()")
    assert (await browser.go(came)).status_code == 403
    await back(browser, ada)
    assert await sql("select count(*) from pending_sign_ins") == [(1,)]


async def test_an_answer_of_another_provider_is_refused(browser: Browser, ada: Visitor) -> None:
    for forged in ("&iss=https%3A%2F%2Fevil.example", ""):
        came = await back(browser, ada)
        assert (await browser.go(came.partition("&iss=")[0] + forged)).status_code == 403
        assert browser.path == "/sign-in/callback"


async def test_the_providers_keys_may_change_between_two_sign_ins(
    provider: RealProvider, live: Live, browser: Browser, ada: Visitor
) -> None:
    for _ in range(2):
        await browser.go(await back(browser, ada))
        assert browser.path == "/account"
        await browser.send("/sign-out")
        await provider.serve(f"{live.url}/sign-in/callback")


async def test_a_person_may_turn_back(live: Live, browser: Browser, ada: Visitor) -> None:
    to = await away(browser, next="/activate")
    page = await ada.http.get(to, follow_redirects=True)
    abort = next(line.split('href="')[1].split('"')[0] for line in page.text.splitlines() if "/abort" in line)
    came = await ada.pass_through(abort)
    assert "error=access_denied" in came
    assert (await browser.go(came.removeprefix(live.url))).status_code == 403
    assert "You were not signed in there" in browser.text
    assert browser.form("/sign-in")["next"] == "/activate"


async def test_an_account_with_a_password_is_joined_by_that_password_only(
    live: Live, browser: Browser, ada: Visitor, sql: Sql
) -> None:
    await browser.sign_up("ada@example.com")
    await browser.send("/sign-out")
    await browser.go(await back(browser, ada, next="/activate"))
    assert "starling_session" not in browser.http.cookies
    assert "Is this account yours?" in browser.text
    assert "ada@example.com" in browser.text
    assert (await browser.send("/sign-in/join", password="wrong one")).status_code == 403
    assert await sql("select 1 from identities") == []
    form = browser.form("/sign-in/join")
    async with Browser.open(live.url) as other:
        await other.go("/sign-in")
        stolen = {**form, "csrf": other.form("/sign-in")["csrf"], "password": PASSWORD}
        assert (await other.http.post("/sign-in/join", data=stolen)).status_code == 403
    await browser.send("/sign-in/join", password=PASSWORD)
    assert browser.path == "/activate"
    assert (await browser.http.post("/sign-in/join", data={**form, "password": PASSWORD})).status_code == 403
    await browser.send("/sign-out")
    await browser.go(await back(browser, ada))
    assert browser.path == "/account"
    assert "Signing in through a provider was added" in browser.text
    assert await sql("select count(*) from users") == [(1,)]
    await browser.send("/account/provider/remove", password=PASSWORD)
    await browser.send("/sign-out")
    await browser.go(await back(browser, ada))
    assert "Is this account yours?" in browser.text
    await browser.go("/sign-in")
    assert (await browser.send("/sign-in", email="ada@example.com", password=PASSWORD)).status_code == 200


@pytest.mark.parametrize(
    "claims", [{"email": "ada@example.com"}, {"email_verified": "true"}, {**ADA, "email": "no address"}]
)
async def test_an_address_that_is_not_confirmed_leads_to_no_account(
    live: Live, browser: Browser, sql: Sql, claims: dict[str, str]
) -> None:
    await browser.sign_up("ada@example.com")
    await browser.send("/sign-out")
    eve = Visitor({**claims, "sub": "2"})
    assert (await browser.go(await back(browser, eve))).status_code == 403
    await eve.http.aclose()
    assert "did not confirm an e-mail address" in browser.text
    assert await sql("select 1 from identities union all select 1 from sessions") == []


async def test_an_account_without_a_password_is_not_taken_over(live: Live, browser: Browser, sql: Sql) -> None:
    person = await live.person()
    visitor = Visitor({**ADA, "email": person.email})
    assert (await browser.go(await back(browser, visitor))).status_code == 409
    await visitor.http.aclose()
    assert "no password to prove" in browser.text
    assert await sql("select 1 from identities union all select 1 from sessions") == []


async def test_new_accounts_follow_the_rules_of_signing_up(
    provider: RealProvider, database_url: str, own_dir: Path, ada: Visitor, sql: Sql
) -> None:
    async with (
        joined(provider, database_url, own_dir, sign_up="invitation") as live,
        Browser.open(live.url) as browser,
    ):
        invitations = Invitations(live.starling.database)
        assert (await browser.go(await back(browser, ada))).status_code == 403
        assert "invitation is needed" in browser.text
        for secret, email in (("sti_bob", "bob@example.com"), ("sti_ada", "ada@example.com")):
            await invitations.add(digest(secret), email, timedelta(days=1))
        assert (await browser.go(await back(browser, ada, invitation="sti_bob"))).status_code == 403
        await browser.go("/sign-up?invitation=sti_ada")
        assert "Go on with Example" in browser.text
        await browser.go(await back(browser, ada, invitation="sti_ada"))
        assert browser.path == "/account"
        assert await sql("select email from invitations") == [("bob@example.com",)]
    async with joined(provider, database_url, own_dir, sign_up="closed") as live, Browser.open(live.url) as browser:
        await browser.go(await back(browser, ada))
        assert browser.path == "/account"
        stranger = Visitor({**ADA, "sub": "2", "email": "eve@example.com"})
        assert (await browser.go(await back(browser, stranger))).status_code == 403
        await stranger.http.aclose()
        assert "Nobody can sign up here" in browser.text


async def test_without_a_password_the_provider_has_to_ask_again_before_the_account_changes(
    browser: Browser, ada: Visitor, sql: Sql
) -> None:
    await browser.go(await back(browser, ada))
    csrf = browser.form("/sign-out")["csrf"]
    for path, fields in (("password", {"new": PASSWORD}), ("delete", {}), ("provider/remove", {})):
        answer = await browser.http.post(f"/account/{path}", data={"csrf": csrf, **fields})
        assert answer.status_code == 403, path
        assert "Sign in again first" in answer.text
    assert "sign in again with Example" in browser.text
    assert ada.typed == 1
    await browser.go(await back(browser, ada, again="true", next="/account"))
    assert ada.typed == 2
    assert "sign in again with Example" not in browser.text
    assert (await browser.send("/account/password", new=PASSWORD)).status_code == 200
    await browser.send("/sign-out")
    await browser.send("/sign-in", email="ada@example.com", password=PASSWORD)
    assert browser.path == "/account"
    assert (await browser.send("/account/delete", password="wrong one")).status_code == 403


async def test_an_account_without_a_password_can_be_left(
    browser: Browser, ada: Visitor, database_url: str, sql: Sql
) -> None:
    before = await rows(database_url)
    await browser.go(await back(browser, ada))
    await browser.go(await back(browser, ada, again="true", next="/account"))
    packed = ZipFile(BytesIO((await browser.http.get("/account/export")).content))
    taken = json.loads(packed.read("starling.json"))
    assert [each["subject"] for each in taken["identities"]] == [ada_subject()]
    await sql("update sessions set proven_at = proven_at - interval '11 minutes'")
    form = browser.form("/account/delete")
    assert (await browser.http.post("/account/delete", data=form)).status_code == 403
    await browser.go(await back(browser, ada, again="true", next="/account"))
    await browser.send("/account/delete")
    assert browser.path == "/sign-in"
    after = await rows(database_url)
    assert {**after, "throttles": 0} == {**before, "throttles": 0}
    await browser.go(await back(browser, ada))
    assert browser.path == "/account"


async def test_no_other_site_sends_anybody_to_the_provider(live: Live, browser: Browser) -> None:
    answer = await browser.http.get("/sign-in/provider")
    assert (answer.status_code, answer.headers["location"].partition("?")[0]) == (303, "/sign-in")
    await browser.go("/sign-in")
    for site in ("cross-site", "same-site"):
        answer = await browser.http.get("/sign-in/provider", headers={"sec-fetch-site": site})
        assert answer.headers["location"].partition("?")[0] == "/sign-in"


async def test_without_a_provider_there_is_no_way_to_one(database_url: str, own_dir: Path) -> None:
    async with serving(database_url, own_dir) as live, Browser.open(live.url) as browser:
        await browser.go("/sign-in")
        assert "Sign in with" not in browser.text
        for path in ("/sign-in/provider", "/sign-in/callback?code=x&state=y"):
            assert (await browser.http.get(path)).status_code == 404
