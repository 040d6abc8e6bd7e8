"""Assistants that save and devices that listen, in one thread, so that one clock tells how long each delivery took."""

import re
import select
import socket
import time
from collections.abc import Sequence
from itertools import count
from typing import NamedTuple
from uuid import uuid4

from bench import clients
from bench.accounts import Account
from bench.server import BenchError

PATIENCE_S = 30.0
_TITLE = re.compile(rb'"title":"Item (\d+) ')
_STATUS = re.compile(rb"HTTP/1\.1 (\d{3})")
_LONGEST_STATUS = len(b"HTTP/1.1 201")


class Played(NamedTuple):
    """Seconds, from when each save was due: until each device had it, and until it was sent. And the client's share."""

    delivered: list[float]
    sent: list[float]
    client_share: float


class Probe:
    """One keep-alive connection an account, one stream a device. Close it after use."""

    def __init__(
        self, port: int, people: Sequence[Account], item_bytes: int, *, streams_port: int | None = None
    ) -> None:
        """`streams_port` is where the streams are, when that is another server than the one at `port`."""
        self._item_bytes = item_bytes
        self._word = uuid4()
        self._numbers = count()
        self._people = people
        self._assistants = [_Assistant(port, account.assistant) for account in people]
        self._devices = [_Device(streams_port or port, token) for account in people for token in account.devices]
        self._due: dict[int, float] = {}
        self._expected: dict[int, int] = {}
        everyone: list[_Assistant | _Device] = [*self._assistants, *self._devices]
        self._readers = {each.socket: each for each in everyone}
        self._delivered: list[float] = []
        self._wait_until_ready()

    def close(self) -> None:
        """Ends every connection."""
        for each in self._readers:
            each.close()

    def play(self, saves: int, rate: float) -> Played:
        """Saves at a fixed schedule, `rate` a second, the accounts by turns, whatever comes of the earlier ones."""
        self._delivered, sent = [], []
        cpu, started = time.process_time(), time.monotonic()
        for number in range(saves):
            due = started + number / rate
            while (left := due - time.monotonic()) > 0:
                self._read(left)
            sent.append(self._save(number % len(self._people), due) - due)
        self._settle()
        share = (time.process_time() - cpu) / (time.monotonic() - started)
        return Played(self._delivered, sent, share)

    def publish(self, saves: int) -> Played:
        """Saves one after the other, each when every device has the last one and it was answered."""
        self._delivered, sent = [], []
        cpu, started = time.process_time(), time.monotonic()
        for number in range(saves):
            due = time.monotonic()
            sent.append(self._save(number % len(self._people), due) - due)
            self._settle()
        share = (time.process_time() - cpu) / (time.monotonic() - started)
        return Played(self._delivered, sent, share)

    def _save(self, place: int, due: float) -> float:
        number = next(self._numbers)
        self._due[number] = due
        self._expected[number] = len(self._people[place].devices)
        self._assistants[place].save(clients.item(self._item_bytes, f"Item {number} {self._word}"))
        return time.monotonic()

    def _settle(self) -> None:
        """Returns when all was delivered and answered."""
        deadline = time.monotonic() + PATIENCE_S
        while self._due or any(each.unanswered for each in self._assistants):
            if time.monotonic() > deadline:
                raise BenchError(f"{len(self._due)} items did not reach every device.")
            self._read(deadline - time.monotonic())

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while not all(device.is_ready for device in self._devices):
            if time.monotonic() > deadline:
                raise BenchError("A stream did not become ready.")
            self._read(deadline - time.monotonic())

    def _read(self, timeout_s: float) -> None:
        ready, _, _ = select.select(self._readers, [], [], max(0.0, timeout_s))
        now = time.monotonic()
        for each in ready:
            for number in self._readers[each].read():
                self._note(number, now)

    def _note(self, number: int, now: float) -> None:
        if number not in self._due:
            raise BenchError(f"Item {number} was received twice.")
        self._delivered.append(now - self._due[number])
        self._expected[number] -= 1
        if not self._expected[number]:
            del self._due[number], self._expected[number]


class _Assistant:
    """A connection that saves; requests may be under way while earlier ones are not answered."""

    def __init__(self, port: int, token: str) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.unanswered = 0
        self._token = token
        self._rest = b""

    def save(self, body: bytes) -> None:
        """Sends the request."""
        self.socket.sendall(clients.post("/actions/items", self._token, body))
        self.unanswered += 1

    def read(self) -> list[int]:
        """Takes answers; no item comes with them."""
        seen = self._rest + _received(self.socket)
        statuses = _STATUS.findall(seen)
        if any(status != b"201" for status in statuses):
            raise BenchError(f"A save was refused: {seen[:300]!r}")
        self.unanswered -= len(statuses)
        self._rest = b"" if seen.endswith(b"}") else seen[1 - _LONGEST_STATUS :]
        return []


class _Device:
    """A stream."""

    def __init__(self, port: int, token: str) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.sendall(clients.get_stream("/v1/stream?cursor=now", token))
        self.is_ready = False
        self._rest = b""

    def read(self) -> list[int]:
        """The numbers of the items that came."""
        *events, self._rest = (self._rest + _received(self.socket)).split(b"\n\n")
        self.is_ready = self.is_ready or any(b"event: ready" in event for event in events)
        return [int(found[1]) for event in events if (found := _TITLE.search(event))]


def _received(connection: socket.socket) -> bytes:
    received = connection.recv(65536)
    if not received:
        raise BenchError("A connection was closed.")
    return received
