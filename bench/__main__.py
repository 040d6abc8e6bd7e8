"""`python -m bench [fanout|memory|saves] --json out.json`"""

import signal
import sys
from collections.abc import Callable
from pathlib import Path

import click
from rich.console import Console

from bench import fanout, memory, results, saves

BENCHMARKS: dict[str, Callable[[Callable[[str], None]], list[results.Result]]] = {
    "fanout": fanout.run,
    "memory": memory.run,
    "saves": saves.run,
}


@click.command()
@click.argument("names", nargs=-1, type=click.Choice(list(BENCHMARKS)))
@click.option("--json", "path", type=click.Path(dir_okay=False, path_type=Path), help="Write the results here, too.")
def main(names: tuple[str, ...], path: Path | None) -> None:
    """Measure what is named, or everything."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that every server is stopped
    console = Console()
    found: list[results.Result] = []
    for name in names or BENCHMARKS:
        with console.status(name) as status:
            found += BENCHMARKS[name](status.update)
    results.show(found, console)
    if path is not None:
        results.write(found, path)


if __name__ == "__main__":
    main()
