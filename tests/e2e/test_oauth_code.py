"""The code flow over HTTP: with and without PKCE, replays, parallel redeems, redirect addresses."""

import asyncio
import base64

import httpx2
import pytest
from oauthlib.oauth2 import WebApplicationClient

from app.auth.asked import Answer
from app.auth.oauth import Refused
from app.model import Scope
from tests.harness.live import Live
from tests.harness.oauth import CALLBACK, OLD_CALLBACK, SECRET, OAuthClient, pkce, query_of, refused


async def test_a_gpt_gets_tokens_without_pkce_and_uses_them(live: Live) -> None:
    person, gpt = await live.person(), await OAuthClient.make(live)
    response = await gpt.redeem(await gpt.code(person, state="s", scope=""))
    answer = response.json()
    assert answer.keys() == {"access_token", "token_type", "expires_in", "refresh_token", "scope"}
    assert (answer["token_type"], answer["expires_in"]) == ("bearer", 3600)
    assert response.headers["cache-control"] == "no-store"
    me = (await live.get("/v1/me", answer["access_token"])).json()
    assert (me["user"]["email"], me["client"], me["device"]) == (person.email, "gpt", None)
    assert set(me["scopes"]) == set(Scope) - {Scope.STREAM, Scope.DEVICES_MANAGE}


async def test_the_secret_may_come_by_basic_and_a_wrong_one_gets_nothing(live: Live) -> None:
    person, gpt = await live.person(), await OAuthClient.make(live)
    form = {"grant_type": "authorization_code", "redirect_uri": CALLBACK}
    for credentials in (f"gpt:{SECRET}x", "gpt:", "other:x"):
        basic = "Basic " + base64.b64encode(credentials.encode()).decode()
        code = await gpt.code(person)
        answer = await live.http.post("/oauth/token", data={**form, "code": code}, headers={"authorization": basic})
        refused(answer, "invalid_client", answer.status_code)
        assert answer.status_code in (400, 401)
    for header in ("Basic", "Basic /w==", "Basic %", "Basic =", "Bearer x", "Basic é"):
        raw = {b"authorization": header.encode("latin1")}
        answer = await live.http.post("/oauth/token", data={**form, "code": "x"}, headers=raw)
        assert answer.status_code in (400, 401), answer.text
    basic = "Basic " + base64.b64encode(f"gpt:{SECRET}".encode()).decode()
    code = await gpt.code(person)
    answer = await live.http.post("/oauth/token", data={**form, "code": code}, headers={"authorization": basic})
    assert answer.status_code == 200
    refused(await OAuthClient(live, "gpt", None).redeem(await gpt.code(person)), "invalid_client", 401)


async def test_an_independent_client_follows_the_whole_flow_with_pkce(live: Live) -> None:
    person = await live.person()
    await OAuthClient.make(live, "app", public=True, redirect_uris=("http://127.0.0.1/callback",))
    redirect = "http://127.0.0.1:49152/callback"
    library = WebApplicationClient("app")
    library.create_code_verifier(64)
    challenge = library.create_code_challenge(library.code_verifier, "S256")
    asked = query_of(
        library.prepare_request_uri(
            "https://starling.example/oauth/authorize",
            redirect_uri=redirect,
            scope=["items:read", "stream"],
            state="xyz",
            code_challenge=challenge,
            code_challenge_method="S256",
        )
    )
    answer = await live.starling.services.oauth.decide(list(asked.items()), person.feed_id)
    assert isinstance(answer, Answer)
    location = (answer.location or "").replace("http://", "https://")  # the library refuses to read plain http
    assert query_of(location)["iss"] == live.url
    code = library.parse_request_uri_response(location, state="xyz")["code"]
    body = library.prepare_request_body(
        code=code, redirect_uri=redirect, code_verifier=library.code_verifier, device_name="phone", device_kind="mobile"
    )
    form = {"content-type": "application/x-www-form-urlencoded"}
    response = await live.http.post("/oauth/token", content=body, headers=form)
    token = library.parse_request_body_response(response.text)
    assert set(token["scope"]) == {"items:read", "stream"}
    me = (await live.get("/v1/me", token["access_token"])).json()
    assert (me["device"]["id"], me["device"]["name"], me["device"]["kind"]) == (token["device_id"], "phone", "mobile")


