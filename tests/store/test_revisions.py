"""Who runs on which schema: old code on newer ones, new code on older ones."""

import pytest

from app.store.revisions import MIGRATIONS, Revisions, head, is_older, is_post

FIRST = ["0001"]
SECOND = [*FIRST, "pre_0002_on_0001", "pre_0003_on_0001", "post_0004"]
THIRD = [*SECOND, "post_0005", "pre_0006_on_0005", "post_0007"]


@pytest.mark.parametrize(
    ("code", "database", "runs"),
    [
        (FIRST, None, False),
        (FIRST, "0001", True),
        (FIRST, "pre_0002_on_0001", True),
        (FIRST, "pre_0003_on_0001", True),
        (FIRST, "post_0004", False),
        (FIRST, "pre_0006_on_0005", False),  # post_0005 is beneath it
        (FIRST, "something else", False),
        (SECOND[:2], "pre_0003_on_0001", True),  # a version that ends with a pre_
        (SECOND[:2], "post_0004", False),
        (SECOND[:2], "pre_0006_on_0005", False),
        (SECOND, None, False),
        (SECOND, "0001", False),
        (SECOND, "pre_0002_on_0001", False),
        (SECOND, "pre_0003_on_0001", True),
        (SECOND, "post_0004", True),
        (SECOND, "post_0005", False),
        (SECOND, "pre_0005_on_0004", True),
        (THIRD, "post_0004", False),
        (THIRD, "pre_0006_on_0005", True),
    ],
)
def test_code_runs_unless_a_pre_is_missing_or_an_unknown_post_was_applied(
    code: list[str], database: str | None, runs: bool
) -> None:
    assert (Revisions(code).refusal(database) is None) is runs


@pytest.mark.parametrize(
    ("at", "before", "after"),
    [
        (None, SECOND[:3], []),
        ("0001", SECOND[1:3], []),
        ("pre_0003_on_0001", [], ["post_0004", "post_0005"]),
        ("post_0005", ["pre_0006_on_0005"], []),
        ("post_0007", [], []),
        ("post_0008", [], []),
    ],
)
def test_each_half_goes_as_far_as_its_kind(at: str | None, before: list[str], after: list[str]) -> None:
    assert Revisions(THIRD).before_start(at) == before
    assert Revisions(THIRD).after_stop(at) == after


@pytest.mark.parametrize("version", ["", "0001", "pre_0003_on_0001", "psql"])
def test_code_from_before_a_migration_is_older_than_it(version: str) -> None:
    assert is_older(version, "post_0004")


@pytest.mark.parametrize("version", ["post_0004", "pre_0005_on_0004", "post_0006"])
def test_code_that_brought_a_migration_is_not_older_than_it(version: str) -> None:
    assert not is_older(version, "post_0004")


def test_the_newest_of_the_projects_own_is_found() -> None:
    assert Revisions.of(MIGRATIONS).ids[0] == "0001"
    assert head() == Revisions.of(MIGRATIONS).ids[-1]
    assert not is_post("0001")
