"""Spending a budget until there is no more."""

from collections.abc import Hashable

from app.limits.budgets import Budget
from app.limits.limiter import Balance, Limiter


def takes(limiter: Limiter, budget: Budget, who: Hashable, units: int = 1) -> bool:
    """Whether so many units were there, and are spent now."""
    balance = limiter.spend(budget, who, units)
    return balance is None or not balance.wait_s


def taken(limiter: Limiter, budget: Budget, who: Hashable, tries: int) -> int:
    """How many of so many tries were admitted."""
    return sum(takes(limiter, budget, who) for _ in range(tries))


def balance(limiter: Limiter, budget: Budget, who: Hashable, units: int = 1) -> Balance:
    """What the limiter says after one more, with little left."""
    found = limiter.spend(budget, who, units)
    assert found is not None
    return found
