"""`python -m bench [NAME …] --json out.json --plot out.svg`"""

import signal
import sys
from collections.abc import Callable
from pathlib import Path

import click
from rich.console import Console

from bench import (
    answers,
    bus,
    catchup,
    fanout,
    feeds,
    growth,
    latency,
    memory,
    plot,
    reconnect,
    results,
    saves,
    storm,
    workers,
)
from bench.server import BenchError

BENCHMARKS: dict[str, Callable[[Callable[[str], None]], list[results.Result]]] = {
    "fanout": fanout.run,
    "feeds": feeds.run,
    "memory": memory.run,
    "saves": saves.run,
    "latency": latency.run,
    "catchup": catchup.run,
    "reconnect": reconnect.run,
    "storm": storm.run,
    "growth": growth.run,
    "workers": workers.run,
    "bus": bus.run,
    "answers": answers.run,
}
PRINTED_WIDTH = 130
_FILE = click.Path(dir_okay=False, path_type=Path)


@click.command()
@click.argument("names", nargs=-1, type=click.Choice(list(BENCHMARKS)))
@click.option("--json", "document", type=_FILE, help="Write the results here, too.")
@click.option("--plot", "picture", type=_FILE, help="Draw them here, as SVG.")
def main(names: tuple[str, ...], document: Path | None, picture: Path | None) -> None:
    """Measure what is named, or everything. Fails only where something did not work, never for a figure."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that every server is stopped
    console = Console(width=None if sys.stdout.isatty() else PRINTED_WIDTH)
    found: list[results.Result] = []
    failed: dict[str, str] = {}
    for name in names or BENCHMARKS:
        if not console.is_terminal:
            console.print(name)
        with console.status(name) as status:
            try:
                found += BENCHMARKS[name](status.update)
            except BenchError as error:
                failed[name] = str(error)
    results.show(found, console)
    if document is not None:
        results.write(found, document)
    if picture is not None:
        plot.write(found, picture)
    for name, why in failed.items():
        console.print(f"[red]{name} failed:[/] {why}", highlight=False)
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()
