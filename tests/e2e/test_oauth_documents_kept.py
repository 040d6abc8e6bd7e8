"""Documents of clients: fetched once for all who come, believed for a while, and never to the harm of older grants."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from app.auth import documents
from app.errors import ClientRefused
from app.store.clients import Clients, Registration
from tests.e2e.test_oauth_documents import allow, app, authorize, browser, live
from tests.harness.browser import Browser
from tests.harness.documents import CALLBACK, HOST, URL, document, served
from tests.harness.live import Live, serving
from tests.harness.oauth import OAuthClient, query_of, refused
from tests.harness.sites import Site, answer, internet
from tests.store.conftest import Sql, sql

__all__ = ["app", "browser", "live", "sql"]  # fixtures
EXPIRE = "update clients set fresh_until = now()"
ELSEWHERE = f"https://{HOST}/elsewhere"


async def test_those_who_come_together_share_one_fetch(live: Live, app: Site) -> None:
    app.may_go.clear()
    waiting = [asyncio.create_task(live.starling.services.documents.ensure(URL, "192.0.2.1")) for _ in range(20)]
    await asyncio.wait_for(app.came.wait(), 30)
    gone = waiting.pop(0)  # the one for whom it was begun
    gone.cancel()
    app.may_go.set()
    assert await asyncio.gather(*waiting) == [None] * 19
    assert app.connections == 1
    app.answer = answer("500 Failed")
    other = f"https://{HOST}/other"
    failing = [live.starling.services.documents.ensure(other, "192.0.2.1") for _ in range(20)]
    assert {type(each) for each in await asyncio.gather(*failing, return_exceptions=True)} == {ClientRefused}
    assert app.connections == 2


async def test_browsers_that_come_together_cost_one_fetch(wide_with_app: Live, app: Site) -> None:
    async with Browser.open(wide_with_app.url) as browser:
        await browser.sign_up()
        pages = await asyncio.gather(*(browser.http.get(authorize()[0]) for _ in range(20)))
    assert [page.status_code for page in pages] == [200] * 20
    assert app.connections == 1


@pytest.fixture
async def wide_with_app(database_url: str, own_dir: Path, app: Site) -> AsyncIterator[Live]:
    """A server with a database connection for each."""
    async with serving(database_url, own_dir, internet({HOST: app}), database_pool=30) as running:
        yield running


async def test_a_document_is_read_again_when_its_time_is_over(browser: Browser, app: Site, sql: Sql) -> None:
    await allow(browser)
    app.answer = served(document(client_name="Another", redirect_uris=[ELSEWHERE]))
    await allow(browser)
    assert app.connections == 1
    await sql(EXPIRE)
    assert (await browser.go(authorize()[0])).status_code == 400
    assert (await browser.go(authorize(redirect_uri=ELSEWHERE)[0])).status_code == 200
    assert "Another" in browser.text
    assert app.connections == 2


async def test_a_changed_document_gives_old_grants_to_nobody(live: Live, browser: Browser, app: Site, sql: Sql) -> None:
    """Somebody else got the host. What the person let in goes on, and stays as small as it was."""
    client, thief = OAuthClient(live, URL, None, CALLBACK), OAuthClient(live, URL, None, ELSEWHERE)
    location, verifier = await allow(browser)
    given = (await client.redeem(query_of(location)["code"], code_verifier=verifier)).json()
    location, verifier = await allow(browser)
    pending = query_of(location)["code"]
    address, _ = authorize()
    await browser.go(address)  # the page is open while the document changes
    await sql(EXPIRE)
    app.answer = served(document(redirect_uris=[ELSEWHERE], scope="items:read items:write devices:manage stream"))
    response = await browser.send("/oauth/authorize", decision="allow")
    assert (response.status_code, "location" in response.headers) == (400, False)
    refused(await thief.redeem(pending, code_verifier=verifier), "invalid_grant")
    given = (await client.refresh(given["refresh_token"])).json()
    assert (given["scope"], (await live.get("/v1/me", given["access_token"])).status_code) == ("items:read", 200)
    refused(await client.refresh(given["refresh_token"], scope="items:read items:write"), "invalid_scope")
    await browser.go(authorize(redirect_uri=ELSEWHERE, scope="items:read")[0])
    assert "asks for access" in browser.text


async def test_the_server_of_a_document_may_be_away_for_those_who_are_in(
    live: Live, browser: Browser, app: Site, sql: Sql
) -> None:
    location, verifier = await allow(browser)
    app.answer = answer("503 Away")
    await sql(EXPIRE)
    client = OAuthClient(live, URL, None, CALLBACK)
    given = (await client.redeem(query_of(location)["code"], code_verifier=verifier)).json()
    assert (await client.refresh(given["refresh_token"])).status_code == 200
    assert (await browser.go(authorize()[0])).status_code == 400


async def test_fetches_are_limited_by_address_and_by_url(
    browser: Browser, app: Site, sql: Sql, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(documents, "PER_URL", 2)
    app.answer = answer("503 Away")
    assert [(await browser.go(authorize()[0])).status_code for _ in range(3)] == [400, 400, 429]
    assert 0 < int(browser.response.headers["retry-after"]) <= 60
    assert app.connections == 2
    monkeypatch.setattr(documents, "PER_ADDRESS", 4)
    other = f"https://{HOST}/other"
    assert [(await browser.go(authorize(client_id=other)[0])).status_code for _ in range(2)] == [400, 429]
    assert app.connections == 3
    await sql("delete from throttles")
    app.answer = served(document())
    assert [(await browser.go(authorize()[0])).status_code for _ in range(3)] == [200, 200, 200]
    assert app.connections == 4


async def test_what_the_operator_registered_is_not_fetched(live: Live, browser: Browser, app: Site) -> None:
    made = Registration(URL, "Ours", None, [ELSEWHERE], ["items:read"], "command")
    await Clients(live.starling.database).add(made)
    location, _ = await allow(browser, redirect_uri=ELSEWHERE)
    assert location.startswith(f"{ELSEWHERE}?code=")
    assert (await browser.go(authorize()[0])).status_code == 400
    assert app.connections == 0
