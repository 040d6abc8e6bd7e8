"""What the person sees: plain words and small tables, with colours on a terminal."""

import io
import sys
from collections.abc import Sequence

from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

MIN_WIDTH = 80
COLOURS = {"laptop": "cyan", "phone": "magenta", "browser": "yellow"}

Row = Sequence[str | Text]


class Screen:
    """Writes to standard output."""

    def __init__(self) -> None:
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(errors="replace")  # a title may be in a script that the terminal cannot show
        self.console = Console(highlight=False, markup=False, emoji=False)

    def title(self, text: str) -> None:
        """The first line."""
        self.console.print(Text(text, "bold green"))

    def act(self, number: int, text: str) -> None:
        """Begins an act."""
        self.console.print()
        self.console.print(Text(f"{number}. ", "bold green") + Text(text, "bold"))

    def say(self, text: str | Text, style: str = "") -> None:
        """A line of narration."""
        self._print(Text(text, style) if isinstance(text, str) else text)

    def table(self, columns: Sequence[str], rows: Sequence[Row]) -> None:
        """A table; a column whose name begins with `>` is set to the right."""
        table = Table(box=None, padding=(0, 3, 0, 0), header_style="dim", pad_edge=False)
        for column in columns:
            right = column.startswith(">")
            table.add_column(column.removeprefix(">"), justify="right" if right else "left", no_wrap=True)
        for row in rows:
            table.add_row(*row)
        self._print(table)

    def command(self, *lines: str) -> None:
        """Something to copy: never wrapped or cut, whatever the width."""
        for line in lines:
            self.console.print(Text(f"     {line}", "green"), soft_wrap=True)

    def _print(self, what: RenderableType) -> None:
        self.console.print(Padding(what, (0, 0, 0, 3), expand=False))


def device(name: str) -> Text:
    """A device's name in its colour."""
    return Text(name, COLOURS.get(name, ""))


def after(seconds: float) -> Text:
    """A time in milliseconds."""
    return Text(millis(seconds), "bold")


def millis(seconds: float) -> str:
    """Such as `4.2 ms` or `120 ms`."""
    return f"{seconds * 1000:.{1 if seconds < 0.01 else 0}f} ms"


def quoted(title: object) -> str:
    """A title in quotes, without anything that would move the cursor."""
    shown = "".join(character if character.isprintable() else " " for character in str(title))
    return f'"{shown[:59]}…"' if len(shown) > 60 else f'"{shown}"'
