"""Refreshing, revoking, introspecting over HTTP."""

import asyncio
from typing import Any

import httpx2
import pytest
from sqlalchemy import text

from tests.harness.live import Live
from tests.harness.oauth import SECRET, OAuthClient, refused


async def let_in(live: Live, app: OAuthClient) -> dict[str, Any]:
    """A device's tokens."""
    return await app.grant(await live.person(), scope="stream items:read", device_name="laptop", device_kind="desktop")


async def is_good(live: Live, token: str) -> bool:
    return (await live.get("/v1/me", token)).status_code == 200


@pytest.mark.case(30, "a used token is used again: after its successor was used, and a third time")
async def test_reuse_ends_the_family_and_cuts_streams(live: Live) -> None:
    app = await OAuthClient.make(live, "app", public=True)
    first = await let_in(live, app)
    stream = await live.listen_with(first["access_token"])
    await stream.until_ready()
    second = (await app.refresh(first["refresh_token"])).json()
    assert second["refresh_token"] != first["refresh_token"]
    assert not stream.ended
    third = (await app.refresh(second["refresh_token"])).json()
    assert all([await is_good(live, each["access_token"]) for each in (first, second, third)])
    refused(await app.refresh(first["refresh_token"]), "invalid_grant")
    await stream.until_event("revoked", within=6)
    for each in (first, second, third):
        assert not await is_good(live, each["access_token"])
        refused(await app.refresh(each["refresh_token"]), "invalid_grant")


@pytest.mark.case(30, "the answer to a refresh is lost and the device asks once more")
async def test_a_lost_answer_and_a_retry_lock_nobody_out(live: Live) -> None:
    app = await OAuthClient.make(live, "app", public=True)
    first = await let_in(live, app)
    lost = (await app.refresh(first["refresh_token"])).json()
    kept = (await app.refresh(first["refresh_token"])).json()
    for _ in range(3):
        assert await is_good(live, kept["access_token"])
        kept = (await app.refresh(kept["refresh_token"])).json()
    refused(await app.refresh(lost["refresh_token"]), "invalid_grant")
    assert not await is_good(live, kept["access_token"])


async def test_a_retry_long_after_is_reuse(live: Live) -> None:
    app = await OAuthClient.make(live, "app", public=True)
    first = await let_in(live, app)
    second = (await app.refresh(first["refresh_token"])).json()
    async with live.starling.database.transaction() as connection:
        await connection.execute(text("update refresh_tokens set used_at = used_at - interval '25 hours'"))
    refused(await app.refresh(first["refresh_token"]), "invalid_grant")
    refused(await app.refresh(second["refresh_token"]), "invalid_grant")


@pytest.mark.case(30, "20 parallel uses of one refresh token over 20 connections")
async def test_of_many_parallel_uses_two_are_answered_and_the_rest_end_the_family(wide: Live) -> None:
    app = await OAuthClient.make(wide, "app", public=True)
    first = await let_in(wide, app)
    form = {"grant_type": "refresh_token", "client_id": "app", "refresh_token": first["refresh_token"]}
    async with httpx2.AsyncClient(base_url=wide.url, timeout=60) as http:
        answers = await asyncio.gather(*(http.post("/oauth/token", data=form) for _ in range(20)))
    given = [answer.json() for answer in answers if answer.status_code == 200]
    assert 1 <= len(given) <= 2
    assert {answer.status_code for answer in answers} == {200, 400}
    for each in given:
        refused(await app.refresh(each["refresh_token"]), "invalid_grant")
        assert not await is_good(wide, each["access_token"])


async def test_a_refresh_token_is_good_for_its_client_and_scopes(live: Live) -> None:
    app, other = await OAuthClient.make(live, "app", public=True), await OAuthClient.make(live, "other", public=True)
    first = await let_in(live, app)
    refused(await other.refresh(first["refresh_token"]), "invalid_grant")
    narrow = (await app.refresh(first["refresh_token"], scope="items:read")).json()
    assert narrow["scope"] == "items:read"
    wide = (await app.refresh(narrow["refresh_token"])).json()
    assert set(wide["scope"].split()) == {"items:read", "stream"}
    refused(await app.refresh(wide["refresh_token"], scope="items:write"), "invalid_scope")


async def test_a_client_with_a_secret_keeps_its_refresh_token(live: Live) -> None:
    gpt = await OAuthClient.make(live)
    first = await gpt.grant(await live.person())
    for _ in range(4):
        again = (await gpt.refresh(first["refresh_token"])).json()
        assert again["refresh_token"] == first["refresh_token"]
        assert await is_good(live, again["access_token"])
    refused(await OAuthClient(live, "gpt", f"{SECRET}x").refresh(first["refresh_token"]), "invalid_client", 401)


async def test_a_device_that_was_revoked_cannot_refresh(live: Live) -> None:
    app = await OAuthClient.make(live, "app", public=True)
    first = await let_in(live, app)
    headers = {"authorization": f"Bearer {first['access_token']}"}
    assert (await live.http.delete(f"/v1/devices/{first['device_id']}", headers=headers)).status_code == 204
    refused(await app.refresh(first["refresh_token"]), "invalid_grant")


@pytest.mark.parametrize("which", ["access_token", "refresh_token"])
async def test_revoking_either_token_ends_the_device(live: Live, which: str) -> None:
    app, other = await OAuthClient.make(live, "app", public=True), await OAuthClient.make(live, "other", public=True)
    first = await let_in(live, app)
    stream = await live.listen_with(first["access_token"])
    await stream.until_ready()
    refused(await other.post("/oauth/revoke", token=first[which]), "invalid_grant")
    assert not stream.ended
    assert (await app.post("/oauth/revoke", token=first[which], token_type_hint="anything")).status_code == 200
    await stream.until_event("revoked", within=6)
    assert not await is_good(live, first["access_token"])
    refused(await app.refresh(first["refresh_token"]), "invalid_grant")
    assert (await app.post("/oauth/revoke", token=first[which])).status_code == 200
    assert (await app.post("/oauth/revoke", token="nonsense")).status_code == 200
    refused(await app.post("/oauth/revoke"), "invalid_request")


async def test_a_token_from_the_command_line_can_be_revoked(live: Live) -> None:
    person = await live.person()
    device = await person.device()
    stream = await live.listen(device)
    await stream.until_ready()
    assert (await OAuthClient(live, "starling", None).post("/oauth/revoke", token=device.token)).status_code == 200
    await stream.until_event("revoked", within=6)
    assert not await is_good(live, device.token)


async def test_a_client_with_a_secret_learns_what_its_tokens_are_worth(live: Live) -> None:
    person, gpt = await live.person(), await OAuthClient.make(live)
    app = await OAuthClient.make(live, "app", public=True)
    given = await gpt.grant(person, scope="items:read")
    told = (await gpt.post("/oauth/introspect", token=given["access_token"])).json()
    assert (told["active"], told["client_id"], told["scope"], told["iss"]) == (True, "gpt", "items:read", live.url)
    assert told["exp"] - told["iat"] == 3600
    assert (await gpt.post("/oauth/introspect", token=given["refresh_token"])).json()["active"]
    foreign = await app.grant(person)
    for token in (foreign["access_token"], "nonsense"):
        assert (await gpt.post("/oauth/introspect", token=token)).json() == {"active": False}
    refused(await app.post("/oauth/introspect", token=foreign["access_token"]), "invalid_client", 401)
    assert (await gpt.post("/oauth/revoke", token=given["access_token"])).status_code == 200
    assert (await gpt.post("/oauth/introspect", token=given["refresh_token"])).json() == {"active": False}
