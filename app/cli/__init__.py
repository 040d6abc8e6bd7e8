"""The `starling` command.

serve      runs the server                    demo     shows what it does
people     user, device, token                feed     new-epoch, prune
invite     links for new people               clients  OAuth clients
login      this machine as a device, logout   tail     follows this device's stream
qr         a code for a phone                 listing  tables, and what is safe to print
opening    what a command works on            server   the web server
crew       several workers behind one port    worker   one of them
openapi    the documents                      manifest the custom GPT
ending     SIGINT and SIGTERM

What a device needs to follow a server:
credentials    tokens and cursor, kept          access         a token that is good
subscription   the stream, kept open            device_grant   asking to be let in
"""

import sys
from importlib import import_module

import click

from app.errors import StarlingError

COMMANDS = {
    "serve": "serve",
    "worker": "worker",
    "demo": "demo",
    "migrate": "serve",
    "user": "people",
    "device": "people",
    "token": "people",
    "client": "clients",
    "login": "login",
    "logout": "login",
    "tail": "tail",
    "feed": "feed",
    "prune": "feed",
    "openapi": "openapi",
    "manifest": "manifest",
}
"""In which module each command is, under its own name."""


class Commands(click.Group):
    """Reads a command's module when it is called: most of them need neither the web server nor the database."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Their names."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The one of that name."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = getattr(import_module(f"app.cli.{COMMANDS[cmd_name]}"), cmd_name)
        return command


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="starling")
def starling() -> None:
    """Starling: what an assistant saves is on every device at once."""


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
