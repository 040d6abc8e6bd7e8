"""Authorization servers that are broken on purpose, most as libraries are by default: the checks must find them out."""

from collections.abc import Awaitable, Callable
from uuid import uuid4

import msgspec
import pytest
from authlib.oauth2.rfc7636 import CodeChallenge
from sqlalchemy import bindparam, delete, select

from app.auth import redirects
from app.auth.grants import S256
from app.store import families, grants
from app.store.codes import Code, Codes
from app.store.families import Families
from app.store.requests import DeviceRequests, Poll
from app.store.tables import authorization_codes, tickets, tokens
from app.store.throttles import Throttles
from tests.e2e import test_oauth_code as code_flow
from tests.e2e import test_oauth_device as device_flow
from tests.e2e import test_oauth_refresh as refreshing
from tests.e2e import test_tickets
from tests.harness.browser import Browser
from tests.harness.live import Live

Check = Callable[[Live], Awaitable[None]]
FOUND_OUT = (AssertionError, KeyError)
"""KeyError: an error was looked for in an answer that is none."""


def look_then_delete(self: Codes, hashed: bytes, client_id: str) -> Code | None:
    """Redeems in two steps, between which others look, too."""
    mine = (authorization_codes.c.hash == hashed, authorization_codes.c.client_id == client_id)
    columns = [authorization_codes.c[name] for name in Code.__struct_fields__]
    row = self._connection.execute(select(*columns).where(*mine)).one_or_none()
    self._connection.execute(delete(authorization_codes).where(*mine))
    return None if row is None else Code(**row._mapping)


@pytest.mark.control(27, "codes that are looked up, then deleted")
async def test_control_codes_that_are_redeemed_in_two_steps(wide: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = Families.add_grant
    monkeypatch.setattr(Codes, "take", look_then_delete)
    monkeypatch.setattr(  # the unique column of grants would save the day
        Families,
        "add_grant",
        lambda self, grant, client: kept(self, msgspec.structs.replace(grant, code_hash=uuid4().bytes), client),
    )
    with pytest.raises(AssertionError, match="== 1"):
        await code_flow.test_of_fifty_that_redeem_a_code_one_gets_a_token_and_a_replay_takes_it_back(wide)


@pytest.mark.control(27, "replays that take nothing back")
@pytest.mark.parametrize(
    "check",
    [
        code_flow.test_of_fifty_that_redeem_a_code_one_gets_a_token_and_a_replay_takes_it_back,
        device_flow.test_of_fifty_that_redeem_a_device_code_one_gets_a_token,
    ],
)
async def test_control_replays_that_take_nothing_back(
    wide: Live, monkeypatch: pytest.MonkeyPatch, check: Check
) -> None:
    monkeypatch.setattr(Families, "revoke_given_for", lambda *_: None)
    with pytest.raises(AssertionError, match="401"):
        await check(wide)


async def answered_guesses(live: Live) -> int:
    """How many wrong codes a person can type on the page until no more are taken; 20 at most."""
    async with Browser.open(live.url) as browser:
        await browser.sign_up()
        await browser.go("/activate")
        for tried in range(20):
            if (await browser.send("/activate", user_code="BBBB-BBBB")).status_code == 429:
                return tried
    return 20


@pytest.mark.case(28, "codes are guessed on the page: five tries, then 429")
async def test_a_person_guesses_five_codes_on_the_page(live: Live) -> None:
    assert await answered_guesses(live) == 5


@pytest.mark.control(28, "a server that does not count tries")
async def test_control_guesses_that_nobody_counts(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    async def hit(*_: object, **__: object) -> None:
        pass

    monkeypatch.setattr(Throttles, "hit", hit)
    assert await answered_guesses(live) == 20


@pytest.mark.control(28, "polling as fast as a device likes")
async def test_control_polls_that_are_never_too_fast(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    polled = DeviceRequests.poll

    def poll(self: DeviceRequests, hashed: bytes, client_id: str) -> Poll | None:
        found = polled(self, hashed, client_id)
        return found and msgspec.structs.replace(found, hasty=False)

    monkeypatch.setattr(DeviceRequests, "poll", poll)
    with pytest.raises(AssertionError, match="slow_down"):
        await device_flow.test_polling_too_fast_slows_down_and_a_refusal_is_final(live)


@pytest.mark.control(29, "PKCE as the library has it by default")
async def test_control_pkce_that_may_be_missing_or_plain(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(S256, "SUPPORTED_CODE_CHALLENGE_METHOD", ["plain", "S256"])
    monkeypatch.setattr(S256, "validate_code_challenge", CodeChallenge.validate_code_challenge)
    with pytest.raises(FOUND_OUT):
        await code_flow.test_public_clients_need_s256(live)


@pytest.mark.control(30, "refresh tokens that can be used again and again")
async def test_control_reuse_that_nobody_notices(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Families, "redeem_refresh", Families.renew_refresh)
    with pytest.raises(FOUND_OUT):
        await refreshing.test_reuse_ends_the_family_and_cuts_streams(live)


@pytest.mark.control(30, "rotation that forgives no lost answer")
async def test_control_a_retry_that_is_taken_for_theft(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(families, "SPENT", 1)
    with pytest.raises(FOUND_OUT):
        await refreshing.test_a_lost_answer_and_a_retry_lock_nobody_out(live)


@pytest.mark.control(31, "redirect addresses that only begin like a registered one; hosts in any case")
async def test_control_addresses_that_nearly_match(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    def matches(registered: list[str], asked: str) -> bool:
        return any(asked.lower().startswith(each.lower()) for each in registered)

    monkeypatch.setattr(redirects, "matches", matches)
    with pytest.raises(AssertionError, match="CHATGPT"):
        await code_flow.test_redirect_addresses_match_exactly(live)


@pytest.mark.control(33, "tickets that outlive their tokens and their time")
async def test_control_tickets_that_outlive_everything(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    any_token = grants._principals()
    any_token._where_criteria = ()
    lasting = any_token.join(tickets, tickets.c.token_hash == tokens.c.hash)
    device = await (await live.person()).device()
    ticket = (await test_tickets.ticket_of(live, device))["ticket"]
    await live.http.delete(f"/v1/devices/{device.id}", headers=device.headers)
    assert (await test_tickets.with_ticket(live, ticket)).status == 401
    monkeypatch.setattr(grants, "_BY_TICKET", lasting.where(tickets.c.hash == bindparam("hash")))
    assert (await test_tickets.with_ticket(live, ticket)).status == 200
