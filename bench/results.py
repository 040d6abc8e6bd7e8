"""What a benchmark found, as a table and as JSON."""

import math
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
    against: str = ""
    """What the reference is."""
    note: str = ""
    client_share: float | None = None
    """Where the clock is measured: CPU seconds of the load client for each second, 1 being a whole core."""
    details: dict[str, float] = {}

    @property
    def value(self) -> float:
        """What the target is for: `ratio`, or `measured` where there is none."""
        return self.measured if self.ratio is None else self.ratio

    @property
    def is_met(self) -> bool | None:
        """Whether the target is reached; None without one."""
        if self.target is None:
            return None
        return self.value <= self.target if self.better == "lower" else self.value >= self.target

    @property
    def goal(self) -> str:
        """The target in words, such as "≤ 1.3"."""
        if self.target is None:
            return "-"
        return f"{'≤' if self.better == 'lower' else '≥'} {self.target:g}"


def quantile(values: Sequence[float], share: float) -> float:
    """The smallest of the values that at least this share of them do not exceed (nearest rank)."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def show(results: Sequence[Result], console: Console) -> None:
    """Prints the table and, below it, the details, and how busy the load client was."""
    table = Table("what", "measured", "reference", "ratio", "target", "against", title="Starling")
    for result in results:
        table.add_row(
            result.name,
            f"{_number(result.measured)} {result.unit}".rstrip(),
            "-" if result.reference is None else _number(result.reference),
            "-" if result.ratio is None else f"{result.ratio:.2f}",
            _target(result),
            result.against,
        )
    console.print(table)
    for result in results:
        details = [f"{name} {_number(value)}" for name, value in result.details.items()]
        console.print(f"[bold]{result.name}[/]: {', '.join(details)} {result.note}", highlight=False)
    if (said := busy_client(results)) is not None:
        console.print(said, highlight=False)


def busy_client(results: Sequence[Result]) -> str | None:
    """One sentence on the load client; None where no clock was measured."""
    shares = {result.name: result.client_share for result in results if result.client_share is not None}
    if not shares:
        return None
    name = max(shares, key=lambda each: shares[each])
    return (
        f"The load client used at most {shares[name]:.0%} of one core where the clock is measured ({name}): "
        "for the rest of the time it waited."
    )


def write(results: Sequence[Result], path: Path) -> None:
    """Writes `{"python", "results": […]}`."""
    document = {"python": platform.python_version(), "results": results}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n")


def _target(result: Result) -> str:
    color = {True: "green", False: "red", None: "default"}[result.is_met]
    return f"[{color}]{result.goal}[/]"


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:,.3g}"
