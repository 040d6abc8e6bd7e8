"""Clients that others have written, over real HTTP: the code flow with and without PKCE, and the device grant."""

import asyncio
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import Any, TypeVar

import pytest
from authlib.integrations.requests_client import OAuth2Session as AuthlibSession
from oauthlib.oauth2 import InvalidGrantError
from requests_oauth2client import DeviceAuthorizationPollingJob, MismatchingIssuer, OAuth2Client
from requests_oauthlib import OAuth2Session

from tests.harness.browser import Browser
from tests.harness.live import Live
from tests.harness.oauth import CALLBACK, SECRET, OAuthClient, query_of

T = TypeVar("T")
LOOPBACK = "http://127.0.0.1:49152/callback"
SCOPES = ["items:read", "items:write"]


@pytest.fixture(autouse=True)
def _plain_http(monkeypatch: pytest.MonkeyPatch) -> None:
    """The libraries refuse anything but https, unless they are told."""
    for name in ("OAUTHLIB_INSECURE_TRANSPORT", "AUTHLIB_INSECURE_TRANSPORT"):
        monkeypatch.setenv(name, "1")


@pytest.fixture
async def browser(live: Live) -> AsyncIterator[Browser]:
    """Of somebody who is signed in."""
    async with Browser.open(live.url) as browser:
        await browser.sign_up()
        yield browser


async def allowed(browser: Browser, address: str) -> str:
    """Where the person's consent leads."""
    await browser.go(address)
    answer = await browser.send("/oauth/authorize", decision="allow")
    return str(answer.headers["location"])


async def blocking(work: Callable[[], T]) -> T:
    """These clients block."""
    return await asyncio.to_thread(work)


async def who(live: Live, token: str) -> dict[str, Any]:
    me: dict[str, Any] = (await live.get("/v1/me", token)).json()
    return me


@pytest.mark.parametrize("public", [False, True], ids=["secret", "pkce"])
async def test_requests_oauthlib(live: Live, browser: Browser, public: bool) -> None:
    redirect = LOOPBACK if public else CALLBACK
    await OAuthClient.make(live, "app", public=public, redirect_uris=(redirect,))
    with OAuth2Session("app", redirect_uri=redirect, scope=SCOPES, pkce="S256" if public else None) as session:
        address, _ = session.authorization_url(f"{live.url}/oauth/authorize")
        assert ("code_challenge" in query_of(address)) == public
        came_back = await allowed(browser, address)
        proof = {"include_client_id": True, "client_secret": None if public else SECRET}
        tokens = [
            await blocking(
                lambda: session.fetch_token(f"{live.url}/oauth/token", authorization_response=came_back, **proof)
            )
        ]
        saved = await blocking(lambda: session.post(f"{live.url}/actions/items", json={"title": "Milk"}))
        assert saved.status_code == 201
        own = {"client_id": "app"} if public else {"client_id": "app", "client_secret": SECRET}
        refresh = partial(session.refresh_token, f"{live.url}/oauth/token", **own)
        tokens += [await blocking(refresh), await blocking(refresh)]
        found = await blocking(lambda: session.get(f"{live.url}/actions/items", timeout=30))
        assert [item["title"] for item in found.json()["items"]] == ["Milk"]
        with pytest.raises(InvalidGrantError):
            await blocking(
                lambda: session.fetch_token(f"{live.url}/oauth/token", authorization_response=came_back, **proof)
            )
    assert len({token["access_token"] for token in tokens}) == 3
    assert len({token["refresh_token"] for token in tokens}) == (3 if public else 1)


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post", "none"])
async def test_authlib(live: Live, browser: Browser, method: str) -> None:
    public = method == "none"
    redirect = LOOPBACK if public else CALLBACK
    await OAuthClient.make(live, "app", public=public, redirect_uris=(redirect,))
    session = AuthlibSession(
        "app",
        None if public else SECRET,
        token_endpoint_auth_method=method,
        revocation_endpoint_auth_method=method,
        redirect_uri=redirect,
        scope=" ".join(SCOPES),
        code_challenge_method="S256" if public else None,
    )
    verifier = {"code_verifier": "v" * 64} if public else {}
    with session:
        address, state = session.create_authorization_url(f"{live.url}/oauth/authorize", **verifier)
        came_back = await allowed(browser, address)
        token = await blocking(
            lambda: session.fetch_token(
                f"{live.url}/oauth/token", authorization_response=came_back, state=state, **verifier
            )
        )
        assert (await who(live, token["access_token"]))["client"] == "app"
        again = await blocking(
            lambda: session.refresh_token(f"{live.url}/oauth/token", refresh_token=token["refresh_token"])
        )
        assert (await blocking(lambda: session.get(f"{live.url}/actions/items"))).status_code == 200
        told = await blocking(lambda: session.revoke_token(f"{live.url}/oauth/revoke", again["access_token"]))
        assert told.status_code == 200
    for each in (token, again):
        assert (await live.get("/v1/me", each["access_token"])).status_code == 401


async def test_requests_oauth2client_finds_its_way_and_checks_who_answered(live: Live, browser: Browser) -> None:
    await OAuthClient.make(live, "app", public=True, redirect_uris=(LOOPBACK,))
    client = await blocking(
        lambda: OAuth2Client.from_discovery_endpoint(
            f"{live.url}/.well-known/oauth-authorization-server",
            issuer=live.url,
            client_id="app",
            redirect_uri=LOOPBACK,
            testing=True,
        )
    )
    asked = client.authorization_request(scope=SCOPES)
    came_back = await allowed(browser, str(asked))
    with pytest.raises(MismatchingIssuer):
        asked.validate_callback(came_back.replace("&iss=http", "&iss=https"))
    answer = asked.validate_callback(came_back)
    token = await blocking(lambda: client.authorization_code(answer))
    assert (await who(live, token.access_token))["scopes"] == SCOPES
    await blocking(lambda: client.revoke_refresh_token(token))
    assert (await live.get("/v1/me", token.access_token)).status_code == 401


async def test_requests_oauth2client_lets_a_device_in(live: Live, browser: Browser) -> None:
    client = OAuth2Client(
        f"{live.url}/oauth/token",
        device_authorization_endpoint=f"{live.url}/oauth/device_authorization",
        client_id="starling",
        testing=True,
    )
    asked = await blocking(lambda: client.authorize_device(device_name="telescope", device_kind="desktop"))
    job = DeviceAuthorizationPollingJob(client, asked, interval=0)
    assert await blocking(job) is None, "nobody has allowed it"
    await browser.go(str(asked.verification_uri_complete))
    await browser.send("/activate")
    await browser.send("/activate", decision="allow")
    token = await blocking(job)
    assert token is not None
    assert (await who(live, token.access_token))["device"]["name"] == "telescope"
    again = await blocking(lambda: client.refresh_token(token))
    assert (await who(live, again.access_token))["device"]["id"] == token.device_id
