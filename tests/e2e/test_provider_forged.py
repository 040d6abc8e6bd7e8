"""A sign-in provider that lies, fails, or is away: nobody gets in, and the person is told."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from app.auth import provider
from tests.harness.browser import PASSWORD, Browser
from tests.harness.forger import CLIENT, KEY, OTHER_KEY, SECRET, Forger, forger, honest, public, signed
from tests.harness.live import Live, serving
from tests.store.conftest import Sql, sql

__all__ = ["sql"]  # a fixture


@pytest.fixture
def forged() -> Iterator[Forger]:
    with forger() as running:
        yield running


@pytest.fixture
async def live(forged: Forger, database_url: str, own_dir: Path) -> AsyncIterator[Live]:
    async with serving(database_url, own_dir, **forged.settings()) as running:
        yield running


@pytest.fixture
async def browser(live: Live) -> AsyncIterator[Browser]:
    async with Browser.open(live.url) as opened:
        yield opened


async def away(browser: Browser) -> dict[str, str]:
    """What the provider is asked."""
    await browser.go("/sign-in")
    answer = await browser.go("/sign-in/provider", params={"next": "/activate"})
    assert answer.status_code == 303, answer.text
    return {name: values[0] for name, values in parse_qs(urlsplit(answer.headers["location"]).query).items()}


async def back(browser: Browser, asked: dict[str, str], **more: str) -> int:
    """Comes back with a code; the status."""
    query = urlencode({"code": "c", "state": asked["state"], **more})
    return (await browser.go(f"/sign-in/callback?{query}")).status_code


async def test_an_honest_one_lets_in(forged: Forger, browser: Browser) -> None:
    asked = await away(browser)
    assert asked["tenant"] == "1"
    forged.say(signed(honest(forged.issuer, asked["nonce"], email_verified="true")))
    assert await back(browser, asked) == 200
    assert browser.path == "/activate"
    token = next(each for each in forged.asked if each[0] == "/token")
    assert token[1]["authorization"].startswith("Basic ")
    assert "client_secret" not in token[2]
    assert "/userinfo" not in [path for path, _, _ in forged.asked]


async def test_a_provider_without_basic_gets_the_secret_in_the_form(forged: Forger, browser: Browser) -> None:
    metadata = {**forged.metadata, "token_endpoint_auth_methods_supported": ["client_secret_post"]}
    forged.answers["/.well-known/openid-configuration"] = (200, metadata)
    asked = await away(browser)
    forged.say(signed(honest(forged.issuer, asked["nonce"])))
    assert await back(browser, asked) == 200
    _, headers, body = next(each for each in forged.asked if each[0] == "/token")
    form = {name: values[0] for name, values in parse_qs(body).items()}
    assert (form["client_id"], form["client_secret"]) == (CLIENT, SECRET)
    assert "authorization" not in headers


@pytest.mark.case(34, "tokens of a provider that are unsigned, forged, another's, or of another sign-in")
async def test_forged_tokens_let_nobody_in(forged: Forger, browser: Browser, sql: Sql) -> None:
    first = await away(browser)
    forgeries: tuple[Callable[[str], str], ...] = (
        lambda nonce: signed(honest(forged.issuer, nonce), alg="none"),
        lambda nonce: signed(honest(forged.issuer, nonce), alg="HS256"),
        lambda nonce: signed(honest(forged.issuer, nonce), key=OTHER_KEY),
        lambda nonce: signed(honest("https://evil.example", nonce)),
        lambda nonce: signed(honest(forged.issuer, nonce, aud="another")),
        lambda nonce: signed(honest(forged.issuer, nonce, exp=1)),
        lambda _: signed(honest(forged.issuer, first["nonce"])),
        lambda _: "no token",
    )
    for forge in forgeries:
        asked = await away(browser)
        forged.say(forge(asked["nonce"]))
        assert await back(browser, asked) == 403
        assert browser.form("/sign-in")["next"] == "/activate"
    assert await sql("select 1 from users union all select 1 from sessions") == []


async def test_what_it_says_of_somebody_else_is_refused(forged: Forger, browser: Browser, sql: Sql) -> None:
    for said in ({"sub": "eve", "email": "eve@example.com", "email_verified": True}, {}):
        asked = await away(browser)
        claims = honest(forged.issuer, asked["nonce"])
        del claims["email"]
        forged.say(signed(claims))
        forged.answers["/userinfo"] = (200, said)
        assert await back(browser, asked) == 403
    assert await sql("select 1 from users") == []


BROKEN: tuple[tuple[str, tuple[int, Any]], ...] = (
    ("/token", (500, {})),
    ("/token", (401, {"error": "invalid_client"})),
    ("/token", (400, {"error": "invalid_request"})),
    ("/token", (400, b"no")),
    ("/token", (200, {"access_token": "x"})),
    ("/token", (200, b"<html>")),
    ("/token", (200, b"[" * 100_000)),
    ("/token", (302, {})),
    ("/jwks", (500, {})),
    ("/jwks", (200, {"keys": "none"})),
    ("/jwks", (200, json.dumps({"keys": [public(KEY)]}).encode() + b" " * provider.MAX_BYTES)),
)


async def test_a_broken_one_is_told_as_such(forged: Forger, browser: Browser) -> None:
    forged.headers = {"location": f"{forged.issuer}/elsewhere"}
    for path, answer in BROKEN:
        forged.be_honest()
        asked = await away(browser)
        forged.say(signed(honest(forged.issuer, asked["nonce"])))
        forged.answers[path] = answer
        assert await back(browser, asked) == 503, (path, answer)
        assert "does not answer as it should" in browser.text
        assert browser.response.headers["retry-after"]
        assert browser.form("/sign-in")["next"] == "/activate"
    assert "/elsewhere" not in [path for path, _, _ in forged.asked]


async def test_a_code_that_it_does_not_take_is_the_sign_ins_end(forged: Forger, browser: Browser) -> None:
    asked = await away(browser)
    forged.answers["/token"] = (400, {"error": "invalid_grant"})
    assert await back(browser, asked) == 403


async def test_a_description_that_makes_no_sense_sends_nobody_away(forged: Forger, browser: Browser) -> None:
    await browser.go("/sign-in")
    for wrong in (
        {"issuer": "https://evil.example"},
        {"authorization_endpoint": "javascript:alert(1)"},
        {"token_endpoint": "file:///etc/passwd"},
        {"token_endpoint": "http://[::1"},
        {"jwks_uri": None},
    ):
        forged.answers["/.well-known/openid-configuration"] = (200, {**forged.metadata, **wrong})
        assert (await browser.go("/sign-in/provider")).status_code == 503, wrong
        assert "does not answer as it should" in browser.text
    forged.be_honest()
    assert await away(browser)


async def test_the_server_does_not_wait_for_one_that_hangs(
    forged: Forger, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(provider, "SILENCE_S", 0.2)
    forged.holds.clear()
    await browser.go("/sign-in")
    assert (await browser.go("/sign-in/provider")).status_code == 503


async def test_one_that_is_away_leaves_passwords(database_url: str, own_dir: Path) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        issuer = f"http://127.0.0.1:{nobody.getsockname()[1]}"
        settings: dict[str, Any] = {"oidc_issuer": issuer, "oidc_client_id": CLIENT, "oidc_client_secret": SECRET}
        async with serving(database_url, own_dir, **settings) as live, Browser.open(live.url) as browser:
            await browser.sign_up("ada@example.com")
            await browser.send("/sign-out")
            assert "Sign in with 127.0.0.1" in browser.text
            assert (await browser.go("/sign-in/provider")).status_code == 503
            assert (await browser.send("/sign-in", email="ada@example.com", password=PASSWORD)).status_code == 200


async def test_somebody_new_who_comes_in_two_windows_at_once_has_one_account(
    forged: Forger, live: Live, sql: Sql
) -> None:
    def token(body: str) -> dict[str, str]:
        return {"id_token": signed(honest(forged.issuer, parse_qs(body)["code"][0]))}

    browsers = [Browser.open(live.url) for _ in range(4)]
    asked = [await away(each) for each in browsers]
    forged.answers["/token"] = (200, token)
    returns = (back(each, query, code=query["nonce"]) for each, query in zip(browsers, asked, strict=True))
    assert await asyncio.gather(*returns) == [200] * 4
    assert await sql("select count(*) from users") == [(1,)]
    for each in browsers:
        assert each.path == "/activate"
        await each.http.aclose()
