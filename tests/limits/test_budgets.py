"""The budgets and the page about them are the same."""

import re
from pathlib import Path

from app.actions.bodies import DeviceChanges
from app.limits.budgets import ALL, WRITES

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "limits.md").read_text()
ROW = re.compile(r"^\| `(\w+)` \| [^|]+ \| ([\d,]+) \| ([\d,]+) \|", re.MULTILINE)


def number(text: str) -> int:
    return int(text.replace(",", ""))


def test_every_budget_is_explained_and_no_other() -> None:
    told = {name: (number(at_once), number(a_minute)) for name, at_once, a_minute in ROW.findall(PAGE)}
    assert told == {each.name: (each.quota, 60 * each.quota // each.window_s) for each in ALL}
    assert all(60 * each.quota % each.window_s == 0 for each in ALL)


def test_no_two_share_a_name() -> None:
    assert len({each.name for each in ALL}) == len(ALL)


def test_a_batch_of_the_largest_size_fits() -> None:
    largest = next(each for each in DeviceChanges.model_fields["changes"].metadata if hasattr(each, "max_length"))
    assert WRITES.quota >= largest.max_length
