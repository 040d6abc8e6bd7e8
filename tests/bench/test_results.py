"""Results: what the target is for, and what is said of the client."""

import io
from pathlib import Path

import msgspec
import pytest
from rich.console import Console

from bench.results import Result, busy_client, quantile, show, write


def test_the_target_is_for_the_ratio_where_there_is_one() -> None:
    reached = Result("a", "ms", measured=90, reference=100, ratio=0.9, target=1)
    assert reached.is_met
    assert not Result("b", "KiB", measured=90, reference=100, target=1).is_met


@pytest.mark.parametrize(
    ("better", "value", "is_met"), [("lower", 2, False), ("higher", 2, True), ("higher", 0.5, False)]
)
def test_better_says_the_side(better: str, value: float, is_met: bool) -> None:
    assert msgspec.convert({**_FIELDS, "ratio": value, "better": better}, Result).is_met is is_met


_FIELDS = {"name": "a", "unit": "ms", "measured": 1, "target": 1}


def test_without_a_target_nothing_is_met_or_missed() -> None:
    result = Result("a", "ms", measured=1)
    assert result.is_met is None
    assert result.goal == "-"


@pytest.mark.parametrize(("share", "value"), [(0.5, 50), (0.99, 99), (1, 100), (0, 1)])
def test_quantile_is_one_of_the_values(share: float, value: float) -> None:
    assert quantile(list(range(100, 0, -1)), share) == value


def test_the_busiest_client_is_named() -> None:
    results = [
        Result("cpu", "µs", measured=1),
        Result("one", "s", measured=1, client_share=0.25),
        Result("two", "s", measured=1, client_share=0.5),
    ]
    assert "50% of one core" in (busy_client(results) or "")
    assert "two" in (busy_client(results) or "")
    assert busy_client(results[:1]) is None


def test_the_table_shows_value_and_target() -> None:
    said = io.StringIO()
    show([Result("speed", "/s", measured=4321, reference=8000, ratio=0.54, target=0.6)], Console(file=said, width=120))
    assert "4,321 /s" in said.getvalue()
    assert "≤ 0.6" in said.getvalue()


def test_json_has_every_result(tmp_path: Path) -> None:
    file = tmp_path / "below" / "out.json"
    write([Result("speed", "/s", measured=4321)], file)
    assert msgspec.json.decode(file.read_bytes())["results"][0]["measured"] == 4321
