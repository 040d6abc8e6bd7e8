"""Stream tickets: for browsers, which cannot send headers; good for streams alone and no longer than their token."""

import hashlib
import re
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import text

from tests.harness.doors import routes
from tests.harness.listener import Listener
from tests.harness.live import Live
from tests.harness.people import TestDevice
from tests.harness.problems import problem


async def ticket_of(live: Live, device: TestDevice) -> dict[str, Any]:
    response = await live.http.post("/v1/stream/tickets", headers=device.headers)
    assert response.status_code == 200
    answer: dict[str, Any] = response.json()
    return answer


async def with_ticket(live: Live, ticket: str, token: str | None = None) -> Listener:
    listener = Listener(live.url, token, query=f"?ticket={ticket}")
    live.listeners.append(listener)
    return await listener.open()


async def test_a_ticket_opens_streams_again_and_again(live: Live) -> None:
    person = await live.person()
    answer = await ticket_of(live, await person.device())
    assert answer.keys() == {"ticket", "expires_in", "url"}
    assert answer["expires_in"] == 900
    assert answer["url"] == f"{live.url}/v1/stream?ticket={answer['ticket']}"
    for _ in range(3):
        stream = await with_ticket(live, answer["ticket"])
        assert (await stream.until_ready()).names == ["hello", "ready"]
        await stream.close()


async def test_a_ticket_and_a_token_at_once_are_refused(live: Live) -> None:
    device = await (await live.person()).device()
    answer = await ticket_of(live, device)
    response = await live.http.get(answer["url"], headers=device.headers)
    problem(response, 400, "bad_request")


@pytest.mark.case(33, "a ticket in the query and as a token, at every route that needs one")
async def test_a_ticket_is_good_for_streams_alone(live: Live) -> None:
    ticket = (await ticket_of(live, await (await live.person()).device()))["ticket"]
    for route in routes(live.starling):
        method, path = re.sub(r"\{.*?\}", str(uuid4()), route).split()
        if path.startswith(("/v1/", "/actions/")):
            problem(await live.http.request(method, path, headers={"authorization": f"Bearer {ticket}"}), 401)
            if path != "/v1/stream":
                problem(await live.http.request(method, path, params={"ticket": ticket}), 401)


async def test_a_ticket_in_the_header_or_a_token_in_the_query_opens_nothing(live: Live) -> None:
    device = await (await live.person()).device()
    ticket = (await ticket_of(live, device))["ticket"]
    problem(await live.get("/v1/stream", ticket), 401)
    problem(await live.http.get("/v1/stream", params={"ticket": device.token}), 401)


async def test_an_unknown_ticket_is_401(live: Live) -> None:
    for ticket in ("", "stt_unknown", "%00", "%ed%a0%80", "x" * 4000):
        problem(await live.http.get(f"/v1/stream?ticket={ticket}"), 401, "unauthorized")


@pytest.mark.case(33, "a ticket after its device was revoked")
async def test_a_ticket_dies_with_its_device(live: Live) -> None:
    device = await (await live.person()).device()
    answer = await ticket_of(live, device)
    assert (await live.http.delete(f"/v1/devices/{device.id}", headers=device.headers)).status_code == 204
    problem(await live.http.get(answer["url"]), 401, "unauthorized")


@pytest.mark.case(33, "after its token was revoked or ended")
@pytest.mark.parametrize("end", ["revoked = true", "expires_at = now() - interval '1 second'"])
async def test_a_ticket_dies_with_the_token_it_came_from_and_no_other(live: Live, end: str) -> None:
    person = await live.person()
    device = await person.device()
    other = await person._tokens().issue(person.feed_id, client="starling", scopes=["stream"], device_id=device.id)
    dead, good = [await ticket_of(live, TestDevice(device.id, "", token)) for token in (device.token, other)]
    async with live.starling.database.engine.begin() as connection:
        await connection.execute(text("set role none"))
        hashed = hashlib.sha256(device.token.encode()).digest()
        await connection.execute(text(f"update tokens set {end} where hash = :hash"), {"hash": hashed})
    problem(await live.http.get(dead["url"]), 401, "unauthorized")
    await (await with_ticket(live, good["ticket"])).until_ready()


@pytest.mark.case(33, "after its life")
async def test_a_ticket_ends_after_its_life(live: Live) -> None:
    answer = await ticket_of(live, await (await live.person()).device())
    async with live.starling.database.engine.begin() as connection:
        await connection.execute(text("set role none"))
        await connection.execute(text("update tickets set expires_at = expires_at - interval '900 seconds'"))
    problem(await live.http.get(answer["url"]), 401, "unauthorized")


async def test_tickets_are_kept_as_hashes(live: Live) -> None:
    ticket = (await ticket_of(live, await (await live.person()).device()))["ticket"]
    async with live.starling.database.engine.begin() as connection:
        await connection.execute(text("set role none"))
        kept = (await connection.execute(text("select hash from tickets"))).scalars().all()
    assert kept == [hashlib.sha256(ticket.encode()).digest()]
