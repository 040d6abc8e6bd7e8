"""After the story: how to go on, and a line for each change that the devices get."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from rich.text import Text

from app.cli.demo.cast import PERSON, Cast
from app.cli.demo.follower import Follower, Receipt
from app.cli.demo.screen import Screen, device, quoted
from app.cli.demo.verdict import State

PATIENCE_S = 1.0


def invite(screen: Screen, cast: Cast, address: str, kept: Path, *, is_live: bool) -> None:
    """Says where everything is, and how to use it; `is_live`: the devices still follow. Tokens are good for an hour."""
    screen.gap()
    screen.say(
        "Save an item as ChatGPT and watch it arrive here (Ctrl-C ends the demo):"
        if is_live
        else "Save an item as ChatGPT, once a server runs there:"
    )
    screen.command(
        f"curl {address}/actions/items -H 'Content-Type: application/json' \\",
        f"  -H 'Authorization: Bearer {cast.token}' \\",
        '  -d "{\\"title\\": \\"Hello at $(date +%T)\\"}"',
    )
    screen.say("Make a terminal one more device, and follow its stream:")
    screen.command(f"starling login {address}", f"starling tail --server {address}")
    screen.say(f"Who is let in: {address}/account, as {cast.person.email}, with the password in {kept / PERSON}")


class Live:
    """Says what the devices get, from now on: a line a change, when all have it or `PATIENCE_S` after the first."""

    def __init__(self, screen: Screen, followers: Sequence[Follower]) -> None:
        self._screen = screen
        self._names = [follower.name for follower in followers]
        self._open: dict[int, list[str]] = {}
        for follower in followers:
            follower.on_receipt = partial(self._take, follower.name)

    def _take(self, name: str, receipt: Receipt) -> None:
        names = self._open.setdefault(receipt.item["seq"], [])
        if not names:
            asyncio.get_running_loop().call_later(PATIENCE_S, self._show, receipt.item)
        names.append(name)
        if len(names) == len(self._names):
            self._show(receipt.item)

    def _show(self, item: State) -> None:
        names = self._open.pop(item["seq"], None)
        if names is None:
            return
        what = "an item was deleted" if item["deleted"] else quoted(item["title"] or item["text"] or "")
        where = Text(", ").join([device(name) for name in self._names if name in names])
        now = datetime.now(UTC).astimezone()
        self._screen.say(Text.assemble((f"{now:%H:%M:%S}  ", "dim"), (what, "bold"), ("  on ", "dim"), where))
