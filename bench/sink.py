"""A process of its own that holds many connections open and reads what comes, as fast as it comes."""

import multiprocessing
import resource
import select
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Any

from bench.server import BenchError

ITEM = b"event: item\n"
"""What begins each counted event."""
OPENING = 128
PATIENCE_S = 120.0
POLL_S = 0.05


class Sink:
    """The caller's side. Every method waits for the answer of the other process."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe

    def open(self, port: int, requests: Sequence[bytes], mark: bytes) -> float:
        """Opens a connection for each request; seconds until `mark` was received on all. No mark: until connected."""
        return float(self._ask("open", port, list(requests), mark))

    def count(self, events: int) -> int:
        """Waits until every connection has received so many item events; what all received together."""
        return int(self._ask("count", events))

    def sample(self) -> bytes:
        """The bytes of the item event that was received last."""
        return bytes(self._ask("sample"))

    def _ask(self, *command: object) -> Any:
        self._pipe.send(command)
        if not self._pipe.poll(PATIENCE_S + 5):
            raise BenchError("The reading process does not answer.")
        answer = self._pipe.recv()
        if isinstance(answer, BenchError):
            raise answer
        return answer


@contextmanager
def sink() -> Iterator[Sink]:
    """A reading process, until the body ends."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    child = context.Process(target=_run, args=(theirs,), daemon=True)
    child.start()
    theirs.close()
    try:
        yield Sink(ours)
    finally:
        ours.close()
        child.join(10)
        if child.is_alive():
            child.kill()
            child.join()


class _Reader:
    """One connection: how many item events it has seen, and whether its mark."""

    __slots__ = ("events", "is_ended", "is_open", "last", "mark", "rest", "socket")

    def __init__(self, port: int, request: bytes, mark: bytes) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.sendall(request)
        self.socket.setblocking(False)
        self.mark = mark
        self.is_open = not mark
        self.is_ended = False
        self.events = 0
        self.rest = self.last = b""

    def read(self) -> None:
        """Takes what has come."""
        try:
            received = self.socket.recv(65536)
        except BlockingIOError:
            return
        except OSError:
            received = b""
        if not received:
            self.is_ended = True
            return
        self.last = received
        seen = self.rest + received
        self.events += seen.count(ITEM)
        self.is_open = self.is_open or self.mark in seen
        self.rest = b"" if seen.endswith(b"\n") else seen[-len(ITEM) + 1 :]


class _Room:
    """All connections of the reading process."""

    def __init__(self) -> None:
        self._poll = select.epoll()
        self._readers: dict[int, _Reader] = {}
        self._ended: _Reader | None = None

    def open(self, port: int, requests: list[bytes], mark: bytes) -> float:
        started = time.monotonic()
        opening: list[_Reader] = []
        for request in requests:
            reader = _Reader(port, request, mark)
            self._readers[reader.socket.fileno()] = reader
            self._poll.register(reader.socket, select.EPOLLIN)
            opening.append(reader)
            while len(opening) >= OPENING:
                opening = self._still_opening(opening)
        while opening:
            opening = self._still_opening(opening)
            if time.monotonic() - started > PATIENCE_S:
                raise BenchError(f"{len(opening)} streams did not become ready.")
        return time.monotonic() - started

    def _still_opening(self, opening: list[_Reader]) -> list[_Reader]:
        self._read()
        return [reader for reader in opening if not reader.is_open]

    def count(self, events: int) -> int:
        deadline = time.monotonic() + PATIENCE_S
        while any(reader.events < events for reader in self._readers.values()):
            if time.monotonic() > deadline:
                raise BenchError("Not every stream received every item.")
            self._read()
        return sum(reader.events for reader in self._readers.values())

    def sample(self) -> bytes:
        alone = (reader.last for reader in self._readers.values() if reader.last.count(ITEM) == 1)
        return min(alone, key=len)  # a longer one has a comment with it

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
            if reader is None:
                continue
            reader.read()
            if reader.is_ended:
                self._ended = reader
                self._poll.unregister(number)


def _run(pipe: Connection) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    room = _Room()
    while True:
        room.read_on(pipe)
        try:
            name, *arguments = pipe.recv()
        except EOFError:
            return
        try:
            pipe.send(getattr(room, name)(*arguments))
        except (BenchError, OSError) as error:
            pipe.send(BenchError(str(error)))
