"""A process of its own that holds many connections open and reads what comes, as fast as it comes."""

import multiprocessing
import resource
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Any

from bench.readers import PATIENCE_S, Room
from bench.server import BenchError, cpu_s

OPENING = 128


class Sink:
    """The caller's side. Every method waits for the answer of the other process."""

    def __init__(self, pipe: Connection, pid: int) -> None:
        self._pipe = pipe
        self._pid = pid

    def cpu_s(self) -> float:
        """CPU seconds of the reading process so far."""
        return cpu_s(self._pid)

    def open(self, port: int, requests: Sequence[bytes], mark: bytes, *, at_once: int = OPENING) -> float:
        """Opens a connection for each request; seconds until `mark` was received on all. No mark: until connected.

        At most `at_once` are being opened at the same time.
        """
        return float(self._ask("open", port, list(requests), mark, at_once))

    def close(self) -> None:
        """Ends all connections and forgets them."""
        self._ask("close")

    def count(self, events: int) -> int:
        """Waits until every connection has received so many item events; what all received together."""
        return int(self._ask("count", events))

    def total(self, events: int) -> None:
        """Waits until all together have received so many item events. Raises `BenchError` if they have more."""
        self._ask("total", events)

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
        yield Sink(ours, child.pid or 0)
    finally:
        ours.close()
        child.join(10)
        if child.is_alive():
            child.kill()
            child.join()


def _run(pipe: Connection) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    room = Room()
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
