"""The working set of one commit: the rows it touches, folded in memory, and the columns it writes."""

import time
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import Row

from app.errors import EpochChanged, NotFound
from app.model import Changed, Device, Head
from app.store.database import array
from app.store.devices import as_device
from app.store.fold import Change, Outcome, Replay, State, fold, replayed, searchable

_ItemKey = tuple[UUID, UUID]


class _Remembered(msgspec.Struct, frozen=True):
    fingerprint: bytes
    outcome: Outcome


class _Earliest(dict[UUID, datetime]):
    """The earliest moment noted for each feed."""

    def note(self, feed: UUID, moment: datetime | None) -> None:
        if moment is not None:
            self[feed] = min(moment, self.get(feed, moment))


class Batch:
    """Changes that commit together. Load the locked rows, `fold` the changes in order, then write `columns()`."""

    def __init__(self, changes: Sequence[Change]) -> None:
        self.changes = changes
        self.now = datetime.min.replace(tzinfo=UTC)
        self.xid = ""
        self._heads: dict[UUID, Head] = {}
        self._grown: dict[UUID, Head] = {}
        self._states: dict[_ItemKey, State] = {}
        self._written: dict[_ItemKey, State] = {}
        self._replays: dict[tuple[UUID, bytes], _Remembered] = {}
        self._remember: dict[tuple[UUID, bytes], tuple[Replay, Outcome]] = {}
        self.outcomes: list[Outcome] = []
        self.messages: list[Changed] = []

    def lock_arguments(self) -> dict[str, Any]:
        """For `LOCK`."""
        feeds = sorted({change.feed_id for change in self.changes})
        return {"feeds": feeds, "visible": array(feeds)}

    def load_feeds(self, rows: Iterable[Row[Any]]) -> None:
        """Takes the locked feed rows."""
        for row in rows:
            self._heads[row.id] = Head(row.epoch, row.auth, 0, row.head)
            self.now, self.xid = row.now, row.xid

    def replay_arguments(self) -> dict[str, Any] | None:
        """For `REPLAYS`; None when no change names a key."""
        keyed = [(change.feed_id, change.replay.key) for change in self.changes if change.replay]
        return {"feeds": [feed for feed, _ in keyed], "keys": [key for _, key in keyed]} if keyed else None

    def load_replays(self, rows: Iterable[Row[Any]]) -> None:
        """Takes what is remembered of earlier writes with the same keys."""
        for row in rows:
            first = Outcome("duplicate", row.item_id, row.seq, row.wire)
            self._replays[row.feed_id, row.key] = _Remembered(row.fingerprint, first)

    def item_arguments(self) -> dict[str, Any] | None:
        """For `ITEMS`; None when no existing item is touched."""
        wanted = {(change.feed_id, change.item_id) for change in self.changes if not change.fresh}
        wanted |= {
            (feed, known.outcome.item_id) for (feed, _), known in self._replays.items() if known.outcome.wire is None
        }
        return {"feeds": [feed for feed, _ in wanted], "ids": [item for _, item in wanted]} if wanted else None

    def load_items(self, rows: Iterable[Row[Any]]) -> None:
        """Takes the touched items as they are."""
        for row in rows:
            audience = None if row.audience is None else tuple(row.audience)
            field_seqs = msgspec.json.decode(row.field_seqs, type=dict[str, int])
            self._states[row.feed_id, row.id] = State(
                row.seq, row.wire, field_seqs, audience, expires_at=row.expires_at, deleted_at=row.deleted_at
            )

    def fold(self) -> None:
        """Decides the outcome of each change, in order."""
        self.outcomes = [self._fold_one(change) for change in self.changes]

    def _fold_one(self, change: Change) -> Outcome:
        head = self._grown.get(change.feed_id) or self._heads.get(change.feed_id)
        if head is None:
            return Outcome("rejected", change.item_id, error=NotFound("This account is gone."))
        if change.epoch not in (None, head.epoch):
            return Outcome("rejected", change.item_id, error=EpochChanged(field="epoch"))
        if change.replay and (first := self._first_answer(change, change.replay)):
            return first
        key = (change.feed_id, change.item_id)
        step = fold(change, self._states.get(key), head.head + 1, self.now)
        if step.state is not None:
            self._states[key] = self._written[key] = step.state
            self._grown[change.feed_id] = Head(head.epoch, head.auth, 0, step.state.seq)
            audience = None if step.state.audience is None else frozenset(step.state.audience)
            self.messages.append(
                Changed(
                    change.feed_id,
                    head.epoch,
                    head.auth,
                    step.state.seq,
                    change.item_id,
                    audience,
                    step.state.wire,
                    time.time(),
                )
            )
        if change.replay and step.outcome.status == "applied":
            self._keep(change, change.replay, step.outcome)
        return step.outcome

    def _first_answer(self, change: Change, replay: Replay) -> Outcome | None:
        known = self._replays.get((change.feed_id, replay.key))
        if known is None:
            return None
        first = known.outcome
        if not replay.keeps_answer:
            state = self._states.get((change.feed_id, first.item_id))
            if state is None or state.seq != first.seq:
                return None
            first = Outcome("duplicate", first.item_id, state.seq, state.wire)
        return replayed(change, replay, known.fingerprint, first)

    def _keep(self, change: Change, replay: Replay, outcome: Outcome) -> None:
        key = (change.feed_id, replay.key)
        first = Outcome("duplicate", outcome.item_id, outcome.seq, outcome.wire)
        self._replays[key] = _Remembered(replay.fingerprint, first)
        self._remember[key] = (replay, outcome)

    def columns(self) -> dict[str, Any] | None:
        """For `WRITE`; None when nothing is to be written."""
        if not self._written and not self._remember:
            return None
        return {**self._item_columns(), **self._replay_columns(), **self._head_columns()}

    def _item_columns(self) -> dict[str, Any]:
        states = self._written.values()
        contents = [None if state.deleted_at else state.content() for state in states]
        return {
            "feed": [feed for feed, _ in self._written],
            "id": [item for _, item in self._written],
            "seq": [state.seq for state in states],
            "kind": [item.kind if item else "note" for item in contents],
            "collection": [item.collection if item else None for item in contents],
            "status": [item.status if item else None for item in contents],
            "audience": [None if state.audience is None else array(state.audience) for state in states],
            "expires_at": [state.expires_at for state in states],
            "deleted_at": [state.deleted_at for state in states],
            "field_seqs": [msgspec.json.encode(state.field_seqs).decode() for state in states],
            "search": [searchable(item) if item else None for item in contents],
            "wire": [state.wire for state in states],
        }

    def _replay_columns(self) -> dict[str, Any]:
        rows = self._remember.values()
        return {
            "r_feed": [feed for feed, _ in self._remember],
            "r_key": [key for _, key in self._remember],
            "r_fingerprint": [replay.fingerprint for replay, _ in rows],
            "r_item": [outcome.item_id for _, outcome in rows],
            "r_seq": [outcome.seq for _, outcome in rows],
            "r_wire": [outcome.wire if replay.keeps_answer else None for replay, outcome in rows],
            "r_life": [replay.life for replay, _ in rows],
        }

    def _head_columns(self) -> dict[str, Any]:
        expires, deleted, replays = _Earliest(), _Earliest(), _Earliest()
        for (feed, _), state in self._written.items():
            expires.note(feed, state.expires_at)
            deleted.note(feed, state.deleted_at)
        for (feed, _), (replay, _) in self._remember.items():
            replays.note(feed, self.now + replay.life)
        feeds = list({*self._grown, *replays})
        return {
            "h_feed": feeds,
            "h_head": [(self._grown.get(feed) or self._heads[feed]).head for feed in feeds],
            "h_expires": [expires.get(feed) for feed in feeds],
            "h_deleted": [deleted.get(feed) for feed in feeds],
            "h_replays": [replays.get(feed) for feed in feeds],
        }

    def finish(self, rows: Iterable[Row[Any]]) -> None:
        """Takes the devices that `WRITE` answers with."""
        devices: dict[UUID, list[Device]] = {feed: [] for feed, _ in self._written}
        for row in rows:
            if row.feed_id in devices:
                devices[row.feed_id].append(as_device(row))
        for change, outcome in zip(self.changes, self.outcomes, strict=True):
            outcome.devices = devices.get(change.feed_id)

    def witness(self) -> dict[str, Any] | None:
        """For `WITNESS`: one item as this batch leaves it; None when it changes none."""
        for (feed, item), state in self._written.items():
            return {"feed": feed, "id": item, "seq": state.seq, "wire": state.wire}
        return None
