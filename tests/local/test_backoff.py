"""How long to wait before another start."""

import pytest

from app.local.backoff import Backoff


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [1000.0]
    monkeypatch.setattr("app.local.backoff.time.monotonic", lambda: now[0])
    return now


def test_failures_in_a_row_wait_longer_and_longer_to_a_limit(clock: list[float]) -> None:
    wait = Backoff()
    wait.started()
    waits = [wait.next() for _ in range(12)]
    assert waits[:4] == [0.0, 0.25, 0.5, 1.0]
    assert waits[-1] == 30.0
    clock[0] += 3600  # an outage, however long, is no success
    assert wait.next() == 30.0


def test_what_held_for_a_while_is_started_again_at_once(clock: list[float]) -> None:
    wait = Backoff()
    for _ in range(5):
        wait.next()
    wait.started()
    clock[0] += 59
    assert wait.next() > 0
    wait.started()
    clock[0] += 61
    assert wait.next() == 0
