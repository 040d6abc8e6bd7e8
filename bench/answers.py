"""200 answers at once, each on three devices: what Starling adds to the model's time, and that nothing is lost."""

import http.client
import re
import select
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from app.hub.sse import LAST_CHUNK
from bench import accounts, clients, server
from bench.results import Result, quantile
from bench.server import BenchError

ANSWERS = 200
DEVICES = 3
RATE = 50
"""Pieces of each answer a second."""
SECONDS = 10
PIECES = RATE * SECONDS
PATIENCE_S = 120.0
TARGET_MS = 50.0
NANOSECONDS, MILLISECONDS = 1_000_000_000, 1_000
_MARK = re.compile(rb"<(\d+)>")
_BEGIN = b'{"prompt":"bench","provider":"openai"}'


def run(progress: Callable[[str], None]) -> list[Result]:
    """A model in a process of its own says the time 50 times a second, to each of 200 answers."""
    with server.data_directory() as directory, model() as url:
        address = {"OPENAI_BASE_URL": url}
        with server.starling(directory, environment=address) as starling:
            people = accounts.create(server.database_url(directory), ANSWERS, devices_each=DEVICES)
            devices = [_Device(starling.port, token) for account in people for token in account.devices]
            _read_until(devices, lambda: all(each.is_ready for each in devices))
            progress(f"answers: {ANSWERS} of {PIECES} pieces to {DEVICES} devices each")
            before, cpu, began = starling.cpu_s(), time.process_time(), time.monotonic()
            _begin(starling.port, [account.devices[0] for account in people])
            _read_until(devices, lambda: all(each.is_done for each in devices))
            spent, took = starling.cpu_s() - before, time.monotonic() - began
            share = (time.process_time() - cpu) / took
    return [_result(devices, spent, took, share)]


@contextmanager
def model() -> Iterator[str]:
    """The address of a model API that answers everything."""
    child = subprocess.Popen([sys.executable, "-m", "bench.model", str(RATE), str(PIECES)], stdout=subprocess.PIPE)
    try:
        if child.stdout is None or not (port := child.stdout.readline().strip()):
            raise BenchError("The model did not start.")
        yield f"http://127.0.0.1:{int(port)}/v1"
    finally:
        server.stop(child)
        if child.stdout is not None:
            child.stdout.close()


def _begin(port: int, tokens: Sequence[str]) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port)
    for token in tokens:
        headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
        connection.request("POST", "/v1/answers", _BEGIN, headers)
        answer = connection.getresponse()
        said = answer.read()
        if answer.status != http.client.ACCEPTED:
            raise BenchError(f"An answer was not begun: {answer.status} {said[:300]!r}")


class _Device:
    """A stream: the times that its answer names, and how long each took to get here."""

    def __init__(self, port: int, token: str) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.sendall(clients.get_stream("/v1/stream?cursor=now", token))
        self.is_ready = self.is_done = False
        self.latencies: list[float] = []
        self._rest = b""

    def read(self) -> None:
        """Takes what has come."""
        received = self.socket.recv(262_144)
        now = time.monotonic_ns()
        if not received or received.endswith(LAST_CHUNK):
            raise BenchError("A stream ended.")
        *events, self._rest = (self._rest + received).split(b"\n\n")
        for event in events:
            if b"event: answer\n" in event:
                self.latencies += [(now - int(sent)) / NANOSECONDS for sent in _MARK.findall(event)]
            elif b"event: item\n" in event:
                self._end(event)
            elif b"event: ready\n" in event:
                self.is_ready = True

    def _end(self, item: bytes) -> None:
        said = len(_MARK.findall(item))
        if said != PIECES or len(self.latencies) != PIECES:
            raise BenchError(f"{PIECES} pieces were said, {len(self.latencies)} came, {said} are in the item.")
        self.is_done = True


def _read_until(devices: Sequence[_Device], done: Callable[[], bool]) -> None:
    poll, of = select.epoll(), {each.socket.fileno(): each for each in devices}
    for number in of:
        poll.register(number, select.EPOLLIN)
    deadline = time.monotonic() + PATIENCE_S
    try:
        while not done():
            if time.monotonic() > deadline:
                raise BenchError("Not every device had its answer in time.")
            for number, _ in poll.poll(0.5):
                of[number].read()
    finally:
        poll.close()


def _result(devices: Sequence[_Device], spent: float, took: float, share: float) -> Result:
    latencies = [each for device in devices for each in device.latencies]
    pieces = ANSWERS * PIECES
    return Result(
        f"{ANSWERS} answers on {DEVICES} devices each, p99",
        "ms",
        measured=quantile(latencies, 0.99) * MILLISECONDS,
        note=f"(from the model's socket to the device, {RATE} pieces a second each, none lost; target {TARGET_MS:.0f})",
        client_share=share,
        details={
            "p50 ms": quantile(latencies, 0.5) * MILLISECONDS,
            "slowest ms": max(latencies) * MILLISECONDS,
            "pieces": pieces,
            "deliveries": len(latencies),
            "µs CPU a piece, all deliveries included": spent / pieces * 1_000_000,
            "cores the server used": spent / took,
        },
    )
