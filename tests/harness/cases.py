"""The faults and attacks that Starling must survive, by number, and the table of how it did.

A test says what it proves with `@pytest.mark.case(number, "what it does")`. A test of a server that is broken on
purpose, and must be found out, says `@pytest.mark.control(number, "what is broken")`. Both fail like any other test.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

BEGIN, END = "<!-- cases: begin -->", "<!-- cases: end -->"
CASES = {
    1: "Writers whose commits take their time: nothing lost, one order",
    2: "`kill -9` of Postgres and of the server under writers: nothing acknowledged is lost, all heals by itself",
    3: "The commit's answer is lost; one change of many is bad: one effect, neighbours are saved",
    4: "The process dies, or publishing fails, between commit and delivery: delivered all the same",
    5: "Callers hang up at any moment: no committed change stays undelivered, no connection stays taken",
    6: "The same request many times at once: one item, equal answers; another body is refused",
    7: "From catching up to live with pauses in every gap: no gap, no repeat, no other order",
    8: "Anything that can happen to a feed, in any order: devices hold what the database holds",
    9: "For every kind of change: old state + events = a fresh read",
    10: "A backup is restored, a prune passes a cursor: devices begin anew, no deletion is missed",
    11: "A cursor that is forged, foreign, ahead or of another history: a reset or 4xx, no foreign byte",
    12: "The disk is full, a migration meets load: a clean 503, acknowledged intact, heals by itself",
    13: "Redis is killed, stopped, cut off, emptied: writes go on, and reach every device within 5 s, in order",
    14: "Calls to the database and to Redis are cancelled in mid-flight: no answer reaches another user",
    15: "A device's cable is pulled: its stream ends within 30 s",
    16: "Devices that never read: cut within 30 s, at a bounded cost, and others do not notice",
    17: "A server or worker dies with many streams: reconnects are spread out, all are current within 60 s",
    18: "Workers are renewed one after another under load: nothing lost, and an end within 30 s",
    20: "The connection pool is exhausted, clocks are wrong: 503 within 3 s, streams stay, order unchanged",
    21: "Killed in mid-answer, a device dropped, cancelled: one text on every device, at its end within 30 s",
    22: "Line ends and control characters in every text: one change is one event, an exact round trip",
    23: "Malformed, hostile and huge input: 4xx, never 5xx, nothing saved",
    24: "All operations of the documents, with what they allow and what not: no 5xx, nobody let in without a token",
    25: "Requests that come slowly or never end, and framing that can be read two ways: cut within 35 s, 400",
    26: "Floods of connections, spoofed addresses: 429 above the caps, others unaffected, nothing gained",
    27: "A code, or a device's code, is redeemed by many at once and replayed: one token, which the replay takes back",
    28: "Codes that people type are guessed; devices poll too fast: five tries, `slow_down`, never approved by a link",
    29: "PKCE is missing, plain or downgraded: refused for public clients",
    30: "A refresh token is used again: its family ends and streams are cut; one lost answer and a retry harm nobody",
    31: "Redirect addresses that nearly match: refused",
    32: "Redis is away when a device is revoked: its streams in all processes end within 5 s, without a later item",
    33: "Tickets after their time, secrets that stay behind: 401; no log and no dump holds one",
    34: "Forged forms, framed pages, sign-ins into another account: refused",
    37: "Somebody else's ids at every endpoint; a database role that was told of no feed: nothing, like ids of nothing",
    35: "URLs that lead inside, as text, by redirect or by a name that changes: no connection is made",
    38: "Stored text that asks for deletion: stays text, is refused without the scope, and hosts ask the person first",
}


@dataclass
class Row:
    """What became of one case."""

    did: dict[str, None] = field(default_factory=dict)
    saw: list[str] = field(default_factory=list)
    passed: int = 0
    failed: int = 0
    reasons: dict[str, None] = field(default_factory=dict)
    """Why tests were skipped."""
    broken: dict[str, None] = field(default_factory=dict)
    """What the controls broke."""
    found_out: int = 0
    missed: int = 0

    @property
    def result(self) -> str:
        """In a few words."""
        words = [f"{self.passed} passed"] if self.passed else []
        words += [f"**{self.failed} FAILED**"] if self.failed else []
        words += [f"not run: {reason}" for reason in self.reasons]
        return "; ".join(words) or "not run"

    @property
    def control(self) -> str:
        """In a few words."""
        if not self.found_out + self.missed:
            return "none"
        words = "; ".join(self.broken)
        return f"{words}: **NOT FOUND OUT**" if self.missed else f"{words}: found out"


class Cases:
    """A pytest plugin that fills the table, prints it, and writes it into a document between two marks."""

    def __init__(self, document: Path | None) -> None:
        self._document = document
        self.rows: dict[int, Row] = {number: Row() for number in CASES}

    @pytest.hookimpl
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Lets a test's report carry what it proves, from another process, too."""
        for item in items:
            for kind in ("case", "control"):
                for mark in item.iter_markers(kind):
                    number, words = mark.args
                    assert number in CASES, f"{item.nodeid}: there is no case {number}"
                    item.user_properties.append((kind, [number, words]))

    @pytest.hookimpl
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """One phase of one test."""
        if report.when != "call" and report.passed:
            return
        saw = [str(value) for name, value in report.user_properties if name == "saw"]
        for kind, value in report.user_properties:
            if kind in ("case", "control") and isinstance(value, (list, tuple)):
                self._take(self.rows[value[0]], kind, value[1], report, saw)

    @staticmethod
    def _take(row: Row, kind: str, words: str, report: pytest.TestReport, saw: list[str]) -> None:
        if report.skipped:
            reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
            row.reasons[reason.removeprefix("Skipped: ")] = None
        elif kind == "control":
            row.broken[words] = None
            row.found_out += report.passed
            row.missed += report.failed
        else:
            row.did[words] = None
            row.saw += [each for each in saw if each not in row.saw]
            row.passed += report.passed
            row.failed += report.failed

    @pytest.hookimpl
    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Prints the table; writes it down."""
        terminalreporter.section("faults and attacks")
        for number, row in self.rows.items():
            terminalreporter.write_line(f"{number:>3}  {CASES[number]}")
            for name, words in (("did", "; ".join(row.did)), ("saw", "; ".join(row.saw)), ("result", row.result)):
                if words:
                    terminalreporter.write_line(f"     {name:<8}{words}")
            terminalreporter.write_line(f"     {'control':<8}{row.control}")
        if self._document is not None:
            before, rest = self._document.read_text().split(BEGIN)
            after = rest.split(END)[1]
            table = "\n".join(self._lines())
            self._document.write_text(f"{before}{BEGIN}\n{table}\n{END}{after}")

    def _lines(self) -> Iterator[str]:
        yield "| | Fault or attack | What was done | What was seen | Result | Control: broken on purpose |"
        yield "|--|--|--|--|--|--|"
        for number, row in self.rows.items():
            cells = (CASES[number], "; ".join(row.did), "; ".join(row.saw), row.result, row.control)
            yield f"| {number} | " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
