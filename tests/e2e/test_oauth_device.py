"""The device grant over HTTP (RFC 8628)."""

import asyncio
from typing import Any
from urllib.parse import urlsplit

import httpx2
import pytest
from oauthlib.oauth2 import DeviceClient
from sqlalchemy import text

from app.errors import TooManyRequests
from app.model import DEVICE_SCOPES
from tests.harness.live import Live
from tests.harness.oauth import DEVICE_GRANT, OAuthClient, account_of, query_of, refused
from tests.harness.people import Person

CLIENT = "starling"


async def ask(live: Live, **form: str) -> dict[str, Any]:
    """A device asks to be let in."""
    named = {"client_id": CLIENT, "device_name": "Ada's phone", "device_kind": "mobile", **form}
    response = await live.http.post("/oauth/device_authorization", data=named)
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    return answer


async def poll(live: Live, asked: dict[str, Any], client: str = CLIENT, **more: str) -> httpx2.Response:
    form = {"grant_type": DEVICE_GRANT, "device_code": asked["device_code"], "client_id": client, **more}
    return await live.http.post("/oauth/token", data=form)


async def answer(live: Live, person: Person, asked: dict[str, Any], *, approved: bool = True) -> bool:
    account = await account_of(live, person)
    return await live.starling.services.activation.answer(asked["user_code"], account, "192.0.2.9", approved=approved)


async def test_a_device_is_let_in_and_streams(live: Live) -> None:
    person = await live.person()
    asked = await ask(live)
    assert asked["expires_in"] <= 600
    assert asked["interval"] == 5
    assert asked["verification_uri"] == f"{live.url}/activate"
    assert query_of(asked["verification_uri_complete"]) == {"user_code": asked["user_code"]}
    refused(await poll(live, asked), "authorization_pending")
    assert await answer(live, person, asked)
    token = (await poll(live, asked)).json()
    assert (token["token_type"], token["expires_in"]) == ("bearer", 3600)
    assert set(token["scope"].split()) == DEVICE_SCOPES
    me = (await live.get("/v1/me", token["access_token"])).json()
    device = me["device"]
    assert (device["id"], device["name"], device["kind"]) == (token["device_id"], "Ada's phone", "mobile")
    stream = await live.listen_with(token["access_token"])
    await stream.until_ready()
    refused(await OAuthClient(live, CLIENT, None).refresh("nonsense"), "invalid_grant")
    again = await OAuthClient(live, CLIENT, None).refresh(token["refresh_token"])
    assert again.json()["device_id"] == token["device_id"]
    assert not stream.ended


async def test_an_independent_client_follows_the_flow(live: Live) -> None:
    person = await live.person()
    library = DeviceClient(CLIENT)
    uri = library.prepare_request_uri("https://starling.example/oauth/device_authorization", scope=["items:read"])
    asked = (await live.http.post("/oauth/device_authorization", data=query_of(uri))).json()
    assert await answer(live, person, asked)
    body = library.prepare_request_body(asked["device_code"], include_client_id=True)
    form = {"content-type": "application/x-www-form-urlencoded"}
    response = await live.http.post("/oauth/token", content=body, headers=form)
    token = library.parse_request_body_response(response.text)
    assert token["scope"] == ["items:read"]
    assert token["device_id"]


async def test_a_device_may_be_named_at_the_token_request_unless_the_person_saw_a_name(live: Live) -> None:
    person = await live.person()
    for asked, name in ((await ask(live, device_name=""), "late"), (await ask(live), "Ada's phone")):
        await answer(live, person, asked)
        token = (await poll(live, asked, device_name="late", device_kind="desktop")).json()
        assert (await live.get("/v1/me", token["access_token"])).json()["device"]["name"] == name


