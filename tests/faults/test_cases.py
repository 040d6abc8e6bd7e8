"""The table of all cases: what passed, what failed, what was not run, and whether the controls were found out."""

from pathlib import Path

import pytest

from tests.harness.cases import BEGIN, CASES, END, Cases

NUMBER = 12


def report(outcome: str, kind: str = "case", words: str = "3 rounds", saw: str | None = None) -> pytest.TestReport:
    properties: list[tuple[str, object]] = [(kind, [NUMBER, words])]
    if saw is not None:
        properties.append(("saw", saw))
    where = ("tests/x.py", 1, "Skipped: needs root") if outcome == "skipped" else None
    return pytest.TestReport(
        "tests/x.py::test",
        ("tests/x.py", 1, "test"),
        {},
        outcome,  # type: ignore[arg-type]
        where,
        "call",
        user_properties=properties,
    )


def row(*reports: pytest.TestReport) -> list[str]:
    """The cells of the case."""
    cases = Cases(None)
    for each in reports:
        cases.pytest_runtest_logreport(each)
    (line,) = [line for line in cases._lines() if line.startswith(f"| {NUMBER} |")]
    return [cell.strip() for cell in line.split("|")[2:-1]]


def test_what_was_done_and_seen_stands_once() -> None:
    cells = row(report("passed", saw="1 s"), report("passed", saw="2 s"), report("passed", words="1 kill"))
    assert cells == [CASES[NUMBER], "3 rounds; 1 kill", "1 s; 2 s", "3 passed", "none"]


def test_a_failure_and_what_was_not_run_are_said() -> None:
    assert row(report("passed"), report("failed"))[3] == "1 passed; **1 FAILED**"
    assert row(report("skipped"))[3] == "not run: needs root"
    assert row()[3] == "not run"


@pytest.mark.parametrize(
    ("outcome", "verdict"), [("passed", "hasty: found out"), ("failed", "hasty: **NOT FOUND OUT**")]
)
def test_a_control_is_found_out_or_not(outcome: str, verdict: str) -> None:
    assert row(report("passed"), report(outcome, "control", "hasty"))[3:] == ["1 passed", verdict]


def test_a_control_that_was_not_run_is_not_called_found_out() -> None:
    assert "found out" not in row(report("skipped", "control", "hasty"))[4]


def test_the_document_keeps_a_place_for_the_table() -> None:
    document = Path(__file__).parents[2] / "docs" / "reliability.md"
    text = document.read_text()
    assert text.count(BEGIN) == text.count(END) == 1
    assert text.index(BEGIN) < text.index(END)
