"""How much a fault test does: a little among all tests, everything with `FAULTS=full` (`make faults`)."""

import os

IS_FULL = os.environ.get("FAULTS") == "full"


def times(reduced: int, *, full: int) -> int:
    """How often, or how many."""
    return full if IS_FULL else reduced
