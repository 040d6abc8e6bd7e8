"""What a limiter admits, in one process: exactly the budget, whatever is asked for and when."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.limits import budgets, limiter
from app.limits.budgets import Budget
from app.limits.limiter import Limiter
from tests.harness.spending import balance, taken, takes

BUDGET = Budget("test", 10, 5)


class Clock:
    """One that only moves when it is told to."""

    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def limits(clock: Clock) -> Limiter:
    return Limiter(clock)


def admitted(limits: Limiter, tries: int, who: str = "ada", budget: Budget = BUDGET) -> int:
    return taken(limits, budget, who, tries)


def test_the_quota_comes_at_once_and_the_rest_at_its_rate(limits: Limiter, clock: Clock) -> None:
    assert admitted(limits, 50) == 10
    for _ in range(20):
        clock.now += 0.5
        assert admitted(limits, 5) == 1
    clock.now += 2.5
    assert admitted(limits, 50) == 5
    clock.now += 100
    assert admitted(limits, 50) == 10


def test_each_has_his_own_and_each_budget_is_another(limits: Limiter) -> None:
    other = Budget("other", 3, 5)
    assert admitted(limits, 50) == 10
    assert admitted(limits, 50, "bob") == 10
    assert admitted(limits, 50, "ada", other) == 3


def test_it_says_what_is_left_and_when_to_come_back(limits: Limiter, clock: Clock) -> None:
    assert [limits.spend(BUDGET, "ada") for _ in range(5)] == [None] * 5
    found = [balance(limits, BUDGET, "ada") for _ in range(6)]
    assert [each.left for each in found] == [4, 3, 2, 1, 0, 0]
    assert [each.wait_s for each in found] == [0, 0, 0, 0, 0, 1]
    assert found[0].owed_s == pytest.approx(3)
    assert found[4].owed_s == found[5].owed_s == pytest.approx(5)
    costly = balance(limits, BUDGET, "ada", 7)
    assert costly.wait_s == 4
    clock.now += costly.wait_s
    assert takes(limits, BUDGET, "ada", 7)


def test_what_is_refused_costs_nothing(limits: Limiter, clock: Clock) -> None:
    assert admitted(limits, 10_000) == 10
    assert balance(limits, BUDGET, "bob", 11).wait_s == 1
    assert admitted(limits, 50, "bob") == 10
    clock.now += 0.5
    assert admitted(limits, 50) == 1


steps = st.lists(st.tuples(st.floats(0, 2), st.integers(0, 30), st.integers(1, 3)), min_size=1, max_size=20)


@given(steps)
def test_between_any_two_moments_no_more_than_the_quota_and_what_time_gives_back(
    steps: list[tuple[float, int, int]],
) -> None:
    clock = Clock()
    limits = Limiter(clock)
    spent: list[tuple[float, int]] = []
    for pause, tries, units in steps:
        clock.now += pause * BUDGET.window_s
        spent += [(clock.now, units) for _ in range(tries) if takes(limits, BUDGET, "ada", units)]
    for first, (began, _) in enumerate(spent):
        total = 0
        for moment, units in spent[first:]:
            total += units
            assert total <= BUDGET.quota + (moment - began) / BUDGET.interval_s + 1e-3


@pytest.mark.parametrize("budget", [*budgets.ALL, Budget("odd", 7, 3), Budget("one", 3, 1)], ids=lambda each: each.name)
@given(steps)
def test_nobody_is_refused_who_has_enough(budget: Budget, steps: list[tuple[float, int, int]]) -> None:
    clock = Clock()
    limits = Limiter(clock)
    owed = 0.0
    for pause, tries, units in steps:
        clock.now += pause * budget.window_s
        owed = max(0.0, owed - pause * budget.window_s)
        for _ in range(tries):
            then = owed + units * budget.interval_s
            is_admitted = takes(limits, budget, "ada", units)
            assert is_admitted == (then < budget.window_s) or then == pytest.approx(budget.window_s)
            owed = then if is_admitted else owed


@pytest.mark.parametrize(("spent_at", "asks_at", "left"), [(4.9, 5.0, 0), (2.5, 5.0, 5), (0.5, 5.0, 9), (4.9, 9.9, 10)])
def test_who_owes_is_not_forgotten_when_others_come(
    limits: Limiter, clock: Clock, spent_at: float, asks_at: float, left: int
) -> None:
    """Others who were never seen come all the time, so that a generation ends whenever it may."""
    begun, has_spent = clock.now, False
    for step in range(round(asks_at * 10)):
        clock.now = begun + step / 10
        admitted(limits, 1, f"{step}")
        if step / 10 >= spent_at and not has_spent:
            has_spent = admitted(limits, 10) == 10
    clock.now = begun + asks_at + 0.01
    assert admitted(limits, 1, "the last")
    assert admitted(limits, 50) == left


def test_who_has_not_asked_for_long_is_forgotten(limits: Limiter, clock: Clock) -> None:
    for round_ in range(20):
        for number in range(100):
            limits.spend(BUDGET, (round_, number))
        clock.now += BUDGET.window_s
    assert len(limits._books[BUDGET.name]) <= 200


def test_however_many_ask_it_remembers_a_bounded_number(limits: Limiter, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limiter, "MAX_TABS", 50)
    for number in range(10_000):
        assert takes(limits, BUDGET, number)
    assert len(limits._books[BUDGET.name]) <= 100
    assert admitted(limits, 50) == 10
