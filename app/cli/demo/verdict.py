"""What a device got, held against what was saved. Pure."""

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any

State = dict[str, Any]
"""An item, or its tombstone, as the protocol has it."""


def newest(changes: Iterable[State]) -> list[State]:
    """The last state of each item that changed, in the order of the feed."""
    last = {state["id"]: state for state in changes}
    return sorted(last.values(), key=lambda state: int(state["seq"]))


def faults(got: Sequence[State], changes: Sequence[State], *, exactly_newest: bool = False) -> list[str]:
    """What is wrong with what a device got, a sentence each; empty when nothing is.

    It must have got the newest state of every item as it was saved, in order, nothing twice. A state that was replaced
    since may come or be left out; with `exactly_newest`, for a device that was away, it must not come.
    """
    wanted = newest(changes)
    known = {state["seq"]: state for state in (wanted if exactly_newest else changes)}
    seqs = [state["seq"] for state in got]
    return [
        *(f"missed {_named(state)}" for state in wanted if state["seq"] not in seqs),
        *(f"got {_named(state)}, which it should not" for state in got if state["seq"] not in known),
        *(f"got {_named(state)} not as it was saved" for state in got if known.get(state["seq"], state) != state),
        *(f"got #{before} before #{after}" for before, after in pairwise(seqs) if before > after),
        *(f"got #{seq} {seqs.count(seq)} times" for seq in sorted(set(seqs)) if seqs.count(seq) > 1),
    ]


def _named(state: State) -> str:
    return f"#{state['seq']} " + ("(a deletion)" if state["deleted"] else f'"{state["title"]}"')
