"""What the person sees: plain words and small tables, with colours on a terminal."""

import io
import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

COLOURS = {"laptop": "cyan", "phone": "magenta", "browser": "yellow"}
INDENT = " " * 3
TITLE_LENGTH = 48

Row = Sequence[str | Text]


class Screen:
    """Writes to standard output."""

    def __init__(self) -> None:
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(errors="replace")  # a title may be in a script that the terminal cannot show
        self._console = Console(highlight=False, markup=False, emoji=False)

    def title(self, text: str) -> None:
        """The first line."""
        self._console.print(text, style="bold green")

    def waiting(self, text: str) -> AbstractContextManager[object]:
        """Shows, on a terminal, that something takes a while."""
        return self._console.status(text) if self._console.is_terminal else nullcontext()

    def act(self, number: int, text: str) -> None:
        """Begins an act."""
        self.gap()
        self._console.print(Text.assemble((f"{number}. ", "bold green"), (text, "bold")))

    def say(self, text: str | Text, *, style: str = "") -> None:
        """A line of narration."""
        self._console.print(Text(INDENT) + text, style=style, soft_wrap=True)

    def table(self, rows: Sequence[Row]) -> None:
        """Rows whose columns are aligned."""
        table = Table.grid(padding=(0, 3, 0, 0))
        for _ in rows[0] if rows else ():
            table.add_column(no_wrap=True)
        for row in rows:
            table.add_row(*row)
        self._console.print(Padding.indent(table, len(INDENT)))

    def command(self, *lines: str) -> None:
        """Something to copy: never wrapped or cut, whatever the width."""
        for line in lines:
            self._console.print(Text(f"{INDENT}  {line}", "green"), soft_wrap=True)

    def gap(self) -> None:
        """An empty line."""
        self._console.print()

    def stopped(self) -> None:
        """The last line after a Ctrl-C, which the terminal has shown as such."""
        self._console.print("\nStopped.")


def device(name: str) -> Text:
    """A device's name in its colour."""
    return Text(name, COLOURS.get(name, ""))


def millis(*seconds: float) -> str:
    """One time or a range of them, such as `4.2 ms`, `120 ms` or `4.2 to 20.1 ms`."""
    return " to ".join(f"{each * 1000:.{1 if each < 0.1 else 0}f}" for each in seconds) + " ms"


def quoted(title: str) -> str:
    """A title in quotes, without anything that would move the cursor."""
    shown = "".join(character if character.isprintable() else " " for character in title)
    return f'"{shown[:TITLE_LENGTH]}..."' if len(shown) > TITLE_LENGTH else f'"{shown}"'


def listed(names: Sequence[str]) -> str:
    """Such as `laptop, phone and browser`; `nobody` for none."""
    *others, last = names or ["nobody"]
    return f"{', '.join(others)} and {last}" if others else last
