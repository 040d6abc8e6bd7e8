"""How clients find their way: metadata, challenges, registration, CORS."""

from typing import Any

import pytest
from authlib.oauth2 import rfc8414, rfc9207

from app.auth import registration
from app.auth.clients import ASSISTANT_SCOPES
from app.auth.oauth import Refused
from app.errors import TooManyRequests
from app.model import Scope
from app.store.clients import Clients
from tests.harness.live import Live
from tests.harness.oauth import OAuthClient, pkce, refused


async def test_the_metadata_names_what_is_there(live: Live) -> None:
    told = (await live.http.get("/.well-known/oauth-authorization-server")).json()
    assert told["issuer"] == live.url
    checked = rfc8414.AuthorizationServerMetadata({**told, "issuer": "https://starling.example"})
    for name in rfc8414.AuthorizationServerMetadata.REGISTRY_KEYS:
        value = checked.get(name)
        if isinstance(value, str) and name != "issuer":
            assert value.startswith(f"{live.url}/")
            checked[name] = value.replace(live.url, "https://starling.example")
    checked.validate(metadata_classes=[rfc9207.AuthorizationServerMetadata])
    assert told["code_challenge_methods_supported"] == ["S256"]
    for name in ("token", "revocation", "introspection", "device_authorization"):
        answer = await live.http.post(told[f"{name}_endpoint"], data={})
        refused(answer, answer.json()["error"], answer.status_code)


@pytest.mark.parametrize(("path", "scopes"), [("", set(Scope)), ("/mcp", ASSISTANT_SCOPES)])
async def test_resources_name_their_server(live: Live, path: str, scopes: set[str]) -> None:
    told = (await live.http.get(f"/.well-known/oauth-protected-resource{path}")).json()
    assert told["resource"] == f"{live.url}{path}"
    assert told["authorization_servers"] == [live.url]
    assert set(told["scopes_supported"]) == scopes


async def test_a_401_says_where_to_begin(live: Live) -> None:
    where = f'resource_metadata="{live.url}/.well-known/oauth-protected-resource"'
    assert (await live.http.get("/v1/me")).headers["www-authenticate"] == f"Bearer {where}"
    answer = await live.get("/v1/me", "nonsense")
    assert answer.headers["www-authenticate"] == f'Bearer error="invalid_token", {where}'


async def test_a_403_says_which_scope_is_missing(live: Live) -> None:
    token = await (await live.person()).token(scopes=[Scope.ITEMS_READ])
    answer = await live.http.post("/actions/items", json={"title": "x"}, headers={"authorization": f"Bearer {token}"})
    where = f'resource_metadata="{live.url}/.well-known/oauth-protected-resource"'
    told = f'Bearer error="insufficient_scope", scope="items:write", {where}'
    assert (answer.status_code, answer.headers["www-authenticate"]) == (403, told)


async def register(live: Live, body: Any) -> Any:
    return await live.http.post("/oauth/register", json=body)


async def test_an_assistant_registers_itself_and_gets_in_with_pkce(live: Live) -> None:
    asked: dict[str, Any] = {
        "client_name": "Claude",
        "redirect_uris": ["https://claude.ai/api/mcp/auth_callback"],
        "unknown": 1,
    }
    answer = await register(live, {**asked, "token_endpoint_auth_method": "none"})
    assert answer.status_code == 201
    made = answer.json()
    assert "client_secret" not in made
    assert made["grant_types"] == ["authorization_code", "refresh_token"]
    person = await live.person()
    client = OAuthClient(live, made["client_id"], None, asked["redirect_uris"][0])
    given = await client.grant(person)
    assert Scope.DEVICES_MANAGE not in given["scope"]
    assert (await live.get("/v1/me", given["access_token"])).json()["client"] == made["client_id"]


async def test_one_that_wants_a_secret_gets_it_and_needs_pkce_all_the_same(live: Live) -> None:
    uri = "https://app.example/done"
    made = (await register(live, {"redirect_uris": [uri], "client_name": "App"})).json()
    client = OAuthClient(live, made["client_id"], made["client_secret"], uri)
    person = await live.person()
    assert isinstance(await client.answer(person), Refused)
    verifier, challenge = pkce()
    code = await client.code(person, code_challenge=challenge, code_challenge_method="S256")
    assert (await client.redeem(code, code_verifier=verifier)).status_code == 200


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ([], "invalid_client_metadata"),
        ({}, "invalid_redirect_uri"),
        ({"redirect_uris": "https://a.example/"}, "invalid_client_metadata"),
        ({"redirect_uris": ["http://a.example/"]}, "invalid_redirect_uri"),
        ({"redirect_uris": ["javascript:alert(1)"]}, "invalid_redirect_uri"),
        ({"redirect_uris": ["https://a.example/"] * 11}, "invalid_redirect_uri"),
        ({"redirect_uris": ["https://a.example/"], "client_name": 5}, "invalid_client_metadata"),
        ({"redirect_uris": ["https://a.example/"], "client_name": "a\u202e"}, "invalid_client_metadata"),
        ({"redirect_uris": ["https://a.example/"], "scope": "everything"}, "invalid_client_metadata"),
        ({"redirect_uris": ["https://a.example/"], "response_types": ["token"]}, "invalid_client_metadata"),
        ({"redirect_uris": ["https://a.example/"], "token_endpoint_auth_method": "x"}, "invalid_client_metadata"),
    ],
)
async def test_what_cannot_be_registered(live: Live, body: Any, error: str) -> None:
    refused(await register(live, body), error)


async def test_registering_is_limited(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registration, "PER_HOUR", 2)
    body = {"redirect_uris": ["https://a.example/"]}
    assert [(await register(live, body)).status_code for _ in range(3)] == [201, 201, 429]
    answer = await register(live, body)
    assert 0 < int(answer.headers["retry-after"]) <= 3600


async def test_a_site_with_many_networks_registers_no_more_than_some_and_nobody_is_refused_for_it(
    live: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registration, "PER_HOUR_OF_SITE", 3)
    monkeypatch.setattr(registration, "MAX_UNUSED", 2)
    registrar, body = live.starling.services.registrar, {"redirect_uris": ["https://a.example/"]}
    for number in range(3):
        assert (await registrar.register(body, f"2001:db8:1:{number}::1")).status == 201
    with pytest.raises(TooManyRequests):
        await registrar.register(body, "2001:db8:1:9::1")
    newest = await registrar.register(body, "2001:db8:2::1")
    kept = [each.id for each in await Clients(live.starling.database).all()]
    assert len(kept) == 2
    assert newest.body["client_id"] in kept


async def test_pages_of_other_origins_may_call_what_programs_call(live: Live) -> None:
    for path in ("/oauth/token", "/oauth/revoke", "/oauth/device_authorization"):
        answer = await live.http.post(path, data={}, headers={"origin": "https://app.example"})
        assert answer.headers["access-control-allow-origin"] == "*"
    answer = await live.http.post("/oauth/introspect", data={}, headers={"origin": "https://app.example"})
    assert "access-control-allow-origin" not in answer.headers