@pytest.mark.case(28, "a device polls without pause; its request is denied, ends, is asked for by another client")
async def test_polling_too_fast_slows_down_and_a_refusal_is_final(live: Live) -> None:
    person, asked = await live.person(), await ask(live)
    errors = [(await poll(live, asked)).json()["error"] for _ in range(4)]
    assert errors[0] == "authorization_pending"
    assert errors[-1] == "slow_down"
    assert await answer(live, person, asked, approved=False)
    assert not await answer(live, person, asked)
    refused(await poll(live, asked), "access_denied")
    await OAuthClient.make(live, "app", public=True)
    other = await ask(live)
    await answer(live, person, other)
    refused(await poll(live, other, client="app"), "invalid_grant")
    ended = await ask(live)
    async with live.starling.database.transaction() as connection:
        await connection.execute(text("update device_codes set expires_at = now()"))
    refused(await poll(live, ended), "expired_token")
    assert not await answer(live, person, ended)


@pytest.mark.case(27, "50 parallel redeems of one device code over 50 connections, then a replay")
async def test_of_fifty_that_redeem_a_device_code_one_gets_a_token(wide: Live) -> None:
    person, asked = await wide.person(), await ask(wide)
    await answer(wide, person, asked)
    form = {"grant_type": DEVICE_GRANT, "device_code": asked["device_code"], "client_id": CLIENT}
    limits = httpx2.Limits(max_connections=50)
    async with httpx2.AsyncClient(base_url=wide.url, timeout=60, limits=limits) as http:
        answers = await asyncio.gather(*(http.post("/oauth/token", data=form) for _ in range(50)))
    winners = [each for each in answers if each.status_code == 200]
    assert len(winners) == 1
    refused(await poll(wide, asked), "invalid_grant")
    assert (await wide.get("/v1/me", winners[0].json()["access_token"])).status_code == 401


@pytest.mark.case(28, "codes are guessed: five tries for a person, whatever they are; 50 for an address")
async def test_a_person_has_five_tries_and_an_address_more(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    person, asked = await live.person(), await ask(live)
    account, activation = await account_of(live, person), live.starling.services.activation
    typed = asked["user_code"].lower().replace("-", " ")
    found = await activation.find(typed, account, "192.0.2.1")
    assert found is not None
    assert (found.device_name, found.device_kind, found.client_name) == ("Ada's phone", "mobile", "Starling")
    assert found.address == "127.0.0.1"
    for guess in ("BBBB-BBBB", "", "x" * 1000, "CCCC-CCCC"):
        assert await activation.find(guess, account, "192.0.2.1") is None
        assert await activation.find(typed, account, "192.0.2.1") is not None
    assert await activation.find("\0", account, "192.0.2.1") is None
    with pytest.raises(TooManyRequests):
        await activation.find(typed, account, "192.0.2.2")
    with pytest.raises(TooManyRequests):
        await activation.answer(typed, account, "192.0.2.2", approved=True)
    neighbour = await account_of(live, await live.person())
    assert await activation.find(typed, neighbour, "192.0.2.1") is not None
    monkeypatch.setattr("app.auth.activation.TRIES_PER_ADDRESS", 7)
    for _ in range(2):
        assert await activation.find("BBBB-BBBB", neighbour, "192.0.2.1") is None
    stranger = await account_of(live, await live.person())
    with pytest.raises(TooManyRequests):
        await activation.find(typed, stranger, "192.0.2.1")
    assert await activation.find(typed, stranger, "192.0.2.3") is not None


@pytest.mark.parametrize(
    ("form", "error"),
    [
        ({"device_name": "x" * 101}, "invalid_request"),
        ({"device_name": "a\nb"}, "invalid_request"),
        ({"device_kind": "toaster"}, "invalid_request"),
        ({"scope": "everything"}, "invalid_scope"),
        ({"client_id": "nobody"}, "invalid_client"),
        ({"client_id": "gpt", "client_secret": "sts_made-up"}, "unauthorized_client"),
        ({"resource": "https://elsewhere.example"}, "invalid_target"),
    ],
)
async def test_what_cannot_be_asked_for(live: Live, form: dict[str, str], error: str) -> None:
    await OAuthClient.make(live)
    named = {"client_id": CLIENT, "device_name": "phone", **form}
    response = await live.http.post("/oauth/device_authorization", data=named)
    refused(response, error, response.status_code)
    assert response.status_code in (400, 401)


async def test_the_code_stands_in_no_path(live: Live) -> None:
    asked = await ask(live)
    assert asked["user_code"] not in urlsplit(asked["verification_uri"]).path
