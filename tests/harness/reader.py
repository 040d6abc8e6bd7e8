"""What a device makes of an answer: the pieces it got, joined by the rules of the protocol."""

import json

from tests.harness.listener import Listener


def joined(device: Listener, answer_id: str) -> str:
    """The text by its pieces; fails at a hole, and where a repeat says something else."""
    text = ""
    for event in device.events:
        if event.name != "answer":
            continue
        piece = json.loads(event.data)
        if piece["id"] != answer_id:
            continue
        offset, more = piece["offset"], piece["text"]
        assert offset <= len(text), f"a hole: {offset} after {len(text)}"
        known = text[offset : offset + len(more)]
        assert known == more[: len(known)], "a repeat says something else"
        text += more[len(text) - offset :]
    return text


def item(device: Listener, answer_id: str) -> dict[str, object] | None:
    """The answer's item, once it has come."""
    return next((each for each in device.items if each["id"] == answer_id), None)


def has_ended(device: Listener, answer_id: str) -> bool:
    """Whether the item has come; no piece follows it."""
    return item(device, answer_id) is not None
