"""Things that are waited for: each is overdue once, at its time, unless it ended before."""

import time

from app.hub.arrivals import Arrivals

PATIENCE_S = 30.0


class Book:
    """Arrivals that write down what is overdue."""

    def __init__(self) -> None:
        self.overdue: list[str] = []
        self.arrivals: Arrivals[str] = Arrivals(PATIENCE_S, self.overdue.append)
        self.now = time.monotonic()

    def tick(self, after: float) -> list[str]:
        self.overdue.clear()
        self.arrivals.tick(self.now + after)
        return list(self.overdue)


def test_what_does_not_end_is_overdue_once() -> None:
    book = Book()
    book.arrivals.begin("a")
    book.arrivals.begin("b")
    assert book.tick(PATIENCE_S - 1) == []
    assert book.tick(PATIENCE_S + 1) == ["a", "b"]
    assert book.tick(2 * PATIENCE_S) == []


def test_what_ended_is_never_overdue_and_may_end_twice() -> None:
    book = Book()
    for name in "abc":
        book.arrivals.begin(name)
    book.arrivals.end("b")
    book.arrivals.end("b")
    assert book.tick(PATIENCE_S + 1) == ["a", "c"]


def test_beginning_again_does_not_buy_time() -> None:
    book = Book()
    book.arrivals.begin("a")
    book.arrivals._begun["a"] -= 20
    book.arrivals.begin("a")
    assert book.tick(PATIENCE_S - 19) == ["a"]


def test_a_new_beginning_after_the_end_has_its_own_time() -> None:
    book = Book()
    book.arrivals.begin("early")
    book.arrivals._begun["early"] -= 20
    book.arrivals.begin("a")
    book.arrivals.end("early")
    book.arrivals.begin("early")
    assert book.tick(PATIENCE_S - 5) == []
    assert book.tick(PATIENCE_S + 1) == ["a", "early"]


def test_what_is_overdue_may_begin_again_and_end_others() -> None:
    overdue: list[str] = []

    def look(name: str) -> None:
        overdue.append(name)
        arrivals.end("b")
        arrivals.begin(name)

    arrivals: Arrivals[str] = Arrivals(PATIENCE_S, look)
    for name in "abc":
        arrivals.begin(name)
    now = time.monotonic()
    arrivals.tick(now + PATIENCE_S + 1)
    assert overdue == ["a", "c"]
    arrivals.tick(now + PATIENCE_S + 2)
    assert overdue == ["a", "c"] * 2
