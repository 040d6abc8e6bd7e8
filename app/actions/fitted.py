"""Answers to assistants: whatever a feed holds, each stays below what a host reads.

ChatGPT takes fewer than 100,000 characters. So what is too long is cut here, says so, and says how to get the rest.
What fits is answered byte for byte as devices have it.
"""

import asyncio
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from itertools import accumulate
from typing import Any

import msgspec

from app.actions import answers
from app.actions.receipts import Delivery
from app.store.items import Found, Query

ROOM = 98_000
DELIVERY_ROOM = 30_000
_BESIDE = 500
"""For what stands beside items in an answer."""
_NOTES = 250
"""For what an item says of its being cut."""
_SPARED: dict[str, Any] = {"data": {}, "tags": [], "files": [], "url": None, "audience": []}
"""What an item does without when it must, in this order; title, collection and origin are short enough."""


def size(encoded: bytes) -> int:
    """Characters as the host that counts most would count them: in units of UTF-16."""
    return len(encoded.decode().encode("utf-16-le")) // 2


def fits(encoded: bytes, room: int = ROOM) -> bool:
    """Whether it has at most so many characters. UTF-8 takes one to three bytes for each, so most are not counted."""
    return len(encoded) <= room or (len(encoded) <= 3 * room and size(encoded) <= room)


def item(wire: bytes, room: int = ROOM, *, text_offset: int | None = None) -> bytes:
    """An item or a tombstone, cut where it must be. With `text_offset`, in code points, its text from there on."""
    if not text_offset and fits(wire, room):
        return wire
    whole = msgspec.json.decode(wire)
    text = whole.get("text") or ""
    begin = min(text_offset or 0, len(text))
    shown = _spared(whole, room - _NOTES, min(len(text) - begin, room // 10))
    piece = _piece(text, begin, room - _NOTES - size(answers.json(shown)))
    end = begin + len(piece)
    if text:
        shown |= {"text": piece, "text_offset": begin, "text_length": len(text)}
    shown["cut"] = [name for name in whole if shown[name] != whole[name]]
    if not shown["cut"]:
        return wire
    if end < len(text):
        shown["next_step"] = f"The text goes on: call getItem with `text_offset` {end}."
    elif text_offset is None:
        shown["next_step"] = "Call getItem for what is left out here."
    return answers.json(shown)


def _spared(whole: dict[str, Any], room: int, text: int) -> dict[str, Any]:
    """The item without its text, and without what would not leave room for so many characters of it."""
    spared = {**whole, "text": None} if whole.get("text") else {**whole}
    for name, nothing in _SPARED.items():
        if size(answers.json(spared)) + text <= room:
            break
        if name in whole:
            spared[name] = nothing
    return spared


def _piece(text: str, begin: int, room: int) -> str:
    """As much of the text from there on as takes at most that many characters as JSON."""
    longest = text[begin : begin + max(room, 0)]
    if not fits(answers.json(longest), room):
        fitting = bisect_right(range(len(longest)), room, key=lambda end: size(answers.json(longest[:end])))
        longest = longest[: max(fitting - 1, 0)]
    return longest


async def page(found: Found, query: Query) -> bytes:
    """A page of items: long ones cut, all to the same length; if that is not enough, the last ones are not shown."""
    answer = answers.found(found)
    # Cutting a hundred of the longest texts takes a quarter of a second.
    return answer if fits(answer) else await asyncio.to_thread(_cut, found, query)


def _cut(found: Found, query: Query) -> bytes:
    room = ROOM - _BESIDE
    share = _share([size(wire) + 1 if fits(wire, room) else room for wire in found.wires], room)
    shown = [item(wire, share - 1) for wire in found.wires]
    count = max(1, sum(end <= room for end in accumulate(size(each) + 1 for each in shown)))
    fitting = msgspec.structs.replace(found, wires=shown[:count])
    if count == len(shown):
        return answers.found(fitting)
    following = (query.page - 1) * query.limit + count
    next_step = (
        f"Only the first {count} items of this page fit into one answer. For those that follow, ask with `limit` "
        f"{count} and `page` {following // count + 1}."
    )
    return answers.found(fitting, next_step=next_step)


def _share(sizes: Iterable[int], room: int) -> int:
    """What each may take at most, so that all fit: what small ones do not need goes to the large ones."""
    left, ascending = room, sorted(sizes)
    for n, each in enumerate(ascending):
        share = left // (len(ascending) - n)
        if each > share:
            return share
        left -= each
    return room


def written(wire: bytes, delivery: Delivery, *, duplicate: bool) -> bytes:
    """The answer to a write."""
    return b'{%b,"duplicate":%b}' % (_with_delivery(wire, delivery), answers.json(duplicate))


def delivered(wire: bytes, delivery: Delivery) -> bytes:
    """An item and who has it."""
    return b"{%b}" % _with_delivery(wire, delivery)


def _with_delivery(wire: bytes, delivery: Delivery) -> bytes:
    receipts = answers.json(delivery)
    if not fits(receipts, DELIVERY_ROOM):
        receipts = answers.json(_named(delivery))
    return b'"item":%b,"delivery":%b' % (item(wire, ROOM - _BESIDE - size(receipts)), receipts)


def _named(delivery: Delivery) -> dict[str, Any]:
    """The first devices of each list, and how many are not named."""
    lists: dict[str, Sequence[Any]] = {name: getattr(delivery, name) for name in delivery.__struct_fields__}
    room = (DELIVERY_ROOM - _BESIDE) // len(lists)
    named = {name: _first(devices, room) for name, devices in lists.items()}
    omitted = sum(map(len, lists.values())) - sum(map(len, named.values()))
    return {**named, "not_named": omitted, "next_step": "listDevices names all devices, page by page."}


def _first(devices: Sequence[Any], room: int) -> Sequence[Any]:
    ends = accumulate(size(answers.json(each)) + 1 for each in devices)
    return devices[: sum(end <= room for end in ends)]
