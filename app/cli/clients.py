"""`starling client add`, `list`, `revoke`: the OAuth clients."""

import re

import click

from app.auth.clients import ASSISTANT_SCOPES, OWN
from app.auth.documents import is_well_formed
from app.auth.redirects import is_registrable
from app.auth.tokens import digest, new_secret
from app.cli.listing import show
from app.cli.opening import run, settings
from app.doors.manifest import callbacks
from app.model import Scope
from app.store.clients import Clients, Registration
from app.store.database import Database

_ID = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")
_GPT = re.compile(r"g-[A-Za-z0-9-]{1,100}")


@click.group()
def client() -> None:
    """The programs that people let in: a custom GPT, an MCP client."""


@client.command("add")
@click.argument("client_id")
@click.option("--name", help="What people are shown; the id, if not given.")
@click.option("--gpt", "gpts", multiple=True, help="Id of a custom GPT, g-…, as its editor's address shows it.")
@click.option("--redirect-uri", "uris", multiple=True, help="Where answers may go, for other programs.")
@click.option(
    "--scope", default=" ".join(sorted(ASSISTANT_SCOPES)), show_default=True, help="The most it may be given."
)
@click.option("--public", is_flag=True, help="A program that cannot keep a secret; it needs PKCE.")
@click.option("--public-url", help="Where the server is reached; STARLING_PUBLIC_URL, if not given.")
def add_client(
    client_id: str,
    name: str | None,
    gpts: tuple[str, ...],
    uris: tuple[str, ...],
    scope: str,
    *,
    public: bool,
    public_url: str | None,
) -> None:
    """Register a client and print what to enter there. The secret is shown this once."""
    base = (public_url or settings(quiet=True).public_url or "").rstrip("/")
    if not base:
        raise click.UsageError("Set STARLING_PUBLIC_URL, or give --public-url: the client has to reach the server.")
    is_url = public and is_well_formed(client_id)
    if client_id == OWN.id or not (is_url or _ID.fullmatch(client_id)):
        raise click.BadParameter(
            "the id has 1 to 63 of a-z, 0-9, '.', '_', '-', and is not 'starling'; "
            "a public client's may be the URL of its description"
        )
    if not all(_GPT.fullmatch(gpt) for gpt in gpts):
        raise click.BadParameter("a GPT's id begins with g-")
    redirects = [uri for gpt in gpts for uri in callbacks(gpt)] + list(uris)
    if not redirects or not all(is_registrable(uri) for uri in redirects):
        raise click.UsageError("Give --gpt, or --redirect-uri: https, loopback, or an app's own scheme.")
    scopes = sorted(set(scope.split()))
    if not scopes or not set(scopes) <= set(Scope):
        raise click.BadParameter(f"Unknown or missing scope. Known: {' '.join(sorted(Scope))}")
    secret = None if public else new_secret("sts")
    hashed = None if secret is None else digest(secret)

    async def work(database: Database) -> None:
        await Clients(database).add(Registration(client_id, name or client_id, hashed, redirects, scopes, "command"))

    run(work)
    for what, value in (
        ("Client ID", client_id),
        ("Client secret", secret),
        ("Authorization URL", f"{base}/oauth/authorize"),
        ("Token URL", f"{base}/oauth/token"),
        ("Scope", " ".join(scopes)),
        ("Token exchange method", "Default (POST request)" if secret else None),
        *(("Callback URL", uri) for uri in redirects),
    ):
        if value:
            click.echo(f"{what + ':':<23}{value}")


@client.command("list")
def list_clients() -> None:
    """Show the registered clients: id, kind, how it was registered, name."""

    async def work(database: Database) -> list[Registration]:
        return await Clients(database).all()

    clients = run(work)
    kinds = ["public" if each.secret_hash is None else "confidential" for each in clients]
    rows = [(each.id, kind, each.made_by, each.name) for each, kind in zip(clients, kinds, strict=True)]
    show(("Id", "Kind", "Registered by", "Name"), rows)


@client.command("revoke")
@click.argument("client_id")
def revoke_client(client_id: str) -> None:
    """Remove a client with all that people gave it."""

    async def work(database: Database) -> int:
        return len(await Clients(database).revoke(client_id))

    count = run(work)
    click.echo(f"Removed {client_id}. {count} {'person' if count == 1 else 'people'} had let it in.")