@pytest.mark.case(29, "PKCE missing, plain, unnamed, or downgraded at the token request, by public clients")
async def test_public_clients_need_s256(live: Live) -> None:
    person, app = await live.person(), await OAuthClient.make(live, "app", public=True)
    verifier, challenge = pkce()
    for asked in (
        {},
        {"code_challenge": verifier, "code_challenge_method": "plain"},
        {"code_challenge": challenge},
        {"code_challenge_method": "S256"},
        {"code_challenge": "short", "code_challenge_method": "S256"},
        {"code_challenge": challenge, "code_challenge_method": "s256"},
    ):
        answer = await app.answer(person, state="s", **asked)
        assert query_of(answer.location)["error"] == "invalid_request", asked
        assert query_of(answer.location).keys() >= {"state", "iss"}
        assert "code" not in query_of(answer.location)
    good = {"code_challenge": challenge, "code_challenge_method": "S256"}
    for more, error in (
        ({}, "invalid_request"),
        ({"code_verifier": pkce()[0]}, "invalid_grant"),
        ({"code_verifier": challenge}, "invalid_grant"),
        ({"code_verifier": "short"}, "invalid_request"),
    ):
        refused(await app.redeem(await app.code(person, **good), **more), error)
    assert (await app.redeem(await app.code(person, **good), code_verifier=verifier)).status_code == 200


async def test_a_gpt_that_sends_pkce_is_held_to_it(live: Live) -> None:
    person, gpt = await live.person(), await OAuthClient.make(live)
    verifier, challenge = pkce()
    answer = await gpt.answer(person, code_challenge=verifier, code_challenge_method="plain")
    assert query_of(answer.location)["error"] == "invalid_request"
    code = await gpt.code(person, code_challenge=challenge, code_challenge_method="S256")
    refused(await gpt.redeem(code), "invalid_request")


@pytest.mark.case(27, "50 parallel redeems of one code over 50 connections, then a replay")
async def test_of_fifty_that_redeem_a_code_one_gets_a_token_and_a_replay_takes_it_back(wide: Live) -> None:
    person, gpt = await wide.person(), await OAuthClient.make(wide)
    code = await gpt.code(person)
    limits = httpx2.Limits(max_connections=50)
    async with httpx2.AsyncClient(base_url=wide.url, timeout=60, limits=limits) as http:
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": CALLBACK}
        secret = {"client_id": "gpt", "client_secret": SECRET}
        answers = await asyncio.gather(*(http.post("/oauth/token", data={**form, **secret}) for _ in range(50)))
    winners = [answer for answer in answers if answer.status_code == 200]
    assert len(winners) == 1
    for answer in answers:
        if answer not in winners:
            refused(answer, "invalid_grant")
    refused(await gpt.redeem(code), "invalid_grant")
    given = winners[0].json()
    assert (await wide.get("/v1/me", given["access_token"])).status_code == 401
    refused(await gpt.refresh(given["refresh_token"]), "invalid_grant")


async def test_a_replay_cuts_the_streams_of_the_device_that_the_code_let_in(live: Live) -> None:
    person, app = await live.person(), await OAuthClient.make(live, "app", public=True)
    verifier, challenge = pkce()
    code = await app.code(person, scope="stream", code_challenge=challenge, code_challenge_method="S256")
    given = (await app.redeem(code, code_verifier=verifier, device_name="laptop")).json()
    stream = await live.listen_with(given["access_token"])
    await stream.until_ready()
    refused(await app.redeem(code, code_verifier=verifier), "invalid_grant")
    await stream.until_event("revoked", within=6)


async def test_a_code_is_good_for_its_client_and_address_alone(live: Live) -> None:
    person, gpt, other = await live.person(), await OAuthClient.make(live), await OAuthClient.make(live, "other")
    code = await gpt.code(person)
    refused(await other.redeem(code), "invalid_grant")
    assert (await gpt.redeem(code)).status_code == 200
    refused(await gpt.redeem(await gpt.code(person), redirect_uri=OLD_CALLBACK), "invalid_grant")
    form = {"grant_type": "authorization_code", "code": await gpt.code(person)}
    refused(await gpt.post("/oauth/token", **form), "invalid_grant")


