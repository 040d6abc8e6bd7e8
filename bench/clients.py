"""HTTP/1.1 by hand: what a request costs its sender must not be what is measured."""

import asyncio
import http.client
import time
from collections.abc import Iterator, Sequence
from typing import NamedTuple, cast
from uuid import uuid4

import msgspec
import uvloop

from bench.server import BenchError

ROUND_S = 120.0


def get_stream(path: str, token: str) -> bytes:
    """A request that opens a stream. `path` may have a cursor in its query."""
    return f"GET {path} HTTP/1.1\r\nhost: bench\r\nauthorization: Bearer {token}\r\n\r\n".encode()


def post(path: str, token: str, body: bytes) -> bytes:
    """A request with a JSON body."""
    head = (
        f"POST {path} HTTP/1.1\r\nhost: bench\r\nauthorization: Bearer {token}\r\n"
        f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def item(size: int, title: str | None = None) -> bytes:
    """The JSON of a new item, `size` bytes long, by default like no other."""
    said = {"title": title or f"Item {uuid4()}", "collection": "inbox", "tags": ["bench"], "text": ""}
    said["text"] = "x" * (size - len(msgspec.json.encode(said)))
    return msgspec.json.encode(said)


def save_one(connection: http.client.HTTPConnection, token: str, body: bytes) -> None:
    """Saves one item. Raises `BenchError` unless it was created."""
    headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
    connection.request("POST", "/actions/items", body, headers)
    answer = connection.getresponse()
    said = answer.read()
    if answer.status != http.client.CREATED:
        raise BenchError(f"A save was answered with {answer.status}: {said[:300]!r}")


class Spent(NamedTuple):
    """How long calls took, and the CPU that making them took."""

    wall_s: float
    cpu_s: float


def call(port: int, requests: Sequence[Sequence[bytes]]) -> Spent:
    """One keep-alive connection for each sequence of requests, one request at a time on each.

    Raises `BenchError` unless every answer is 201.
    """
    return uvloop.run(_call(port, requests))


async def _call(port: int, requests: Sequence[Sequence[bytes]]) -> Spent:
    loop = asyncio.get_running_loop()
    callers = [_Caller(iter(each), loop.create_future()) for each in requests]
    for caller in callers:
        await loop.create_connection(lambda caller=caller: caller, "127.0.0.1", port)  # type: ignore[misc]
    started, cpu = time.perf_counter(), time.process_time()
    for caller in callers:
        caller.next()
    async with asyncio.timeout(ROUND_S):
        await asyncio.gather(*(caller.done for caller in callers))
    spent = Spent(time.perf_counter() - started, time.process_time() - cpu)
    for caller in callers:
        caller.close()
    return spent


class _Caller(asyncio.Protocol):
    """Sends the next request when the last one was answered."""

    def __init__(self, requests: Iterator[bytes], done: asyncio.Future[None]) -> None:
        self._requests = requests
        self._received = b""
        self.done = done

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def next(self) -> None:
        """Sends one, or is done."""
        request = next(self._requests, None)
        if request is not None:
            self._transport.write(request)
        elif not self.done.done():
            self.done.set_result(None)

    def close(self) -> None:
        """Ends the connection."""
        self._transport.close()

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, end, body = self._received.partition(b"\r\n\r\n")
        if not end or len(body) < _content_length(head):
            return
        self._received = b""
        if not head.startswith(b"HTTP/1.1 201"):
            self._fail(BenchError(f"An answer was not 201: {head[:40]!r} {body[:300]!r}"))
            return
        self.next()

    def connection_lost(self, exc: Exception | None) -> None:
        self._fail(BenchError("A connection was closed."))

    def _fail(self, error: BenchError) -> None:
        if not self.done.done():
            self.done.set_exception(error)


def _content_length(head: bytes) -> int:
    return int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
