"""What one change does to one item: pure, without I/O, applied in arrival order under the feed's lock."""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Literal, Protocol
from uuid import UUID

import msgspec

from app.errors import Conflict, InvalidField, NotFound, RequestIdReused, StarlingError
from app.model import File, Item, Kind, Origin, Receiver, Tombstone

CREATED = "created"
_encoder = msgspec.json.Encoder()
Base = int | Literal["create", "any"]
"""What a change builds on: a seq the writer has seen, nothing (it creates), or whatever is there."""
OutcomeStatus = Literal["applied", "duplicate", "conflict", "rejected"]


class Replay(msgspec.Struct, frozen=True):
    """How a repeat is known. `keeps_answer`: it counts for all its life; else only while the item is as it was."""

    key: bytes
    fingerprint: bytes
    life: timedelta
    keeps_answer: bool = True


class Change(msgspec.Struct, frozen=True):
    """One wish of a caller. `values` holds validated writable fields only; absent ones stay as they are."""

    feed_id: UUID
    item_id: UUID
    verb: Literal["put", "delete", "expire"]
    base: Base
    origin: Origin
    values: Mapping[str, Any] = msgspec.field(default_factory=dict)
    kind: Kind | None = None
    audience: tuple[UUID, ...] | None = None
    files: tuple[File, ...] = ()
    """What an item has from its creation on."""
    replay: Replay | None = None
    epoch: str | None = None
    """The history that the change was made in, where that matters."""
    fresh: bool = False
    """The id was made for this very change, so no row of it can exist."""

    @property
    def weight(self) -> int:
        """About how many bytes it will write."""
        data = self.values.get("data")
        return (
            1024
            + 512 * len(self.files)
            + 4 * len(self.values.get("text") or "")
            + (len(_encoder.encode(data)) if data else 0)
        )


class Outcome(msgspec.Struct):
    """What became of a change. `wire`: the item as first answered for a duplicate, the current one for a conflict."""

    status: OutcomeStatus
    item_id: UUID
    seq: int = 0
    wire: bytes | None = None
    error: StarlingError | None = None
    devices: Sequence[Receiver] | None = None
    """The feed's devices as of the commit, if it wrote anything."""


class State(msgspec.Struct):
    """One item's row while a batch is folded. `item` is decoded only when a change needs it."""

    seq: int
    wire: bytes
    field_seqs: dict[str, int]
    audience: tuple[UUID, ...] | None
    expires_at: datetime | None = None
    deleted_at: datetime | None = None
    item: Item | None = None

    def content(self) -> Item:
        """The item; only for one that is not deleted."""
        if self.item is None:
            self.item = msgspec.json.decode(self.wire, type=Item)
        return self.item


class Step(msgspec.Struct, frozen=True):
    """The result of folding one change: its outcome, and the item's new state when it changed."""

    outcome: Outcome
    state: State | None = None


_ESCAPES = ((b"\xe2\x80\xa8", b"\\u2028"), (b"\xe2\x80\xa9", b"\\u2029"), (b"\xc2\x85", b"\\u0085"))


def encode(value: msgspec.Struct) -> bytes:
    """An item, or a part of one, as one line of JSON.

    No reader of event streams sees a line end in it (U+2028, U+2029 and U+0085 are escaped).
    """
    wire = _encoder.encode(value)
    if wire.isascii():
        return wire
    for raw, escaped in _ESCAPES:
        if raw in wire:
            wire = wire.replace(raw, escaped)
    return wire


def new_item(change: Change, seq: int, now: datetime) -> Item:
    """The item that the change wants to be made."""
    value = change.values.get
    return Item(
        id=change.item_id,
        seq=seq,
        kind=change.kind or "note",
        collection=value("collection"),
        title=value("title"),
        text=value("text"),
        url=value("url"),
        tags=value("tags") or [],
        data=value("data") or {},
        status=value("status") or "unread",
        files=list(change.files),
        audience=None if change.audience is None else list(change.audience),
        deleted=False,
        created_at=now,
        updated_at=now,
        expires_at=value("expires_at"),
        origin=change.origin,
    )


def fold(change: Change, state: State | None, seq: int, now: datetime) -> Step:
    """Applies `change` to an item's `state` (None: there is none). `seq` is taken only when a new state comes back."""
    if change.verb == "put":
        return _put(change, state, seq, now)
    if change.verb == "delete":
        return _delete(change, state, seq, now)
    return _expire(change, state, seq, now)


def replayed(change: Change, replay: Replay, fingerprint: bytes, first: Outcome) -> Outcome:
    """The answer to a repeat: the first one, unless the key came with another body."""
    if fingerprint != replay.fingerprint:
        return Outcome("rejected", change.item_id, error=RequestIdReused(field="request_id"))
    return first


