"""What a benchmark found, as a table and as JSON."""

import platform
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import msgspec
from rich.console import Console
from rich.table import Table


class Result(msgspec.Struct, frozen=True):
    """One line of the table. `better` says which side of `target` the ratio is to be on."""

    name: str
    unit: str
    measured: float
    reference: float | None = None
    ratio: float | None = None
    target: float | None = None
    better: Literal["lower", "higher"] = "lower"
    note: str = ""
    details: dict[str, float] = {}

    @property
    def is_met(self) -> bool | None:
        """Whether the target is reached; None without one. It is for `ratio`, or for `measured` where there is none."""
        value = self.measured if self.ratio is None else self.ratio
        if self.target is None:
            return None
        return value <= self.target if self.better == "lower" else value >= self.target


def show(results: Sequence[Result], console: Console) -> None:
    """Prints the table and, below it, the notes."""
    table = Table("what", "measured", "reference", "ratio", "target", title="Starling")
    for result in results:
        table.add_row(
            result.name,
            f"{result.measured:,.1f} {result.unit}",
            "-" if result.reference is None else f"{result.reference:,.1f} {result.unit}",
            "-" if result.ratio is None else f"{result.ratio:.2f}",
            _target(result),
        )
    console.print(table)
    for result in results:
        details = ", ".join(f"{name} {value:,.2f}" for name, value in result.details.items())
        console.print(f"[bold]{result.name}[/]: {details} {result.note}", highlight=False)


def _target(result: Result) -> str:
    if result.target is None:
        return "-"
    sign, color = "≤" if result.better == "lower" else "≥", "green" if result.is_met else "red"
    return f"[{color}]{sign} {result.target:g}[/]"


def write(results: Sequence[Result], path: Path) -> None:
    """Writes `{"python", "results": […]}`."""
    document = {"python": platform.python_version(), "results": results}
    path.write_bytes(msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n")
