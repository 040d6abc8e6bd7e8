"""`starling user add`, `device add`, `token issue`."""

import sys
from datetime import timedelta
from typing import get_args

import click

from app.auth.passwords import hash_password
from app.auth.tokens import Tokens
from app.cli.opening import run
from app.errors import InvalidField
from app.model import DEVICE_SCOPES, DeviceKind
from app.store.database import Database
from app.store.devices import Devices
from app.store.grants import Grants

MAX_NAME = 100
MAX_EMAIL = 254  # RFC 5321, 4.5.3.1.3
_life = click.option(
    "--expires-in",
    type=click.IntRange(min=1),
    metavar="SECONDS",
    help="Life of the token; without it, it does not end.",
)


def _plain(_: click.Context, parameter: click.Parameter, value: str) -> str:
    limit = MAX_EMAIL if parameter.name == "email" else MAX_NAME
    if not value.strip() or len(value) > limit or not value.isprintable():
        raise click.BadParameter(f"must be 1 to {limit} printable characters")
    if parameter.name == "email" and ("@" not in value.strip("@") or " " in value):
        raise click.BadParameter("must be an e-mail address")
    return value


@click.group()
def user() -> None:
    """The people who have a feed."""


@user.command("add")
@click.argument("email", callback=_plain)
@click.option("--password-stdin", is_flag=True, help="Read a password from standard input.")
def add_user(email: str, *, password_stdin: bool) -> None:
    """Add a person."""
    password = sys.stdin.readline().rstrip("\r\n") if password_stdin else None

    async def work(database: Database) -> None:
        hashed = None if password is None else await hash_password(password)
        await Grants(database).add_user(email, hashed)

    run(work)
    click.echo(f"Added {email}.")


@click.group()
def device() -> None:
    """The devices that follow a feed."""


@device.command("add")
@click.argument("email", callback=_plain)
@click.argument("name", callback=_plain)
@click.option("--kind", type=click.Choice(get_args(DeviceKind)), default="cli", show_default=True)
@_life
def add_device(email: str, name: str, kind: str, expires_in: int | None) -> None:
    """Add a device and print its token, once."""

    async def work(database: Database) -> str:
        grants = Grants(database)
        feed_id = await grants.feed_of(email)
        device_id = await Devices(database).add(feed_id, name, kind)
        return await Tokens(grants).issue(
            feed_id, client="starling", scopes=DEVICE_SCOPES, device_id=device_id, life=_duration(expires_in)
        )

    click.echo(run(work))


@click.group()
def token() -> None:
    """Access tokens."""


@token.command("issue")
@click.argument("email", callback=_plain)
@click.option("--client", required=True, callback=_plain, help="The client's name; it is made if there is none.")
@click.option("--scope", required=True, help='Scopes separated by spaces, such as "items:read items:write".')
@_life
def issue_token(email: str, client: str, scope: str, expires_in: int | None) -> None:
    """Issue a token to a client and print it, once."""

    async def work(database: Database) -> str:
        grants = Grants(database)
        try:
            return await Tokens(grants).issue(
                await grants.feed_of(email), client=client, scopes=scope.split(), life=_duration(expires_in)
            )
        except InvalidField as error:
            raise click.BadParameter(f"{error.detail} Known: {' '.join(error.members['allowed'])}") from None

    click.echo(run(work))


def _duration(seconds: int | None) -> timedelta | None:
    return None if seconds is None else timedelta(seconds=seconds)
