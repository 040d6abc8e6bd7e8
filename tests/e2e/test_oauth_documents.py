"""Clients that describe themselves at a URL: the whole way over HTTP, with their document on a TLS server."""

from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlencode

import pytest

from app.auth import documents
from app.store.clients import Clients
from tests.harness.browser import Browser
from tests.harness.documents import CALLBACK, HOST, LOCAL, URL, document, served
from tests.harness.live import Live, serving
from tests.harness.oauth import OAuthClient, pkce, query_of, refused
from tests.harness.sites import Site, answer, internet, site


@pytest.fixture
async def app() -> AsyncIterator[Site]:
    """The client's web server."""
    async with site(HOST) as made:
        made.answer = served(document())
        yield made


@pytest.fixture
async def live(database_url: str, own_dir: Path, app: Site) -> AsyncIterator[Live]:
    """A server in an internet with that one."""
    async with serving(database_url, own_dir, internet({HOST: app})) as running:
        yield running


@pytest.fixture
async def browser(live: Live) -> AsyncIterator[Browser]:
    """Of somebody who is signed in."""
    async with Browser.open(live.url) as opened:
        await opened.sign_up()
        yield opened


def authorize(**asked: str) -> tuple[str, str]:
    """The address of the request, and the verifier."""
    verifier, challenge = pkce()
    own = {"response_type": "code", "client_id": URL, "redirect_uri": CALLBACK, "state": "s", "scope": "items:read"}
    proof = {"code_challenge": challenge, "code_challenge_method": "S256"}
    return "/oauth/authorize?" + urlencode({**own, **proof, **asked}), verifier


async def allow(browser: Browser, **asked: str) -> tuple[str, str]:
    """Where the browser is sent once the person has said yes, and the verifier."""
    address, verifier = authorize(**asked)
    assert (await browser.go(address)).status_code == 200, browser.text
    return (await browser.send("/oauth/authorize", decision="allow")).headers["location"], verifier


async def test_a_client_gets_in_by_its_url_and_pkce(live: Live, browser: Browser, app: Site) -> None:
    told = (await live.http.get("/.well-known/oauth-authorization-server")).json()
    assert told["client_id_metadata_document_supported"] is True
    location, verifier = await allow(browser)
    assert location.startswith(f"{CALLBACK}?")
    assert (query_of(location)["state"], query_of(location)["iss"]) == ("s", live.url)
    client = OAuthClient(live, URL, None, CALLBACK)
    given = (await client.redeem(query_of(location)["code"], code_verifier=verifier)).json()
    assert (await live.get("/v1/me", given["access_token"])).json()["client"] == URL
    again = (await client.refresh(given["refresh_token"])).json()
    assert (await live.get("/v1/me", again["access_token"])).status_code == 200
    await allow(browser)
    assert app.connections == 1
    (request,) = app.requests
    lines = request.decode().split("\r\n")
    assert lines[0] == "GET /oauth/client.json HTTP/1.1"
    assert "accept: application/json" in lines
    assert not any(line.lower().startswith(("cookie", "authorization", "referer")) for line in lines)


async def test_the_person_sees_who_says_so_and_can_take_it_back(live: Live, browser: Browser, app: Site) -> None:
    app.answer = served(document(client_name="ChatGPT <b>"))
    await browser.go(authorize()[0])
    assert f"It is described by {HOST} . Either answer takes you back to {HOST} ." in browser.text
    assert "gave itself its name" in browser.text
    assert "any of them can say" not in browser.text
    location, verifier = await allow(browser, redirect_uri="http://127.0.0.1:49152/callback")
    await browser.go(authorize(redirect_uri=LOCAL)[0])
    assert f"any of them can say that it is of {HOST}" in browser.text
    client = OAuthClient(live, URL, None, "http://127.0.0.1:49152/callback")
    token = (await client.redeem(query_of(location)["code"], code_verifier=verifier)).json()["access_token"]
    await browser.go("/account")
    assert f"ChatGPT <b> {HOST} · Since" in browser.text
    form = next(line for line in browser.response.text.splitlines() if "/assistants/" in line)
    await browser.send(form.split('action="')[1].split('"')[0])
    assert (await live.get("/v1/me", token)).status_code == 401


async def test_the_operator_can_revoke_it(live: Live, browser: Browser) -> None:
    location, verifier = await allow(browser)
    client = OAuthClient(live, URL, None, CALLBACK)
    given = (await client.redeem(query_of(location)["code"], code_verifier=verifier)).json()
    clients = Clients(live.starling.database)
    assert [(each.id, each.made_by) for each in await clients.all()] == [(URL, "document")]
    live.starling.bus.publish(await clients.revoke(URL))
    assert (await live.get("/v1/me", given["access_token"])).status_code == 401
    refused(await client.refresh(given["refresh_token"]), "invalid_client")


async def test_strangers_make_the_server_fetch_nothing(live: Live, app: Site) -> None:
    async with Browser.open(live.url) as browser:
        address, _ = authorize()
        await browser.go(address)
        assert browser.path == "/sign-in"
        assert browser.form("/sign-in")["next"] == address
        form = {"grant_type": "authorization_code", "client_id": URL, "code": "x", "redirect_uri": CALLBACK}
        refused(await live.http.post("/oauth/token", data=form), "invalid_client")
        refused(await live.http.post("/oauth/device_authorization", data={"client_id": URL}), "invalid_client")
        refused(await live.http.post("/oauth/revoke", data={"client_id": URL, "token": "x"}), "invalid_client")
    assert app.connections == 0


async def test_no_device_comes_in_by_a_url(live: Live, browser: Browser) -> None:
    await browser.go(authorize()[0])
    refused(await live.http.post("/oauth/device_authorization", data={"client_id": URL}), "unauthorized_client")


REFUSED = [
    (answer("404 Not Found"), "answered 404"),
    (answer("302 Found", location=f"{URL}/"), "answered 302"),
    (served(document(), kind="text/html"), "not served as JSON"),
    (answer(body=b"{}"), "not served as JSON"),
    (answer(body=b"<html>", content_type="application/json"), "cannot be read"),
    (served(document(f"{URL}?")), "client_id"),
    (served(document(token_endpoint_auth_method="private_key_jwt")), "token_endpoint_auth_method"),
    (served(document(x="y" * documents.MAX_BYTES)), "too large"),
    (b"no HTTP\r\n\r\n", "could not be reached"),
]


async def test_what_is_wrong_is_said_on_the_page_and_nowhere_else(
    browser: Browser, app: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(documents, "PER_URL", len(REFUSED) + 1)
    for told, words in REFUSED:
        app.answer = told
        response = await browser.go(authorize()[0])
        assert (response.status_code, browser.path) == (400, "/oauth/authorize")
        assert "location" not in response.headers
        assert URL in browser.text
        assert words in browser.text
    app.answer = served(document(), kind="application/client+json; charset=utf-8")
    assert (await browser.go(authorize()[0])).status_code == 200


async def test_redirect_addresses_are_those_of_the_document(live: Live, browser: Browser) -> None:
    for uri in (f"https://{HOST}/elsewhere", f"{CALLBACK}/", "https://evil.example/"):
        response = await browser.go(authorize(redirect_uri=uri)[0])
        assert (response.status_code, "location" in response.headers) == (400, False)
    response = await browser.go(authorize(code_challenge="")[0])
    assert (response.status_code, "location" in response.headers) == (400, False)
    assert "PKCE" in browser.text
