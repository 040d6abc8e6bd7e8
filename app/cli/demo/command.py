"""The command: opens the database, runs the server, tells the story, keeps serving, ends in order."""

import asyncio
import contextlib
import errno
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator, Coroutine, Iterator

import click
import httpx2
import uvloop

from app.cli.demo.acts import play
from app.cli.demo.assistant import Refused
from app.cli.demo.cast import Cast, cast
from app.cli.demo.follower import DEADLINE_S
from app.cli.demo.live import Live
from app.cli.demo.screen import Screen
from app.cli.opening import opened, settings
from app.cli.server import Server, listen
from app.errors import StarlingError
from app.main import Starling
from app.settings import Settings

INTERRUPTED = -1


class PortTaken(StarlingError):
    """Something else uses this port."""

    code = "port_taken"


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8000, show_default=True, type=click.IntRange(0, 65535), help="0 takes a free one.")
@click.option("--once", is_flag=True, help="End after the story: 0, or 1 if a device missed anything.")
def demo(*, host: str, port: int, once: bool) -> None:
    """Watch a change reach every device, then try it yourself.

    Runs a server with a demo user, three devices and an assistant until Ctrl-C.
    """
    read, screen = settings(quiet=True), Screen()
    ended = uvloop.run(_until_signal(_demo(read, screen, host, port, once=once)))
    if ended == INTERRUPTED:
        screen.console.print("\nStopped.")
    sys.exit(int(once) if ended == INTERRUPTED else ended)


async def _until_signal(work: Coroutine[None, None, int]) -> int:
    """What `work` returns, or `INTERRUPTED` once SIGINT or SIGTERM ended it; it is not disturbed again while it ends."""
    task = asyncio.create_task(work)
    loop = asyncio.get_running_loop()
    signals = (signal.SIGINT, signal.SIGTERM)

    def stop() -> None:
        for number in signals:
            loop.add_signal_handler(number, lambda: None)
        task.cancel()

    for number in signals:
        loop.add_signal_handler(number, stop)
    try:
        return await task
    except asyncio.CancelledError:
        return INTERRUPTED


async def _demo(read: Settings, screen: Screen, host: str, port: int, *, once: bool) -> int:
    begun = time.perf_counter()
    with _listening(host, port) as listener:
        address = _address(listener)
        screen.title("Starling: what an assistant saves is on every device at once.")
        where = f"its own Postgres in {read.data_dir}" if read.database_url is None else "the Postgres you named"
        screen.say(f"Starting the server with {where} ...", "dim")
        async with opened(read) as found:
            starling = Starling(read, found.url, read.public_url or address, found.landmark)
            async with (
                _serving(starling, listener) as server,
                httpx2.AsyncClient(base_url=address, timeout=DEADLINE_S, trust_env=False) as http,
            ):
                await _ready(http, server)
                screen.say(f"It serves {address} after {time.perf_counter() - begun:.1f} s.", "dim")
                async with cast(starling, http) as actors:
                    return await _tell(screen, actors, server, address, once=once)


async def _tell(screen: Screen, actors: Cast, server: asyncio.Task[None], address: str, *, once: bool) -> int:
    faults = await play(actors, screen)
    for fault in faults:
        screen.say(f"FAILED: {fault}.", "bold red")
    if faults:
        return 1
    screen.console.print()
    screen.say("Every device has everything: in order, nothing missed, nothing twice.", "bold green")
    _invite(screen, actors, address, once=once)
    if not once:
        Live(screen, actors.followers)
        await asyncio.wait([server])
        await server
    return 0


def _invite(screen: Screen, actors: Cast, address: str, *, once: bool) -> None:
    screen.console.print()
    screen.say(f"Actions {address}/actions   Stream {address}/v1/stream   Ready {address}/readyz")
    screen.say("Save an item as the assistant" + ("" if once else ", and watch it arrive here:"))
    screen.command(
        f"curl {address}/actions/items -H 'Content-Type: application/json' \\",
        f"  -H 'Authorization: Bearer {actors.token}' \\",
        '  -d "{\\"title\\": \\"Hello at $(date +%T)\\"}"',
    )
    follower = actors.followers[-1]
    screen.say(f"Follow the {follower.name}'s stream:")
    screen.command(f"curl -N {address}/v1/stream \\", f"  -H 'Authorization: Bearer {follower.token}'")
    if not once:
        screen.say("Ctrl-C ends the demo.", "dim")


class _Server(Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leaves signals alone: the demo hears them, and ends the server when its devices are gone."""
        yield


@contextlib.asynccontextmanager
async def _serving(starling: Starling, listener: socket.socket) -> AsyncIterator[asyncio.Task[None]]:
    server = _Server(starling)

    async def serve() -> None:
        try:
            await server.serve([listener])
        except SystemExit as error:
            raise Refused("The server did not start.") from error

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
        return await server
    if asked.exception() is not None or not asked.result().is_success:
        raise Refused("The server is not ready.")
    return None


def _listening(host: str, port: int) -> socket.socket:
    try:
        return listen(host, port)
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        raise PortTaken(f"Port {port} is taken. Try: starling demo --port {port + 1 if port < 65535 else 0}") from None


def _address(listener: socket.socket) -> str:
    """Where this process reaches the listener."""
    host, port = listener.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - compared, not bound
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
