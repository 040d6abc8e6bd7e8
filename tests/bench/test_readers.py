"""The reading process's loop: what it counts, and that a lost, doubled or cut stream is seen."""

import socket
from collections.abc import Iterator
from contextlib import suppress
from threading import Thread

import pytest

from bench.readers import Room
from bench.server import BenchError

READY = b"event: ready\n\n"
EVENT = b"event: item\ndata: {}\n\n"


class Source:
    """Accepts connections and sends each the same pieces, one segment each, when it has its request."""

    def __init__(self, *pieces: bytes, ends: bool = False) -> None:
        self._pieces, self._ends = pieces, ends
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = []
        self.port = self._listener.getsockname()[1]
        self._thread = Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        with suppress(OSError):  # closed
            while True:
                self._open.append(self._listener.accept()[0])
                self._serve(self._open[-1])

    def _serve(self, connection: socket.socket) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.recv(100)
        for piece in self._pieces:
            connection.sendall(piece)
        if self._ends:
            connection.close()

    def close(self) -> None:
        """Ends it."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        for each in (self._listener, *self._open):
            each.close()


@pytest.fixture
def room(monkeypatch: pytest.MonkeyPatch) -> Iterator[Room]:
    monkeypatch.setattr("bench.readers.PATIENCE_S", 10)
    made = Room()
    yield made
    made.close()


@pytest.mark.parametrize("cut", range(1, len(READY + EVENT)))
def test_events_are_counted_wherever_they_are_cut(room: Room, cut: int) -> None:
    sent = READY + EVENT
    source = Source(sent[:cut], sent[cut:])
    room.open(source.port, [b"x", b"x"], b"event: ready", 8)
    room.total(2)
    assert room.count(1) == 2
    room.close()
    source.close()


def test_an_event_too_many_is_seen(room: Room) -> None:
    source = Source(READY + EVENT + EVENT)
    room.open(source.port, [b"x"], b"event: ready", 1)
    with pytest.raises(BenchError, match="2 items were received where 1"):
        room.total(1)
    room.close()
    source.close()


def test_a_stream_that_ends_is_seen(room: Room) -> None:
    source = Source(READY, ends=True)
    with pytest.raises(BenchError, match="A stream ended"):
        room.open(source.port, [b"x"], b"event: hello", 8)
    source.close()


def test_streams_are_opened_again_after_closing(room: Room) -> None:
    source = Source(READY + EVENT)
    for _ in range(2):
        room.open(source.port, [b"x"] * 20, b"event: ready", 3)
        room.total(20)
        room.close()
    source.close()
