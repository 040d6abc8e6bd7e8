"""GET /v1/stream as the contract has it: its start, its credentials, its caps, its life and its end."""

import asyncio
import json
from datetime import timedelta
from pathlib import Path

import pytest

from app.hub import visits
from app.model import Scope
from tests.harness.listener import Listener
from tests.harness.live import Live, serving
from tests.harness.people import Person, TestDevice
from tests.harness.problems import problem
from tests.harness.waiting import eventually


async def raw_stream(live: Live, device: TestDevice, more: str = "", after: bytes = b"") -> Listener:
    """A stream whose request carries more headers, and bytes after it in the same packet."""
    listener = Listener(live.url, f"{device.token}\r\n{more}" if more else device.token)
    live.listeners.append(listener)
    connect = asyncio.open_connection

    async def connected(*arguments: object, **options: object) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await connect(*arguments, **options)  # type: ignore[arg-type]
        write = writer.write
        writer.write = lambda data: write(bytes(data) + after)  # type: ignore[method-assign]
        return reader, writer

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(asyncio, "open_connection", connected)
        return await listener.open()


async def test_head_is_not_allowed(live: Live) -> None:
    device = await (await live.person()).device()
    assert (await live.http.head("/v1/stream", headers=device.headers)).status_code == 405


async def test_headers_of_a_stream(live: Live) -> None:
    device = await live.listen(await (await live.person()).device())
    await device.until_ready()
    assert device.headers["content-type"].partition(";")[0] == "text/event-stream"
    assert device.headers["cache-control"] == "no-store, no-transform"
    assert device.headers["x-accel-buffering"] == "no"
    assert device.headers["access-control-allow-origin"] == "*"
    assert "access-control-allow-credentials" not in device.headers
    exposed = device.headers["access-control-expose-headers"]
    for name in ("etag", "content-range", "content-disposition", "retry-after", "ratelimit", "www-authenticate"):
        assert name in exposed


async def test_a_stream_is_never_compressed(live: Live) -> None:
    device = await raw_stream(live, await (await live.person()).device(), "Accept-Encoding: gzip, br, deflate, zstd")
    await device.until_ready()
    assert "content-encoding" not in device.headers


@pytest.mark.parametrize("authorization", [None, "Bearer stl_unknown", "Basic eDp5", "Bearer", "Bearer \xff"])
async def test_no_good_credential_is_401(live: Live, authorization: str | None) -> None:
    headers = {} if authorization is None else {b"authorization": authorization.encode("latin-1")}
    response = await live.http.get("/v1/stream", headers=headers)
    problem(response, 401, "unauthorized")
    assert response.headers["www-authenticate"].startswith("Bearer")
    assert response.headers["access-control-allow-origin"] == "*"


async def test_a_client_that_is_no_device_is_told_so(live: Live) -> None:
    token = await (await live.person()).token(scopes=[Scope.STREAM, Scope.ITEMS_READ])
    problem(await live.get("/v1/stream", token), 403, "device_required")
    response = await live.http.post("/v1/stream/tickets", headers={"authorization": f"Bearer {token}"})
    problem(response, 403, "device_required")


async def test_a_device_without_the_scope_is_told_so(live: Live) -> None:
    person = await live.person()
    device = await person.device()
    token = await person._tokens().issue(
        person.feed_id, client="starling", scopes=[Scope.ITEMS_READ], device_id=device.id
    )
    problem(await live.get("/v1/stream", token), 403, "insufficient_scope")


async def test_above_the_caps_is_429_and_nobody_else_is_affected(database_url: str, own_dir: Path) -> None:
    async with serving(database_url, own_dir, streams_per_device=2, streams_per_user=3) as live:
        person, other = await live.person(), await live.person()
        laptop, phone = await person.device("laptop"), await person.device("phone")
        streams = [await live.listen(device) for device in (laptop, laptop, phone)]
        for device, limit in ((laptop, 2), (phone, 3)):
            response = await live.get("/v1/stream", device.token)
            assert problem(response, 429, "too_many_streams")["limit"] == limit
            assert int(response.headers["retry-after"]) > 0
        await (await live.listen(await other.device())).until_ready()
        for stream in streams:
            await stream.until_ready()
        await streams[0].close()

        async def has_room() -> bool:
            return (await live.listen(phone)).status == 200

        await eventually(has_room, 15, "a place after a hang-up")


