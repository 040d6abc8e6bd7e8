"""The one timer: every visit is made, once, not before its second."""

import time

from app.hub.calendar import Calendar


def made() -> tuple["Calendar[str]", list[str], int]:
    visited: list[str] = []
    return Calendar[str](lambda thing, now: visited.append(thing)), visited, int(time.monotonic())


def test_a_visit_is_made_in_its_second_and_not_before() -> None:
    calendar, visited, now = made()
    calendar.add("a", now + 3.9)
    calendar.tick(now + 2.99)
    assert visited == []
    calendar.tick(now + 3.0)
    assert visited == ["a"]
    calendar.tick(now + 10)
    assert visited == ["a"]


def test_a_time_that_is_past_means_the_next_second() -> None:
    calendar, visited, now = made()
    calendar.add("late", now - 100)
    calendar.tick(now + 0.5)
    calendar.tick(now + 2)
    assert visited == ["late"]


def test_a_tick_that_comes_late_makes_all_visits_in_order() -> None:
    calendar, visited, now = made()
    for name, after in (("c", 5), ("a", 2), ("b", 3)):
        calendar.add(name, now + after)
    calendar.tick(now + 60)
    assert visited == ["a", "b", "c"]


def test_a_visit_may_ask_for_the_next_one() -> None:
    visited: list[float] = []

    def visit(thing: str, now: float) -> None:
        visited.append(now)
        calendar.add(thing, now)

    calendar = Calendar[str](visit)
    now = int(time.monotonic())
    calendar.add("a", now + 1)
    for after in (1.5, 2.5, 3.5):
        calendar.tick(now + after)
    assert visited == [now + 1.5, now + 2.5, now + 3.5]
