"""What a device got, held against what was saved. Pure."""

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any

State = dict[str, Any]
"""An item, or its tombstone, as the protocol has it."""


def newest(states: Iterable[State]) -> list[State]:
    """The last state of each item, in the order of the feed."""
    last = {state["id"]: state for state in states}
    return sorted(last.values(), key=lambda state: int(state["seq"]))


def faults(got: Sequence[State], saved: Sequence[State]) -> list[str]:
    """What is wrong with what a device got, as predicates ("missed #3 …"); empty when nothing is.

    It must have got the newest state of every item as it was saved, in order, nothing twice. A state that was replaced
    since may come or be left out.
    """
    known = {state["seq"]: state for state in saved}
    seqs = [state["seq"] for state in got]
    return [
        *(f"missed {_named(state)}" for state in newest(saved) if state["seq"] not in seqs),
        *(f"got {_named(state)}, which was not saved" for state in got if state["seq"] not in known),
        *(f"got {_named(state)} not as it was saved" for state in got if known.get(state["seq"], state) != state),
        *(f"got #{first} before #{then}" for first, then in pairwise(seqs) if first > then),
        *(f"got #{seq} {seqs.count(seq)} times" for seq in sorted(set(seqs)) if seqs.count(seq) > 1),
    ]


def _named(state: State) -> str:
    return f"#{state['seq']}" + (" (a deletion)" if state["deleted"] else f' "{state["title"]}"')
