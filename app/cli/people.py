"""`starling user`, `device`, `token`: people, their devices, and tokens without a page."""

import sys
from datetime import timedelta
from typing import get_args

import click

from app.auth.passwords import hash_password
from app.auth.tokens import Tokens
from app.cli.invite import invite
from app.cli.listing import printable, show
from app.cli.opening import run
from app.errors import InvalidField, NotFound
from app.model import DEVICE_SCOPES, Device, DeviceKind, Head
from app.store.database import Database
from app.store.devices import Devices
from app.store.feed import FeedReader
from app.store.grants import Grants
from app.store.users import User, Users

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


user.add_command(invite)


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


@user.command("list")
def list_users() -> None:
    """Show all people: e-mail, state, since when, changes in their feed."""

    async def work(database: Database) -> list[User]:
        return await Users(database).all()

    people = run(work)
    states = ["enabled" if each.disabled_at is None else "disabled" for each in people]
    rows = [(each.email, state, each.created_at, str(each.head)) for each, state in zip(people, states, strict=True)]
    show(("E-mail", "State", "Since", "Changes"), rows)


@user.command("disable")
@click.argument("email", callback=_plain)
def disable_user(email: str) -> None:
    """Refuse a person everything, and cut their streams, until `enable`. Nothing is deleted."""

    async def work(database: Database) -> bool:
        return await Users(database).disable(email)

    click.echo(f"Disabled {email}." if run(work) else f"{email} was disabled already.")


@user.command("enable")
@click.argument("email", callback=_plain)
def enable_user(email: str) -> None:
    """Let a disabled person in again, with the devices and assistants that were there."""

    async def work(database: Database) -> bool:
        return await Users(database).enable(email)

    click.echo(f"Enabled {email}." if run(work) else f"{email} was not disabled.")


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


@device.command("list")
@click.argument("email", callback=_plain)
def list_devices(email: str) -> None:
    """Show a person's devices: id, name, kind, last seen, changes not acknowledged, since when."""

    async def work(database: Database) -> tuple[Head | None, list[Device]]:
        feed_id = await Grants(database).feed_of(email)
        return await FeedReader(database).head(feed_id), await Devices(database).of(feed_id)

    head, devices = run(work)
    newest = 0 if head is None else head.head
    rows = [
        (str(each.id), each.name, each.kind, each.last_seen, str(newest - each.acked_seq), each.created_at)
        for each in devices
    ]
    show(("Id", "Name", "Kind", "Last seen", "Behind", "Since"), rows)


@device.command("revoke")
@click.argument("email", callback=_plain)
@click.argument("device")
def revoke_device(email: str, device: str) -> None:
    """Sign a device out, by its name or id: its tokens are worth nothing, and its streams end."""

    async def work(database: Database) -> str:
        feed_id, devices = await Grants(database).feed_of(email), Devices(database)
        found = _one_of(await devices.of(feed_id), device)
        await devices.revoke(feed_id, found.id)
        return found.name

    click.echo(f"Revoked {printable(run(work))}.")


def _one_of(devices: list[Device], wanted: str) -> Device:
    """The device of that id or name. Raises `NotFound`, `BadParameter` for a name that several have."""
    found = [each for each in devices if str(each.id) == wanted.lower()] or [
        each for each in devices if each.name == wanted
    ]
    if not found:
        raise NotFound(f"There is no device {printable(wanted)}.")
    if len(found) > 1:
        ids = ", ".join(str(each.id) for each in found)
        raise click.BadParameter(f"{len(found)} devices have this name; take an id: {ids}", param_hint="DEVICE")
    return found[0]


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
