"""The command: it fails for what did not work, never for a figure."""

import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner

from bench import __main__ as command
from bench.results import Result
from bench.server import BenchError


def _slow(_: Callable[[str], None]) -> list[Result]:
    return [Result("slow", "s", measured=9, target=5)]


def _broken(_: Callable[[str], None]) -> list[Result]:
    raise BenchError("An item was lost.")


@pytest.fixture(autouse=True)
def benchmarks(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Two that take no time. The command's signal handler does not outlive the test."""
    for name, run in {"fanout": _broken, "saves": _slow}.items():
        monkeypatch.setitem(command.BENCHMARKS, name, run)
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


def test_a_missed_target_fails_nobody() -> None:
    done = CliRunner().invoke(command.main, ["saves"])
    assert done.exit_code == 0
    assert "slow" in done.output


def test_what_did_not_work_fails_and_the_rest_is_still_told(tmp_path: Path) -> None:
    document, picture = tmp_path / "out.json", tmp_path / "out.svg"
    arguments = ["fanout", "saves", "--json", str(document), "--plot", str(picture)]
    done = CliRunner().invoke(command.main, arguments)
    assert done.exit_code == 1
    assert "fanout failed: An item was lost." in done.output
    assert [result["name"] for result in msgspec.json.decode(document.read_bytes())["results"]] == ["slow"]
    assert "slow" in picture.read_text()