def _put(change: Change, state: State | None, seq: int, now: datetime) -> Step:
    if state is None:
        return _create(change, seq, now) if change.base == "create" else _rejected(change, NotFound())
    if _is_ahead(change, state):
        return _rejected(change, InvalidField("base_seq", "base_seq is above the item's seq.", limit=state.seq))
    if state.deleted_at is not None:
        return _rejected(change, NotFound()) if change.base == "any" else _conflict(change, state)
    item = state.content()
    changed = {name: value for name, value in change.values.items() if _differ(name, getattr(item, name), value)}
    if change.kind is not None and change.kind != item.kind:
        if change.base == "create":
            return _conflict(change, state)
        return _rejected(change, InvalidField("kind", "The kind of an item is fixed at its creation."))
    if change.base == "create":
        return _conflict(change, state) if changed else _kept(state, item.id)
    if isinstance(change.base, int) and any(_changed_at(state, name) > change.base for name in changed):
        return _conflict(change, state)
    return _update(state, item, changed, seq, now) if changed else _kept(state, item.id)


def _create(change: Change, seq: int, now: datetime) -> Step:
    item = new_item(change, seq, now)
    state = State(seq, encode(item), {CREATED: seq}, change.audience, expires_at=item.expires_at, item=item)
    return _applied(state, item.id)


def _update(state: State, item: Item, changed: Mapping[str, Any], seq: int, now: datetime) -> Step:
    values = {**{name: getattr(item, name) for name in item.__struct_fields__}, **changed}
    new = Item(**{**values, "seq": seq, "updated_at": now})
    field_seqs = {**state.field_seqs, **dict.fromkeys(changed, seq)}
    return _applied(State(seq, encode(new), field_seqs, state.audience, expires_at=new.expires_at, item=new), new.id)


def _delete(change: Change, state: State | None, seq: int, now: datetime) -> Step:
    if state is None:
        return _rejected(change, NotFound())
    if _is_ahead(change, state):
        return _rejected(change, InvalidField("base_seq", "base_seq is above the item's seq.", limit=state.seq))
    if state.deleted_at is not None:
        status: OutcomeStatus = "duplicate" if change.base == "any" else "applied"
        return Step(Outcome(status, change.item_id, state.seq, state.wire))
    if isinstance(change.base, int) and max(state.field_seqs.values()) > change.base:
        return _conflict(change, state)
    return _bury(change, state, seq, now)


def _expire(change: Change, state: State | None, seq: int, now: datetime) -> Step:
    if state is None or state.deleted_at is not None or state.expires_at is None or state.expires_at > now:
        return _rejected(change, NotFound())
    return _bury(change, state, seq, now)


def _bury(change: Change, state: State, seq: int, now: datetime) -> Step:
    audience = None if state.audience is None else list(state.audience)
    wire = encode(Tombstone(change.item_id, seq, audience))
    return _applied(State(seq, wire, {CREATED: seq}, state.audience, deleted_at=now), change.item_id)


def _differ(field: str, old: Any, new: Any) -> bool:
    if field == "data":  # Python takes 1, 1.0 and true for equal; JSON does not
        return msgspec.json.encode(old, order="deterministic") != msgspec.json.encode(new, order="deterministic")
    return bool(old != new)


def _is_ahead(change: Change, state: State) -> bool:
    return isinstance(change.base, int) and change.base > state.seq


def _changed_at(state: State, field: str) -> int:
    return state.field_seqs.get(field, state.field_seqs[CREATED])


def _applied(state: State, item_id: UUID) -> Step:
    return Step(Outcome("applied", item_id, state.seq, state.wire), state)


def _kept(state: State, item_id: UUID) -> Step:
    return Step(Outcome("applied", item_id, state.seq, state.wire))


def _conflict(change: Change, state: State) -> Step:
    return Step(Outcome("conflict", change.item_id, state.seq, state.wire, Conflict()))


def _rejected(change: Change, error: StarlingError) -> Step:
    return Step(Outcome("rejected", change.item_id, error=error))


_LONG_RUN = re.compile(r"\S{64}")
_SHORT = 512


class Searchable(Protocol):
    """What of an item can be searched."""

    title: str | None
    text: str | None
    url: str | None
    tags: list[str]


def searchable(item: Searchable) -> str:
    """The text that `q` searches.

    Postgres's text parser takes quadratic time in some unbroken runs and after "<": runs are broken where there can be
    long ones, "<" is left out.
    """
    said = "\n".join(part for part in (item.title, item.text, item.url, *item.tags) if part).replace("<", " ")
    return said if len(said) <= _SHORT else _LONG_RUN.sub(r"\g<0> ", said)
