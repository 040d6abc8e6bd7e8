"""What commands list: a table on a terminal, else a line a row with tabs between, for other programs."""

import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

import click
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

JOINERS = "\u200c\u200d"
"""Not printable by themselves, and needed within words and emoji."""


def printable(text: str) -> str:
    """The text without anything that a terminal obeys, or that hides or reorders what stands there: that is escaped."""
    return "".join(each if each.isprintable() or each in JOINERS else _escaped(each) for each in text)


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode()


def moment(at: datetime | None) -> str:
    """By the clock of this machine; `never` for none."""
    return "never" if at is None else f"{at.astimezone():%Y-%m-%d %H:%M}"


def show(columns: Sequence[str], rows: Iterable[Sequence[str | datetime | None]]) -> None:
    """Prints the rows. Times are in UTC for programs, and of this machine for people."""
    if sys.stdout.isatty():
        table = Table(*columns, box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold")
        for row in rows:
            table.add_row(*(Text(printable(each if isinstance(each, str) else moment(each))) for each in row))
        Console(highlight=False).print(table)
        return
    for row in rows:
        click.echo("\t".join(_plain(each) for each in row))


def _plain(value: str | datetime | None) -> str:
    if isinstance(value, str):
        return printable(value)
    return "" if value is None else value.astimezone(UTC).isoformat(timespec="seconds")
