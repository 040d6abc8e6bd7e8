"""`starling login` and `logout`: this machine as a device of a server."""

import asyncio
import platform
import time
from typing import get_args

import click
import httpx2
from rich.console import Console

from app.cli import qr
from app.cli.access import Unreachable
from app.cli.credentials import CannotSignIn, Credentials, Token, address, connect
from app.cli.device_grant import Asked, ask, redeem, revoke
from app.cli.listing import printable
from app.model import DeviceKind

SLOWER_S = 5
"""After `slow_down` (RFC 8628, section 3.5)."""
SLOWEST_S = 60


@click.command()
@click.argument("server", default="http://127.0.0.1:8000", callback=address)
@click.option("--name", default=lambda: platform.node() or "command line", help="What the device is called.")
@click.option("--kind", type=click.Choice(get_args(DeviceKind)), default="cli", show_default=True)
def login(server: str, name: str, kind: str) -> None:
    """Sign this machine in to a server.

    It shows an address and a code. You allow it there, in a browser on any machine.
    """
    asyncio.run(_login(server, name, kind))


@click.command()
@click.argument("server", required=False, callback=address)
def logout(server: str | None) -> None:
    """Sign this machine out.

    Its tokens are worth nothing any more, here and on the server.
    """
    credentials = Credentials.chosen(server)
    token = credentials.token()
    asyncio.run(_logout(credentials))
    click.echo(f"Signed out of {token.server}.", err=True)


async def _login(server: str, name: str, kind: str) -> None:
    credentials = Credentials.of(server)
    async with connect(server) as http:
        asked = await ask(http, name, kind)
        _show(asked)
        token = await _wait(http, server, asked)
        async with credentials.locked():
            former = credentials.former()
            path = credentials.keep(token)
        if former is not None:
            await revoke(http, former)
    click.echo(f"Signed in to {server} as {printable(name)}. The token is in {path}.", err=True)


def _show(asked: Asked) -> None:
    """The address and the code, and on a terminal the two as a QR code, for a phone."""
    click.echo(f"Open {printable(asked.verification_uri)} and type {printable(asked.user_code)}", err=True)
    console = Console(stderr=True)
    if asked.verification_uri_complete is None or not console.is_terminal or console.color_system is None:
        return
    drawn = qr.code(asked.verification_uri_complete)
    if drawn.width <= console.width:
        console.print(drawn.text, no_wrap=True)
        click.echo(f"Or scan this, see that it shows {printable(asked.user_code)}, and allow it there.", err=True)


async def _wait(http: httpx2.AsyncClient, server: str, asked: Asked) -> Token:
    interval, ends = asked.interval, time.monotonic() + asked.expires_in
    while time.monotonic() < ends:
        await asyncio.sleep(interval)
        try:
            answer = await redeem(http, server, asked)
        except Unreachable:
            interval = min(2 * interval, SLOWEST_S)
            continue
        if isinstance(answer, Token):
            return answer
        if answer == "slow_down":
            interval += SLOWER_S
    raise CannotSignIn("The code has ended; nobody allowed it.")


async def _logout(credentials: Credentials) -> None:
    async with credentials.locked():
        token = credentials.token()
        async with connect(token.server) as http:
            if not await revoke(http, token):
                raise Unreachable(
                    f"{token.server} does not answer, so this device is still signed in there. Try again, or take "
                    f"its access back on the account's page and remove {credentials.directory}."
                )
        credentials.forget()
