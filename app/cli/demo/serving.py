"""The demo's server: as `starling serve` runs it, within this process."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass

import httpx2

from app.cli.demo.follower import DEADLINE_S
from app.cli.demo.refused import Refused
from app.cli.opening import opened
from app.cli.server import CannotListen, Server, listen
from app.errors import StarlingError
from app.main import Starling
from app.settings import Settings

MAX_PORT = 65535


class PortTaken(StarlingError):
    """Something else uses this port."""

    code = "port_taken"


@dataclass(frozen=True)
class Serving:
    """A server that answers at `address`, and a client to call it with."""

    starling: Starling
    address: str
    http: httpx2.AsyncClient
    task: asyncio.Task[None]

    async def end(self) -> None:
        """Returns when the server has ended by itself, which it should not. Raises what it ended with."""
        await asyncio.wait([self.task])
        await self.task


def listening(host: str, port: int) -> socket.socket:
    """A listening socket. Raises `PortTaken`, `CannotListen`."""
    try:
        return listen(host, port)
    except CannotListen as error:
        if not error.is_taken:
            raise
        raise PortTaken(f"Port {port} is taken. Try: starling demo --port {port % MAX_PORT + 1}") from None


@contextlib.asynccontextmanager
async def serving(read: Settings, listener: socket.socket) -> AsyncIterator[Serving]:
    """Serves, on an open database, while the body runs. Raises `Refused` when the server does not become ready."""
    address = _address(listener)
    async with opened(read) as found:
        starling = Starling(read, found.url, address, found.landmark)
        await starling.prepare()
        # Connections that the environment's proxy would make never reach the loopback.
        client = httpx2.AsyncClient(base_url=address, timeout=DEADLINE_S, trust_env=False)
        async with _running(_Server(starling), listener) as task, client as http:
            await _ready(http, task)
            yield Serving(starling, address, http, task)


class _Server(Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leaves signals to the demo, which ends the server after its devices."""
        yield


@contextlib.asynccontextmanager
async def _running(server: Server, listener: socket.socket) -> AsyncIterator[asyncio.Task[None]]:
    async def serve() -> None:
        try:
            await server.serve([listener])
        except SystemExit:
            raise Refused("The server did not start.") from None

    task = asyncio.create_task(serve())
    try:
        yield task
    finally:
        server.should_exit = True
        await task


async def _ready(http: httpx2.AsyncClient, server: asyncio.Task[None]) -> None:
    asked = asyncio.create_task(http.get("/readyz"))
    await asyncio.wait([asked, server], return_when=asyncio.FIRST_COMPLETED)
    if not asked.done():
        asked.cancel()
        await server
    elif asked.exception() is not None or not asked.result().is_success:
        raise Refused("The server is not ready.")


def _address(listener: socket.socket) -> str:
    """Where this process reaches the listener."""
    host, port = listener.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - looked up, not bound
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
