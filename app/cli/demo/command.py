"""The command: runs the server, tells the story, keeps serving, ends in order."""

import contextlib
import sys
import time
from pathlib import Path

import click
import uvloop

from app.cli.demo.acts import play
from app.cli.demo.cast import Cast, cast
from app.cli.demo.live import Live, invite
from app.cli.demo.screen import Screen
from app.cli.demo.serving import Serving, listening, serving
from app.cli.ending import until_signal
from app.cli.opening import settings
from app.settings import Settings


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8000, show_default=True, type=click.IntRange(0, 65535), help="0 takes a free one.")
@click.option("--once", is_flag=True, help="End after the story: 0, or 1 if a device missed anything.")
def demo(*, host: str, port: int, once: bool) -> None:
    """Watch a change reach every device, then try it yourself.

    Runs a server with a demo user, three devices and an assistant until Ctrl-C.
    """
    read, screen = settings(quiet=True), Screen()
    ended = uvloop.run(until_signal(_demo(read, screen, host, port, once=once)))
    if ended is None:
        screen.stopped()
        ended = int(once)
    sys.exit(ended)


async def _demo(read: Settings, screen: Screen, host: str, port: int, *, once: bool) -> int:
    begun = time.perf_counter()
    postgres = f"its own Postgres in {read.data_dir}" if read.database_url is None else "the Postgres you named"
    with listening(host, port) as listener:
        screen.title("Starling: what an assistant saves is on every device at once.")
        async with contextlib.AsyncExitStack() as stack:
            with screen.waiting(f"Starting a server with {postgres} ..."):
                server = await stack.enter_async_context(serving(read, listener))
            screen.say(
                f"{server.address} is up with {postgres}, after {time.perf_counter() - begun:.1f} s.", style="dim"
            )
            kept = read.data_dir / "demo"
            actors = await stack.enter_async_context(cast(server, kept))
            return await _tell(screen, actors, server, kept, once=once)


async def _tell(screen: Screen, actors: Cast, server: Serving, kept: Path, *, once: bool) -> int:
    faults = await play(actors, screen)
    for fault in faults:
        screen.say(f"FAILED: {fault}.", style="bold red")
    if faults:
        return 1
    screen.say("All is well: every device has everything, in order, nothing twice.", style="bold green")
    invite(screen, actors, server.address, kept, is_live=not once)
    if not once:
        Live(screen, actors.followers)
        await server.end()
    return 0
