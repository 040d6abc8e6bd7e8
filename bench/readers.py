"""Many connections that are read by one loop: what the reading process does."""

import select
import socket
import time
from multiprocessing.connection import Connection

from bench.server import BenchError

ITEM = b"event: item\n"
"""What begins each counted event."""
PATIENCE_S = 120.0
POLL_S = 0.05


class _Reader:
    """One connection: how many item events it has seen, and whether its mark."""

    __slots__ = ("events", "is_ended", "is_open", "last", "mark", "request", "rest", "socket")

    def __init__(self, port: int, request: bytes, mark: bytes) -> None:
        self.socket = socket.socket()
        self.socket.setblocking(False)
        self.socket.connect_ex(("127.0.0.1", port))
        self.request = request
        self.mark = mark
        self.is_open = self.is_ended = False
        self.events = 0
        self.rest = self.last = b""

    def connected(self) -> None:
        """Asks for the stream."""
        try:
            self.socket.sendall(self.request)
        except OSError as error:
            self.last, self.is_ended = str(error).encode(), True
        self.is_open = not self.mark

    def read(self) -> int:
        """Takes what has come; how many item events that was."""
        try:
            received = self.socket.recv(65536)
        except BlockingIOError:
            return 0
        except OSError:
            received = b""
        if not received:
            self.is_ended = True
            return 0
        self.last = received
        seen = self.rest + received
        came = seen.count(ITEM)
        self.events += came
        self.is_open = self.is_open or self.mark in seen
        self.rest = b"" if seen.endswith(b"\n") else seen[-len(ITEM) :]
        return came


class Room:
    """All connections of the reading process."""

    def __init__(self) -> None:
        self._poll = select.epoll()
        self._readers: dict[int, _Reader] = {}
        self._ended: _Reader | None = None
        self._opening = self._events = 0

    def open(self, port: int, requests: list[bytes], mark: bytes, at_once: int) -> float:
        """Seconds until every new connection has received `mark`."""
        started = time.monotonic()
        for request in requests:
            reader = _Reader(port, request, mark)
            self._readers[reader.socket.fileno()] = reader
            self._poll.register(reader.socket, select.EPOLLOUT)
            self._opening += 1
            while self._opening >= at_once:
                self._read()
        while self._opening:
            self._read()
            if time.monotonic() - started > PATIENCE_S:
                raise BenchError(f"{self._opening} streams did not become ready.")
        return time.monotonic() - started

    def close(self) -> None:
        """Ends all connections and forgets what they received."""
        for reader in self._readers.values():
            reader.socket.close()
        self._readers.clear()
        self._opening = self._events = 0
        self._ended = None

    def count(self, events: int) -> int:
        """Waits until each has received so many item events; what all have."""
        deadline = time.monotonic() + PATIENCE_S
        while any(reader.events < events for reader in self._readers.values()):
            self._read_before(deadline)
        return self._events

    def total(self, events: int) -> None:
        """Waits until all together have received so many item events, and not more."""
        deadline = time.monotonic() + PATIENCE_S
        while self._events < events:
            self._read_before(deadline)
        if self._events > events:
            raise BenchError(f"{self._events} items were received where {events} were sent.")

    def sample(self) -> bytes:
        """One item event as it came: the shortest, for a longer one has a comment with it."""
        return min((reader.last for reader in self._readers.values() if reader.last.count(ITEM) == 1), key=len)

    def _read_before(self, deadline: float) -> None:
        if time.monotonic() > deadline:
            raise BenchError("Not every stream received every item.")
        self._read()

    def _read(self) -> None:
        self._read_ready(POLL_S)
        if self._ended is not None:
            raise BenchError(f"A stream ended: {self._ended.last[-300:]!r}")

    def read_on(self, pipe: Connection) -> None:
        """Reads until a command comes."""
        self._poll.register(pipe, select.EPOLLIN)
        while not pipe.poll():
            self._read_ready(None)
        self._poll.unregister(pipe)

    def _read_ready(self, timeout_s: float | None) -> None:
        for number, _ in self._poll.poll(timeout_s, 4096):
            reader = self._readers.get(number)
            if reader is not None:
                self._advance(number, reader)

    def _advance(self, number: int, reader: _Reader) -> None:
        was_open = reader.is_open
        if reader.request:
            reader.connected()
            reader.request = b""
            self._poll.modify(number, select.EPOLLIN)
        else:
            self._events += reader.read()
        self._opening -= reader.is_open and not was_open
        if reader.is_ended:
            self._ended = reader
            self._poll.unregister(number)