NEAR_MISSES = [
    "https://CHATGPT.com/aip/g-1/oauth/callback",
    "https://chatgpt.com:443/aip/g-1/oauth/callback",
    "https://chatgpt.com/aip/g-1/oauth/callback/",
    "https://chatgpt.com/aip/g-1/oauth/callback?x=1",
    "https://chatgpt.com/aip/g-1/oauth/callback#x",
    "https://chatgpt.com/aip/g-2/oauth/callback",
    "https://chatgpt.com/aip/g-1/oauth/../oauth/callback",
    "https://chatgpt.com@evil.example/aip/g-1/oauth/callback",
    "https://evil.example/aip/g-1/oauth/callback",
    "https://chatgpt.com.evil.example/aip/g-1/oauth/callback",
    "http://chatgpt.com/aip/g-1/oauth/callback",
    "https://chatgpt.com/aip/g-1/oauth/callback\r\nlocation: https://evil.example",
    "https://chatgpt.com/aip/g-1/oauth/callback%0d%0a",
    'https://chatgpt.com/"<script>',
    "javascript:alert(1)",
    "//evil.example",
    "http://127.0.0.1.evil.example/callback",
    "http://127.0.0.1:1@evil.example/callback",
    "http://localhost/callback",
    "http://127.0.0.1/other",
    "http://127.0.0.1:49152/callback?x",
    "https://127.0.0.1/callback",
    "http://[::2]/callback",
    "é",
]


@pytest.mark.case(
    31, f"{len(NEAR_MISSES)} near misses: case, port, userinfo, path, dots, encodings, CR LF, other loopback names"
)
async def test_redirect_addresses_match_exactly(live: Live) -> None:
    registered = (CALLBACK, OLD_CALLBACK, "http://127.0.0.1/callback")
    person, gpt = await live.person(), await OAuthClient.make(live, redirect_uris=registered)
    for uri in NEAR_MISSES:
        assert isinstance(await gpt.answer(person, redirect_uri=uri), Refused), uri
    for good in (CALLBACK, OLD_CALLBACK, "http://127.0.0.1:5/callback"):
        assert (await gpt.answer(person, redirect_uri=good)).location.startswith(f"{good}?code=")


async def test_what_is_wrong_with_a_request_goes_back_to_the_client(live: Live) -> None:
    person, gpt = await live.person(), await OAuthClient.make(live, scopes=["items:read"])
    for asked, error in (
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"response_type": '"\\'}, "unsupported_response_type"),
        ({"scope": "everything"}, "invalid_scope"),
        ({"scope": "stream"}, "invalid_scope"),
        ({"resource": "https://elsewhere.example"}, "invalid_target"),
    ):
        location = (await gpt.answer(person, state="s", **asked)).location
        assert location.startswith(CALLBACK)
        assert (query_of(location)["error"], query_of(location)["state"]) == (error, "s")
        assert query_of(location)["iss"] == live.url
    assert query_of((await gpt.answer(None)).location)["error"] == "access_denied"
    for resource in (live.url, f"{live.url}/", f"{live.url}/mcp"):
        assert "code" in query_of((await gpt.answer(person, resource=resource)).location)
    for asked in ({"client_id": "nobody"}, {"client_id": '"'}, {"redirect_uri": ""}):
        assert isinstance(await gpt.answer(person, **asked), Refused)
    assert isinstance(await gpt.answer(person, client_id=""), Refused)


async def test_malformed_token_requests_are_told_apart_from_failures(live: Live) -> None:
    gpt = await OAuthClient.make(live)
    form = {"content-type": "application/x-www-form-urlencoded"}
    for body in (
        b"",
        b"grant_type=authorization_code&code=%00",
        b"grant_type=%ff",
        b"\xff",
        b"grant_type=a&grant_type=b",
        b"&".join(b"x=1" for _ in range(100)),
        b"grant_type=authorization_code&client_id=%22&client_secret=%5c&code=x",
        b"grant_type=refresh_token&client_id=gpt&client_secret=sts_made-up",
        b"grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Adevice_code&client_id=starling",
        "grant_type=authorization_code&client_id=gpt&code=é".encode(),
    ):
        answer = await live.http.post("/oauth/token", content=body, headers=form)
        assert answer.status_code in (400, 401), answer.text
        assert answer.json()["error"]
    answer = await live.http.post("/oauth/token", json={"grant_type": "authorization_code"})
    refused(answer, "invalid_request")
    refused(await gpt.post("/oauth/token", grant_type="password"), "unsupported_grant_type")
    refused(await gpt.post("/oauth/token", grant_type='"'), "unsupported_grant_type")
    refused(await gpt.redeem("nonsense"), "invalid_grant")
    refused(await gpt.redeem("x", resource="https://elsewhere.example"), "invalid_target")
