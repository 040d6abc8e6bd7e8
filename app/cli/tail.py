"""`starling tail`: follows the stream of this machine's device, and prints what comes."""

import asyncio
import io
import json
import re
import sys
from contextlib import aclosing, suppress
from datetime import datetime
from typing import Any

import click
import msgspec
from rich.console import Console
from rich.text import Text

from app.cli.access import Access
from app.cli.credentials import Credentials, address, connect
from app.cli.ending import until_signal
from app.cli.listing import moment, printable
from app.cli.subscription import Receipts, Subscription
from app.events import Event

Item = dict[str, Any]
_CURSOR = re.compile(r"[A-Za-z0-9._-]{1,100}", re.ASCII)
"""All that the protocol lets one hold."""
BEGINNING = "beginning"
GOODBYE_S = 2.0
"""How long the last receipt may take when it ends."""


def _cursor(_: click.Context, parameter: click.Parameter, given: str | None) -> str | None:
    if given is not None and not _CURSOR.fullmatch(given):
        raise click.BadParameter("must be a cursor, `now` or `beginning`", param=parameter)
    return "" if given == BEGINNING else given


@click.command()
@click.option("--server", callback=address, help="Which one; without it, the one that you are signed in to.")
@click.option(
    "--since",
    callback=_cursor,
    help="A cursor, `now` or `beginning`; without it, where the last one ended.",
)
@click.option("--json", "as_json", is_flag=True, help="A line of JSON for each item or reset.")
def tail(server: str | None, since: str | None, *, as_json: bool) -> None:
    """Follow everything that is saved.

    Prints what came since the last time, and then each change as it happens, until Ctrl-C. It reconnects by itself.
    Sign in first: `starling login`.
    """
    credentials = Credentials.chosen(server)
    asyncio.run(until_signal(_follow(credentials, since, JsonLines() if as_json else Lines())))


class JsonLines:
    """For programs. Everything beyond ASCII is escaped, so that a terminal obeys nothing of it."""

    def item(self, item: Item) -> None:
        """One item, or its tombstone, as it came."""
        self._print(item)

    def reset(self, reason: str) -> None:
        """All that was printed before counts no more: the whole feed follows."""
        self._print({"reset": {"reason": reason}})

    @staticmethod
    def _print(value: Item) -> None:
        print(json.dumps(value, separators=(",", ":")).replace("\x7f", "\\u007f"), flush=True)


class Lines:
    """For people: a line for each item, cut to the terminal's width."""

    def __init__(self) -> None:
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(errors="backslashreplace")  # a title may be in a script that it cannot show
        self._console = Console(highlight=False, markup=False, emoji=False)

    def item(self, item: Item) -> None:
        """When, its number, what kind, and its words."""
        place = (f"#{item['seq']:<6} ", "cyan")
        if item["deleted"]:
            self._print(Text.assemble((f"{'':16}  ", ""), place, (f"{'deleted':<12}  ", "red"), item["id"]))
            return
        when = moment(datetime.fromisoformat(item["updated_at"]))
        kind = item["kind"] if item["status"] == "unread" else f"{item['kind']}, {item['status']}"
        tags = " ".join(f"#{_words(tag)}" for tag in item["tags"])
        rest = "  ".join(part for part in (_words(item["text"]), _words(item["url"]), tags) if part)
        title = _words(item["title"])
        gap = "  " if title and rest else ""
        self._print(
            Text.assemble((f"{when:16}  ", "dim"), place, (f"{_words(kind):<12}  ", ""), (title, "bold"), gap, rest)
        )

    def reset(self, reason: str) -> None:
        """All that was printed before counts no more: the whole feed follows."""
        self._print(Text(f"The feed begins anew ({_words(reason)}); all of it follows.", "yellow"))

    def _print(self, line: Text) -> None:
        if self._console.is_terminal:
            self._console.print(line, no_wrap=True, overflow="ellipsis")
        else:
            self._console.print(line, soft_wrap=True)


def _words(text: str | None) -> str:
    """On one line, and nothing that a terminal obeys."""
    return printable(" ".join((text or "").split()))


async def _follow(credentials: Credentials, since: str | None, out: Lines | JsonLines) -> None:
    token = credentials.token()
    async with connect(token.server) as http:
        access = Access(credentials, http)
        subscription = Subscription(http, access, credentials.cursor() if since is None else since)
        subscription.on_wait = _say_why
        receipts = Receipts(http, access)
        telling = asyncio.create_task(receipts.run())
        try:
            async with aclosing(subscription.events()) as events:
                async for event in events:
                    _print(event, out)
                    if event.id:
                        credentials.keep_cursor(event.id)
                        receipts.reach(event.id)
        finally:
            telling.cancel()
            await _say_goodbye(receipts)


def _print(event: Event, out: Lines | JsonLines) -> None:
    data = msgspec.json.decode(event.data)
    if event.name == "item":
        out.item(data)
    elif event.name == "reset":
        out.reset(data["reason"])
    elif event.name == "ready" and sys.stderr.isatty():
        _note("Up to date. What is saved from now on appears here; Ctrl-C ends it.")


async def _say_goodbye(receipts: Receipts) -> None:
    if receipts.told != receipts.reached:
        with suppress(TimeoutError):
            async with asyncio.timeout(GOODBYE_S):
                await receipts.tell()


def _note(words: str) -> None:
    """For the person, beside what is printed."""
    click.echo(click.style(words, dim=True), err=True)


def _say_why(reason: str, seconds: float) -> None:
    _note(f"{reason} Trying again in {seconds:.0f} s.")
