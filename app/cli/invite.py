"""`starling user invite`: a link with which somebody makes an account."""

from datetime import timedelta

import click

from app.auth.people import is_email
from app.auth.tokens import digest, new_secret
from app.cli.opening import run, settings
from app.errors import AlreadyExists
from app.store.database import Database
from app.store.invitations import Invitations
from app.store.sessions import Sessions

DAYS = 7


@click.command("invite")
@click.argument("email", required=False)
@click.option("--public-url", help="Where the server is reached; STARLING_PUBLIC_URL, if not given.")
def invite(email: str | None, public_url: str | None) -> None:
    """Print a link with which one person makes an account, within 7 days. With EMAIL, only for that address."""
    read = settings(quiet=True)
    base = (public_url or read.public_url or "").rstrip("/")
    if not base:
        raise click.UsageError("Set STARLING_PUBLIC_URL, or give --public-url: the person has to reach the server.")
    if read.sign_up == "closed":
        raise click.UsageError("STARLING_SIGN_UP is closed: with `invitation`, links let people in, and nothing else.")
    if email is not None and not is_email(email):
        raise click.BadParameter("must be an e-mail address", param_hint="EMAIL")
    secret = new_secret("sti")

    async def work(database: Database) -> None:
        if email is not None and await Sessions(database).credentials(email) is not None:
            raise AlreadyExists(f"There already is a user {email}.")
        await Invitations(database).add(digest(secret), email, timedelta(days=DAYS))

    run(work)
    click.echo(f"{base}/sign-up?invitation={secret}")
