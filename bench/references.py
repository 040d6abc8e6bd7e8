"""The servers that Starling is compared with: a bare loop in C, and Litestar without a store or a hub behind it.

`python -m bench.references` serves the Litestar ones: the same application with the same authentication, and beside its
routes one that validates a `SaveItem` and echoes it, and one that answers with Litestar's own `ServerSentEvent`.
"""

import asyncio
import shutil
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import structlog
import uvloop
from litestar import Litestar, Response, Router, get, post
from litestar.di import NamedDependency, Provide
from litestar.params import JSONBody
from litestar.response import ServerSentEvent

from app.actions.bodies import SaveItem
from app.actions.items import Caller
from app.api.cors import Cors
from app.api.requests import caller_of, json_response, principal_of
from app.cli.opening import settings
from app.cli.serve import raise_file_limit
from app.cli.server import Server, listen
from app.main import Starling, web_app
from bench.server import BenchError, Running, process, stop
from bench.sink import Sink

SOURCE = Path(__file__).with_name("reference.c")
LITESTAR = ("-m", "bench.references")
log = structlog.get_logger(__name__)


class BareLoop:
    """The C program at work on its sockets."""

    def __init__(self, child: "subprocess.Popen[bytes]", said: IO[bytes], orders: IO[bytes]) -> None:
        self._orders = orders
        self.server = Running(child.pid, int(said.readline()))
        self._sent = 0

    def cost(self, listening: Sink, times: int) -> float:
        """CPU seconds of sending the frame to every socket once; `listening` has received each, when this returns."""
        before = self.server.cpu_s()
        for _ in range(times):
            self._send()
            listening.count(self._sent)
        return (self.server.cpu_s() - before) / times

    def _send(self) -> None:
        self._orders.write(b".")
        self._orders.flush()
        self._sent += 1


@contextmanager
def bare_loop(directory: Path, sockets: int, frame: bytes) -> Iterator[BareLoop | None]:
    """The C program, built in `directory`; None where there is no C compiler."""
    compiler = shutil.which("cc")
    if compiler is None:
        yield None
        return
    program, body = directory / "reference", directory / "frame"
    subprocess.run([compiler, "-O2", "-o", program, SOURCE], check=True)
    body.write_bytes(frame)
    child = subprocess.Popen([program, str(sockets), body], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    if child.stdout is None or child.stdin is None:
        raise BenchError("The C program has no pipes.")
    try:
        yield BareLoop(child, child.stdout, child.stdin)
    finally:
        stop(child)
        child.stdout.close()
        child.stdin.close()


@contextmanager
def litestar(database_url: str, directory: Path) -> Iterator[Running]:
    """The Litestar references, on a database that exists."""
    directory.mkdir()
    settings = {"data_dir": directory, "database_url": database_url}
    with process(LITESTAR, settings, directory / "references.log") as running:
        yield running


@post("/echo", status_code=201)
async def echo(data: JSONBody[SaveItem], caller: NamedDependency[Caller]) -> Response[bytes]:
    """The body, validated as a save validates it, by a caller authenticated as a save's caller is."""
    return json_response(data.model_dump_json(exclude_unset=True).encode(), 201)


@get("/stream")
async def stream(caller: NamedDependency[Caller]) -> ServerSentEvent:
    """One event, then nothing."""

    async def events() -> AsyncIterator[str]:
        yield "ready"
        await asyncio.Event().wait()

    return ServerSentEvent(events())


async def _serve() -> None:
    raise_file_limit()
    read = settings()
    with listen("127.0.0.1", 0) as listener:
        starling = Starling(read, read.database_url or "", "http://bench.invalid")
        server = Server(starling)
        server.config.app = Cors(_with_references(web_app(starling)))
        log.info("starling.listening", address=f"http://127.0.0.1:{listener.getsockname()[1]}")
        await server.serve([listener])


def _with_references(app: Litestar) -> Litestar:
    dependencies = {"principal": Provide(principal_of), "caller": Provide(caller_of)}
    app.register(Router(path="/bench", route_handlers=[echo, stream], dependencies=dependencies))
    return app


if __name__ == "__main__":
    uvloop.run(_serve())
