"""Attacks on people through their browser."""

import base64
from collections.abc import AsyncIterator
from urllib.parse import quote

import pytest

from tests.e2e.test_oauth_device import ask, poll
from tests.e2e.test_pages import authorize
from tests.harness.browser import PASSWORD, Browser
from tests.harness.live import Live
from tests.harness.oauth import OAuthClient, refused

PAGES = ("/sign-in", "/sign-up", "/account", "/activate", "/oauth/authorize", "/oauth/authorize?client_id=nobody")


@pytest.fixture
async def victim(live: Live) -> AsyncIterator[Browser]:
    """Somebody who is signed in."""
    async with Browser.open(live.url) as browser:
        await browser.sign_up()
        yield browser


@pytest.mark.case(34, "consent, activation and the account's forms without, with another's, and with an older token")
async def test_forged_forms_do_nothing(live: Live, victim: Browser) -> None:
    await OAuthClient.make(live)
    asked = await ask(live)
    device = await (await live.person()).device()
    async with Browser.open(live.url) as attacker:
        await attacker.sign_up()
        foreign, own = attacker.form("/sign-out")["csrf"], victim.form("/sign-out")["csrf"]
    request = authorize().partition("?")[2]
    forms = {
        "/oauth/authorize": {"request": request, "decision": "allow"},
        "/activate": {"user_code": asked["user_code"], "decision": "allow"},
        "/sign-out": {"x": ""},
        f"/account/devices/{device.id}/revoke": {"x": ""},
        f"/account/devices/{device.id}/rename": {"name": "x"},
        f"/account/assistants/{device.id}/revoke": {"x": ""},
    }
    for path, fields in forms.items():
        for csrf in (None, "", foreign, own[:-1], "é"):
            form = fields if csrf is None else {**fields, "csrf": csrf}
            answer = await victim.http.post(path, data=form)
            assert answer.status_code == 403, (path, csrf)
            assert "location" not in answer.headers
        for site in ("cross-site", "same-site"):
            answer = await victim.http.post(path, data={**fields, "csrf": own}, headers={"sec-fetch-site": site})
            assert answer.status_code == 403
    refused(await poll(live, asked), "authorization_pending")
    await victim.go("/account")
    assert victim.path == "/account"
    await victim.send("/sign-out")
    assert (await victim.http.post("/activate", data={**forms["/activate"], "csrf": own})).status_code == 403


@pytest.mark.case(34, "a sign-in into the attacker's account is sent from another page")
async def test_nobody_is_signed_in_to_anothers_account(live: Live) -> None:
    async with Browser.open(live.url) as attacker, Browser.open(live.url) as visitor:
        email = await attacker.sign_up()
        await attacker.send("/sign-out")
        form = attacker.form("/sign-in") | {"email": email, "password": PASSWORD}
        assert (await visitor.http.post("/sign-in", data=form)).status_code == 403
        await visitor.go("/sign-in")
        assert (await visitor.http.post("/sign-in", data=form)).status_code == 403
        assert "starling_session" not in visitor.http.cookies
        assert (await visitor.http.post("/sign-up", data={**form, "email": "new@example.com"})).status_code == 403


@pytest.mark.case(34, "every page in a frame, and with a script: headers forbid both")
async def test_pages_cannot_be_framed_or_scripted(live: Live, victim: Browser) -> None:
    await OAuthClient.make(live)
    for path in (*PAGES, authorize()):
        answer = await victim.go(path)
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "script-src" not in policy
        assert "unsafe" not in policy
        assert answer.headers["x-frame-options"] == "DENY"
        assert answer.headers["cache-control"] == "no-store"
        assert "access-control-allow-origin" not in answer.headers
        assert "<script" not in answer.text
        assert " style=" not in answer.text


async def test_the_session_is_out_of_reach_of_scripts_and_other_sites(live: Live) -> None:
    async with Browser.open(live.url) as browser:
        await browser.go("/sign-up")
        form = {**browser.form("/sign-up"), "email": "ada@example.com", "password": PASSWORD}
        answer = await browser.http.post("/sign-up", data=form)
        cookie = answer.headers["set-cookie"].lower()
        assert "httponly" in cookie
        assert "samesite=lax" in cookie
        assert "path=/" in cookie


async def test_cookies_authenticate_pages_only_and_bearers_never_pages(live: Live, victim: Browser) -> None:
    for path in ("/v1/me", "/v1/items", "/actions/items", "/v1/stream"):
        assert (await victim.http.get(path)).status_code == 401
    device = await (await live.person()).device()
    answer = await live.http.get("/account", headers=device.headers)
    assert (answer.status_code, answer.headers["location"].partition("?")[0]) == (303, "/sign-in")


async def test_signing_in_leads_to_no_other_site(live: Live, victim: Browser) -> None:
    elsewhere = ("https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)")
    for to in (*elsewhere, "", "/a\r\nb: c", "/é"):
        answer = await victim.http.get("/sign-in", params={"next": to})
        assert (answer.status_code, answer.headers["location"]) == (303, "/account"), to
        async with Browser.open(live.url) as browser:
            await browser.go("/sign-in", params={"next": to})
            assert browser.form("/sign-in")["next"] == "/account"


async def test_a_session_ends_on_the_server_too(live: Live, victim: Browser) -> None:
    cookies = dict(victim.http.cookies)
    await victim.send("/sign-out")
    async with Browser.open(live.url) as thief:
        for name, value in cookies.items():
            thief.http.cookies.set(name, value)
        await thief.go("/account")
        assert thief.path == "/sign-in"


async def test_who_registers_itself_sends_nobody_anywhere_without_a_click(live: Live) -> None:
    elsewhere = "https://elsewhere.example/callback"
    made = await live.http.post("/oauth/register", json={"redirect_uris": [elsewhere]})
    assert made.status_code == 201
    asked = {"client_id": made.json()["client_id"], "redirect_uri": elsewhere, "state": "s"}
    for wrong in ({"response_type": "x"}, {"response_type": "code"}, {"response_type": "code", "scope": "root"}):
        answer = await live.http.get("/oauth/authorize", params={**asked, **wrong})
        assert (answer.status_code, answer.headers.get("location")) == (400, None)


async def test_a_form_cookie_that_is_none_of_ours_is_replaced(live: Live) -> None:
    for cookie in ("€", "ÿ", "x", "x" * 44, "a b"):
        answer = await live.http.get("/sign-in", headers={"cookie": f"starling_form={quote(cookie)}"})
        assert answer.status_code == 200
        assert f"starling_form={quote(cookie)}" not in answer.headers["set-cookie"]


@pytest.mark.parametrize("credentials", ["a\0b:c", "a%00b:c"])
async def test_credentials_that_the_database_cannot_hold_are_refused(live: Live, credentials: str) -> None:
    encoded = base64.b64encode(credentials.encode()).decode()
    for path in ("/oauth/token", "/oauth/revoke", "/oauth/introspect", "/oauth/device_authorization"):
        form = {"grant_type": "refresh_token", "refresh_token": "x", "token": "x"}
        answer = await live.http.post(path, data=form, headers={"authorization": f"Basic {encoded}"})
        assert answer.status_code in (400, 401), (path, answer.text)
