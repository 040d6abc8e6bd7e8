"""The `starling` command.

serve      runs the server                    demo     shows what it does
people     user, device, token                feed     new-epoch, prune
invite     links for new people               login    this machine as a device
clients    OAuth clients
opening    what a command works on            server   the web server
crew       several workers behind one port    worker   one of them
openapi    the documents                      manifest the custom GPT
"""

import sys

import click

from app.cli.clients import client
from app.cli.demo import demo
from app.cli.feed import feed, prune
from app.cli.invite import invite
from app.cli.login import login
from app.cli.manifest import manifest
from app.cli.openapi import openapi
from app.cli.people import device, token, user
from app.cli.serve import migrate, serve
from app.cli.worker import worker
from app.errors import StarlingError

user.add_command(invite)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="starling")
def starling() -> None:
    """Starling: what an assistant saves is on every device at once."""


for _command in (serve, worker, demo, migrate, user, device, token, client, login, feed, prune, openapi, manifest):
    starling.add_command(_command)


def main() -> None:
    """Exit 0 for success, 2 for wrong usage, 1 otherwise, with one line on stderr."""
    try:
        starling(prog_name="starling", standalone_mode=True)
    except (StarlingError, OSError) as error:  # what else there is, is a bug and shows where
        click.echo(f"starling: {_told(error)}", err=True)
        sys.exit(1)


def _told(error: Exception) -> str:
    cause = error.__cause__
    reason = str(getattr(cause, "orig", None) or cause or "").partition("\n")[0]
    return f"{error} ({reason})" if reason else str(error)
