"""`starling login` and `logout`: this machine as a device of a server (RFC 8628, RFC 7009)."""

import asyncio
import platform
import time
from typing import Any, get_args

import click
import httpx2
import msgspec
from rich.console import Console

from app.cli import qr
from app.cli.access import Unreachable, read_object
from app.cli.credentials import CannotSignIn, Credentials, SignedOut, Token, address, connect
from app.cli.listing import printable
from app.model import OWN_CLIENT, DeviceKind

DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"
SLOWER_S = 5
"""After `slow_down` (RFC 8628, section 3.5)."""
SLOWEST_S = 60


class Asked(msgspec.Struct, frozen=True):
    """What a device is to show, and to wait with (RFC 8628, section 3.2). Times in seconds."""

    device_code: str
    user_code: str
    verification_uri: str
    expires_in: float
    interval: float = 5.0
    verification_uri_complete: str | None = None


@click.command()
@click.argument("server", default="http://127.0.0.1:8000", callback=address)
@click.option("--name", default=lambda: platform.node() or "command line", help="What the device is called.")
@click.option("--kind", type=click.Choice(get_args(DeviceKind)), default="cli", show_default=True)
def login(server: str, name: str, kind: str) -> None:
    """Sign this machine in to a server: you allow it in a browser, on any machine."""
    asyncio.run(_login(server, {"client_id": OWN_CLIENT, "device_name": name, "device_kind": kind}))


@click.command()
@click.argument("server", required=False, callback=address)
def logout(server: str | None) -> None:
    """Sign this machine out: its tokens are worth nothing any more, here and on the server."""
    credentials = Credentials.chosen(server)
    token = credentials.token()
    asyncio.run(_logout(credentials))
    click.echo(f"Signed out of {token.server}.", err=True)


async def _login(server: str, named: dict[str, str]) -> None:
    credentials = Credentials.of(server)
    async with connect(server) as http:
        asked = _asked(await _post(http, "/oauth/device_authorization", named))
        _show(asked)
        token = Token.read(server, await _wait(http, asked))
        async with credentials.locked():
            former = _former(credentials)
            path = credentials.keep(token)
        if former is not None:
            await _revoke(http, former)
    click.echo(f"Signed in to {server} as {printable(named['device_name'])}. The token is in {path}.", err=True)


def _asked(answer: dict[str, Any]) -> Asked:
    if "error" in answer:
        raise CannotSignIn(printable(str(answer.get("error_description") or answer["error"])))
    try:
        return msgspec.convert(answer, Asked)
    except msgspec.ValidationError as error:
        raise CannotSignIn("The answer is not one to a device.") from error


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


async def _wait(http: httpx2.AsyncClient, asked: Asked) -> dict[str, Any]:
    interval, ends = asked.interval, time.monotonic() + asked.expires_in
    form = {"client_id": OWN_CLIENT, "grant_type": DEVICE_GRANT, "device_code": asked.device_code}
    while time.monotonic() < ends:
        await asyncio.sleep(interval)
        try:
            answer = await _post(http, "/oauth/token", form)
        except Unreachable:
            interval = min(2 * interval, SLOWEST_S)
            continue
        error = answer.get("error")
        if error is None:
            return answer
        if error == "slow_down":
            interval += SLOWER_S
        elif error != "authorization_pending":
            told = printable(str(error))
            raise CannotSignIn("It was not allowed." if error == "access_denied" else f"The server says: {told}.")
    raise CannotSignIn("The code has ended; nobody allowed it.")


def _former(credentials: Credentials) -> Token | None:
    try:
        return credentials.token()
    except SignedOut:
        return None


async def _logout(credentials: Credentials) -> None:
    async with credentials.locked():
        token = credentials.token()
        async with connect(token.server) as http:
            if not await _revoke(http, token):
                raise Unreachable(
                    f"{token.server} does not answer, so this device is still signed in there. Try again, or take "
                    f"its access back on the account's page and remove {credentials.directory}."
                )
        credentials.forget()


async def _revoke(http: httpx2.AsyncClient, token: Token) -> bool:
    """Ends the device with all its tokens; whether the server has heard it."""
    form = {"client_id": OWN_CLIENT, "token": token.refresh_token or token.access_token}
    try:
        answer = await http.post("/oauth/revoke", data=form)
    except httpx2.TransportError:
        return False
    return answer.is_success or answer.status_code in (400, 401)


async def _post(http: httpx2.AsyncClient, path: str, form: dict[str, str]) -> dict[str, Any]:
    """A JSON object: what is asked for, or an OAuth error. Raises `Unreachable`."""
    try:
        answer = await http.post(path, data=form)
    except httpx2.TransportError as error:
        raise Unreachable(f"{http.base_url} does not answer.") from error
    found = read_object(answer)
    if answer.status_code != 200 and "error" not in found:
        raise Unreachable(f"{http.base_url} answers {answer.status_code}.")
    return found
