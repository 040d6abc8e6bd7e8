"""Names what went wrong in a run: a journal held against what the database has in the end. Pure."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any, Literal, NamedTuple

from tests.harness.journal import Journal

Items = Mapping[str, Mapping[str, Any]]
Name = Literal["lost", "refused", "doubled", "reordered", "unseen", "phantom"]


class Anomaly(NamedTuple):
    """lost       acknowledged, and not in the database: neither that change nor a later one of the same item
    refused    a sound request, of an item that was acknowledged, was refused for good
    doubled    one request took effect twice, or a device was sent a seq twice without a reset
    reordered  a device was sent a lower seq than before without a reset
    unseen     a device lacks an item that is for it, or has an old state of it, in the end
    phantom    a device or an answer holds what the database does not
    """

    name: Name
    who: str
    detail: str


def anomalies(journal: Journal, truth: Items, devices: Mapping[str, str] | None = None) -> list[Anomaly]:
    """All of them. `truth`: the database's items by id, tombstones too. `devices`: the id of each that must be up to
    date by now, by its name in the journal (without it: all, none of them in a narrowed audience).

    A title that begins with the request_id of a create marks the item that this create made.
    """
    current = devices if devices is not None else dict.fromkeys(journal.devices, "")
    return [
        *_writes(journal, truth),
        *(Anomaly("refused", entry.who, f"{entry.verb}: {entry.detail}") for entry in journal.of("refused")),
        *_repeats(journal, truth),
        *(anomaly for who in journal.devices for anomaly in _order(journal, who)),
        *(anomaly for who, device_id in current.items() for anomaly in _states(journal, who, device_id, truth)),
    ]


def replica(journal: Journal, who: str) -> dict[str, dict[str, Any]]:
    """What a device that follows the protocol holds: items by id, tombstones removed, resets obeyed."""
    held: dict[str, dict[str, Any]] = {}
    for entry in journal.of("reset", "item", who=who):
        if entry.item is None:
            held.clear()
        elif entry.item["deleted"]:
            held.pop(entry.item["id"], None)
        else:
            held[entry.item["id"]] = entry.item
    return held


def _writes(journal: Journal, truth: Items) -> Iterator[Anomaly]:
    for entry in journal.of("ok"):
        item = entry.item or {}
        kept = truth.get(item["id"])
        said = f"{entry.verb} {entry.request_id} of item {item['id']} as seq {item['seq']}"
        if kept is None or kept["seq"] < item["seq"]:
            yield Anomaly("lost", entry.who, said)
        elif kept["seq"] == item["seq"] and kept != item:
            yield Anomaly("phantom", entry.who, f"{said}: answered {item}, kept {kept}")


def _repeats(journal: Journal, truth: Items) -> Iterator[Anomaly]:
    answers: defaultdict[str, set[str]] = defaultdict(set)
    for entry in journal.of("ok"):
        if entry.request_id and entry.item:
            answers[entry.request_id].add(entry.item["id"])
    creates = {entry.request_id for entry in journal.of("asked") if entry.verb == "POST" and entry.request_id}
    for item in truth.values():
        mark = (item.get("title") or "").split(" ")[0]
        if mark in creates:
            answers[mark].add(item["id"])
    for request_id, ids in answers.items():
        if len(ids) > 1:
            yield Anomaly("doubled", "", f"request {request_id} made {sorted(ids)}")


def _order(journal: Journal, who: str) -> Iterator[Anomaly]:
    sent: set[int] = set()
    last = 0
    for entry in journal.of("reset", "item", who=who):
        if entry.what == "reset":
            sent, last = set(), 0
        elif entry.seq in sent:
            yield Anomaly("doubled", who, f"seq {entry.seq} once more, after {last}")
        elif entry.seq < last:
            yield Anomaly("reordered", who, f"seq {entry.seq} after {last}")
        sent.add(entry.seq)
        last = max(last, entry.seq)


def _states(journal: Journal, who: str, device_id: str, truth: Items) -> Iterator[Anomaly]:
    held = replica(journal, who)
    for item_id, item in truth.items():
        is_for_it = item["audience"] is None or device_id in item["audience"]
        if is_for_it and not item["deleted"] and held.get(item_id, {"seq": 0})["seq"] < item["seq"]:
            yield Anomaly("unseen", who, f"item {item_id} of seq {item['seq']}")
    for item_id, has in held.items():
        kept = truth.get(item_id)
        if kept is None or kept["deleted"]:
            yield Anomaly("phantom", who, f"item {item_id} of seq {has['seq']} is not there")
        elif kept["audience"] is not None and device_id not in kept["audience"]:
            yield Anomaly("phantom", who, f"item {item_id} is not for this device")
        elif has["seq"] > kept["seq"] or (has["seq"] == kept["seq"] and has != kept):
            yield Anomaly("phantom", who, f"holds {has}, kept {kept}")
