"""What was spent of each budget: the generic cell rate algorithm, of which a tab is one number for each who asks."""

import math
import time
from collections.abc import Callable, Hashable

import msgspec

from app.limits.budgets import Budget

MAX_TABS = 20_000
"""Of one budget and generation: twice as many are kept at most."""
ROUNDING_S = 1e-6


class Tab(msgspec.Struct):
    """What somebody owes: all is paid back by `due`. `untold`: the units that other processes do not know of."""

    due: float
    untold: int = 0


class Balance(msgspec.Struct, frozen=True):
    """How a budget stands of which little is left: all is paid back in `owed_s` seconds.

    A request that was refused cost nothing, and there is enough for it in `wait_s` seconds; 0 if it was admitted.
    """

    budget: Budget
    owed_s: float
    wait_s: int = 0

    @property
    def left(self) -> int:
        """As many more may come at once."""
        budget = self.budget
        return max(0, int((1 + (ROUNDING_S - self.owed_s) / budget.window_s) * budget.quota))


class Book:
    """The tabs of one budget, in two generations.

    Who has not asked for a whole window owes nothing. So when a generation has lasted that long the one before it,
    of which all who asked since were taken out, can be forgotten.
    """

    def __init__(self, budget: Budget) -> None:
        self.window_s = float(budget.window_s)
        self.half_s = budget.window_s / 2
        self.interval_s = budget.interval_s
        self._tabs: dict[Hashable, Tab] = {}
        self._before: dict[Hashable, Tab] = {}
        self._began = 0.0

    def __len__(self) -> int:
        return len(self._tabs) + len(self._before)

    def tab(self, who: Hashable, now: float) -> Tab:
        """The tab, made if there is none."""
        tab = self._tabs.get(who)
        if tab is None:
            if now - self._began >= self.window_s or len(self._tabs) >= MAX_TABS:
                self._before, self._tabs, self._began = self._tabs, {}, now
            tab = self._tabs[who] = self._before.pop(who) if who in self._before else Tab(now)
        return tab


class Limiter:
    """Keeps the books of one process. Deciding never waits."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._books: dict[str, Book] = {}

    def spend(self, budget: Budget, who: Hashable, units: int = 1) -> Balance | None:
        """Takes so many units of the budget of `who`, or none; None: they were taken, and half of it is left.

        In any t seconds, at most `quota * (1 + t / window_s)` are taken.
        """
        book = self._books.get(budget.name)
        if book is None:
            book = self._books[budget.name] = Book(budget)
        now = self._clock()
        tab = book.tab(who, now)
        before = tab.due if tab.due > now else now
        after = before + units * book.interval_s
        owed_s = after - now
        if owed_s > book.window_s + ROUNDING_S:
            return Balance(budget, before - now, math.ceil(owed_s - book.window_s))
        tab.due = after
        self._spent(budget, who, tab, units)
        return Balance(budget, owed_s) if owed_s > book.half_s else None

    def _spent(self, budget: Budget, who: Hashable, tab: Tab, units: int) -> None:
        """Here nobody else has to know."""

    async def run(self) -> None:
        """Tells other processes of what was spent here until cancelled: here there are none."""
