"""Requests that arrive slowly or never (Slowloris): ended in time, while everybody else is served."""

import asyncio
import json
import socket
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import httpx2
import pytest

from app.hub import transport
from app.hub.arrivals import Arrivals
from tests.harness.counts import times
from tests.harness.live import Live, serving
from tests.harness.problems import problem
from tests.harness.raw import exchange, request
from tests.harness.waiting import eventually

CLIENTS = times(60, full=1000)
PATIENCE_S = times(2, full=30)
CUT_S = PATIENCE_S + 5
PACE_S = PATIENCE_S / 10
HEALTH_S = 1.0
POST = b"POST /actions/items HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
# What a client says at once, and what it then says again and again.
WAYS = {
    "nothing at all": (b"", b""),
    "line ends": (b"", b"\r\n"),
    "a request line": (b"GET /hea", b"x"),
    "headers without an end": (b"GET /healthz HTTP/1.1\r\nHost: x\r\n", b"X-A: b\r\n"),
    "a body, byte by byte": (POST + b"Content-Length: 100000\r\n\r\n{", b" "),
    "chunks, byte by byte": (POST + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
    "a second request": (b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\nGET /hea", b"x"),
}
SILENT = {"nothing at all", "line ends"}


@dataclass
class Slow:
    """A client that keeps a request going, and what it was told in the end, after how many seconds."""

    way: str
    told: bytes = b""
    seconds: float = 0.0

    async def run(self, url: str) -> None:
        """Until the server hangs up."""
        address = urlsplit(url)
        begin, more = WAYS[self.way]
        begun = time.monotonic()
        reader, writer = await asyncio.open_connection(address.hostname, address.port)
        writer.write(begin)
        trickling = asyncio.create_task(self._trickle(writer, more))
        try:
            self.told = await reader.read(-1)
        except ConnectionResetError:
            pass  # hung up on while more was on its way
        finally:
            self.seconds = time.monotonic() - begun
            trickling.cancel()
            writer.transport.abort()

    @staticmethod
    async def _trickle(writer: asyncio.StreamWriter, more: bytes) -> None:
        while more:
            await asyncio.sleep(PACE_S)
            writer.write(more)


@pytest.fixture
async def attacked(database_url: str, own_dir: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Live]:
    """A server that waits PATIENCE_S for a request."""
    monkeypatch.setattr(transport, "PATIENCE_S", PATIENCE_S)
    async with serving(database_url, own_dir) as live:
        yield live


@pytest.fixture
async def impatient(database_url: str, own_dir: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Live]:
    """A server that waits 2 s for a request."""
    monkeypatch.setattr(transport, "PATIENCE_S", 2)
    async with serving(database_url, own_dir) as live:
        yield live


async def health_beside(live: Live, attack: "asyncio.Task[None]") -> list[float]:
    """How long each answer about its health took while the attack lasted, in seconds."""
    took: list[float] = []
    while not attack.done():
        begun = time.monotonic()
        assert (await live.http.get("/healthz")).status_code == 200
        took.append(time.monotonic() - begun)
        await asyncio.sleep(0.1)
    await attack
    return took


async def run_all(live: Live, clients: list[Slow]) -> None:
    await asyncio.wait_for(asyncio.gather(*(client.run(live.url) for client in clients)), 3 * CUT_S)


@pytest.mark.case(25, f"{CLIENTS} clients that send a request slowly, in {len(WAYS)} ways")
async def test_slow_requests_are_ended_while_others_are_served(attacked: Live, saw: Callable[[str], None]) -> None:
    person = await attacked.person()
    stream = await (await attacked.listen(await person.device())).until_ready()
    clients = [Slow(way) for _ in range(CLIENTS // len(WAYS) + 1) for way in WAYS]
    took = await health_beside(attacked, asyncio.create_task(run_all(attacked, clients)))
    told: Counter[tuple[str, int]] = Counter()
    for client in clients:
        told[client.way, client.told.count(b" 408 Request Timeout\r\n")] += bool(client.told)
    assert all(count == 0 for (way, _), count in told.items() if way in SILENT)
    assert all(count == 0 for (way, timeouts), count in told.items() if timeouts != 1)
    assert all(told[way, 1] for way in WAYS if way not in SILENT)
    assert min(client.seconds for client in clients) >= PATIENCE_S
    saw(f"cut after {max(client.seconds for client in clients):.0f} s; health within {max(took) * 1000:.0f} ms")
    assert max(took) <= 3 * HEALTH_S

    await (await attacked.assistant(person)).save()
    await stream.until_seq(1)
    assert not stream.ended


@pytest.mark.control(25, "no time-out for requests")
async def test_control_a_server_that_waits_for_ever_is_found_out(
    database_url: str, own_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transport, "PATIENCE_S", 0.5)
    monkeypatch.setattr(Arrivals, "tick", lambda *_: None)
    async with serving(database_url, own_dir) as live:
        clients = [asyncio.create_task(Slow(way).run(live.url)) for way in WAYS]
        done, waiting = await asyncio.wait(clients, timeout=4)
        assert (len(done), len(waiting)) == (0, len(WAYS))
        for client in waiting:
            client.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)


@pytest.mark.case(25, "a long body at a poor connection's pace")
async def test_a_long_body_may_take_its_time_while_it_comes(
    database_url: str, own_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transport, "PATIENCE_S", 3)
    async with serving(database_url, own_dir) as live:
        device = await (await live.person()).device()
        body = json.dumps({"title": "long"}).encode().ljust(40 * 65_536)
        pieces = [body[at : at + 65_536] for at in range(0, len(body), 65_536)]

        async def come() -> AsyncIterator[bytes]:
            for piece in pieces:
                await asyncio.sleep(0.2)
                yield piece

        headers = {**device.headers, "content-type": "application/json"}
        begun = time.monotonic()
        response = await live.http.post("/actions/items", content=come(), headers=headers)
        assert response.status_code == 201, response.text
        assert time.monotonic() - begun > 7


async def test_a_request_that_has_arrived_may_take_its_time_whatever_comes_after_it(impatient: Live) -> None:
    token, address = await (await impatient.person()).token(), urlsplit(impatient.url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    writer.write(request("GET", "/v1/changes?wait=6", token) + b"GET /hea")
    begun = time.monotonic()
    told = await asyncio.wait_for(reader.read(-1), 60)
    assert time.monotonic() - begun > 5
    first, _, second = told.partition(b"HTTP/1.1 408")
    assert first.startswith(b"HTTP/1.1 200")
    assert b'"items":[]' in first
    assert second
    writer.transport.abort()


async def test_a_request_that_timed_out_is_told_so_as_every_other_error(
    impatient: Live, capsys: pytest.CaptureFixture[str]
) -> None:
    device = await (await impatient.person()).device()
    head = request("POST", "/actions/items", device.token, "content-type: application/json", body=None)
    answer = await exchange(impatient.url, head[:-2] + b"content-length: 50\r\n\r\n{")
    problem(httpx2.Response(answer.status, headers=answer.headers, content=answer.body), 408, "request_timeout")
    await eventually(lambda: not impatient.server.server_state.tasks)
    assert "request.failed" not in "".join(capsys.readouterr())


async def test_nothing_is_kept_of_connections_that_are_gone(impatient: Live) -> None:
    device = await impatient.listen(await (await impatient.person()).device())
    await device.until_ready()
    address = urlsplit(impatient.url)
    for begin, _ in WAYS.values():
        _, writer = await asyncio.open_connection(address.hostname, address.port)
        writer.write(begin)
        await writer.drain()
        writer.transport.abort()
    await impatient.http.get("/healthz")
    begun = impatient.server._arrivals._begun
    await eventually(lambda: not begun, 3 * CUT_S, "the end of all requests")
    assert not device.ended


def answer_to(url: str, sent: bytes) -> bytes:
    """What the server says to bytes that it does not read to their end."""
    address = urlsplit(url)
    with socket.create_connection((address.hostname, address.port), timeout=30) as peer:
        with suppress(ConnectionError):
            peer.sendall(sent)
        told = b""
        with suppress(ConnectionError):
            while data := peer.recv(65_536):
                told += data
        return told


@pytest.mark.case(25, "a head of 16 MB")
async def test_a_head_without_an_end_is_refused(live: Live) -> None:
    head = b"GET /healthz HTTP/1.1\r\nhost: x\r\n" + (b"x-a: " + b"b" * 8000 + b"\r\n") * 2000
    told = await asyncio.to_thread(answer_to, live.url, head)
    assert told.startswith(b"HTTP/1.1 431 Request Header Fields Too Large\r\n"), told


SMUGGLED = {
    "length and encoding": ["content-length: 4", "transfer-encoding: chunked"],
    "encoding and length": ["transfer-encoding: chunked", "content-length: 4"],
    "two lengths": ["content-length: 4", "content-length: 5"],
    "the same length twice": ["content-length: 4", "content-length: 4"],
    "a list of lengths": ["content-length: 4, 4"],
    "a negative length": ["content-length: -1"],
    "a signed length": ["content-length: +4"],
    "a hexadecimal length": ["content-length: 0x4"],
    "a length of 2^64 and 4": ["content-length: 18446744073709551620"],
    "an unknown encoding": ["transfer-encoding: chunked, identity"],
    "an encoding twice": ["transfer-encoding: chunked", "transfer-encoding: identity"],
    "an encoding that looks like it": ["transfer-encoding: xchunked"],
    "a space before the colon": ["content-length : 4"],
    "a folded line": ["x-a: b", " content-length: 4"],
    "a bare line feed": ["x-a: b\ncontent-length: 4"],
    "a bare carriage return": ["x-a: b\rcontent-length: 4"],
    "a null": ["x-a: b\0c"],
}


@pytest.mark.case(25, f"{len(SMUGGLED)} ways to frame a body so that two readers disagree")
@pytest.mark.parametrize("lines", SMUGGLED.values(), ids=SMUGGLED)
async def test_a_request_that_can_be_read_two_ways_is_refused(live: Live, lines: list[str]) -> None:
    head = "\r\n".join(["POST /actions/items HTTP/1.1", "host: x", *lines, "", ""]).encode()
    smuggled = b"0\r\n\r\nGET /healthz HTTP/1.1\r\nhost: x\r\n\r\n"
    answer = await exchange(live.url, head + smuggled)
    assert answer.status == 400, answer
    assert answer.headers["connection"] == "close"
    assert b"ok" not in answer.body
