"""After the story: a line for each change that the devices get."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any

from rich.text import Text

from app.cli.demo.follower import Follower, Receipt
from app.cli.demo.screen import Screen, device, quoted

PATIENCE_S = 1.0


class Live:
    """Says what the devices get, from now on: a line a change, when all have it or `PATIENCE_S` after the first."""

    def __init__(self, screen: Screen, followers: Sequence[Follower]) -> None:
        self._screen = screen
        self._count = len(followers)
        self._open: dict[int, list[str]] = {}
        for follower in followers:
            follower.on_receipt = partial(self._take, follower.name)

    def _take(self, name: str, receipt: Receipt) -> None:
        seq = receipt.item["seq"]
        names = self._open.setdefault(seq, [])
        if not names:
            asyncio.get_running_loop().call_later(PATIENCE_S, self._show, receipt.item)
        names.append(name)
        if len(names) == self._count:
            self._show(receipt.item)

    def _show(self, item: dict[str, Any]) -> None:
        names = self._open.pop(item["seq"], None)
        if names is None:
            return
        what = Text(f"{datetime.now(UTC).astimezone():%H:%M:%S}  ", "dim")
        what.append("deleted an item" if item["deleted"] else quoted(item["title"] or item["text"]), "bold")
        what.append("  reached ", "dim")
        self._screen.say(what + Text(", ", "dim").join([device(name) for name in names]))