async def test_last_event_id_wins_over_the_query(live: Live) -> None:
    person = await live.person()
    assistant = await live.assistant(person)
    for _ in range(4):
        await assistant.save()
    word = (await live.get("/v1/me", (await person.device()).token)).json()["feed"]["epoch"]
    device = await live.listen(await person.device(), cursor=f"{word}.3", query=f"?cursor={word}.1")
    await device.until_ready()
    assert device.seqs == [4]
    device = await live.listen(await person.device(), query=f"?cursor={word}.1")
    await device.until_ready()
    assert device.seqs == [2, 3, 4]
    device = await live.listen(await person.device(), query="?cursor=now")
    await device.until_ready()
    assert device.seqs == []


PIPELINED = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.mark.parametrize("more", [PIPELINED, PIPELINED * 3, b"\x00\xff garbage \r\n\r\n" * 20, b"GET /v1/str"])
async def test_input_after_the_request_is_discarded(live: Live, more: bytes) -> None:
    person = await live.person()
    device = await live.listen(await person.device())
    at_once = None if b"garbage" in more else await raw_stream(live, await person.device(), after=more)
    await device.until_ready()
    for _ in range(50):
        device.writer.write(more)
    for _ in range(3):
        await (await live.assistant(person)).save()
    for stream in filter(None, (device, at_once)):
        await stream.until_seq(3)
        assert stream.names == ["hello", "ready", "item", "item", "item"]
        assert not stream.ended


async def test_a_comment_comes_again_and_again(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(visits, "KEEPALIVE_S", 1)
    device = await live.listen(await (await live.person()).device())
    await device.until(lambda seen: seen.decoder.comments >= 3, 36)
    assert device.names == ["hello", "ready"]
    assert bytes(device.raw).startswith(b":")


async def test_a_stream_is_rotated_and_the_next_one_goes_on(database_url: str, own_dir: Path) -> None:
    async with serving(database_url, own_dir, stream_lifetime_s=2) as live:
        person = await live.person()
        device = await live.listen(await person.device())
        told = await device.until_event("bye")
        await device.until_end()
        assert json.loads(told.data) == {"reason": "rotate"}
        assert told.retry is not None
        assert 1500 <= told.retry <= 4500
        assert not device.dropped
        await (await live.assistant(person)).save()
        await device.close()
        await device.open()
        await device.until(lambda seen: seen.names.count("ready") == 2)
        assert device.names == ["hello", "ready", "bye", "hello", "item", "ready"]


async def test_a_stream_asks_for_a_new_token_and_ends_with_the_old_one(live: Live) -> None:
    person: Person = await live.person()
    device = await person.device(life=timedelta(seconds=6))
    stream = await live.listen(device)
    asked = await stream.until_event("reauth")
    assert json.loads(asked.data) == {"expires_in": 60}
    told = await stream.until_event("bye", within=20)
    assert json.loads(told.data) == {"reason": "expired"}
    assert (await live.get("/v1/me", device.token)).status_code == 200
    await stream.until_end()
    assert stream.names == ["hello", "ready", "reauth", "bye"]
    assert {event.id for event in stream.events} == {stream.cursor}

    async def refused() -> bool:
        return (await live.listen(device)).status == 401

    await eventually(refused, 18, "the token's end")


@pytest.mark.parametrize("header", ["last-event-id", "authorization"])
async def test_pages_of_other_origins_may_open_streams(live: Live, header: str) -> None:
    response = await live.http.options(
        "/v1/stream",
        headers={
            "origin": "https://example.com",
            "access-control-request-method": "GET",
            "access-control-request-headers": header,
        },
    )
    assert response.status_code in (200, 204)
    assert response.headers["access-control-allow-origin"] == "*"
    assert header in response.headers["access-control-allow-headers"]
    assert response.headers["access-control-max-age"] == "86400"
    assert "access-control-allow-credentials" not in response.headers
