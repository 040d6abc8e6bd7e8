"""New items in one round trip: the database numbers and dates them itself, under the feed's lock as ever.

An item whose id was made for it touches no other row, so nothing has to be read before it is written. The function
`commit_new_items` of the schema is one transaction by itself; what it cannot decide it leaves undone.
"""

import time
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from math import inf
from typing import Any

import msgspec

from app.model import Changed, Item, Receiver
from app.store.database import array
from app.store.fold import Change, Outcome, encode, new_item, searchable

_receivers = msgspec.json.Decoder(list[Receiver])
_NEVER = datetime.min.replace(tzinfo=UTC)
_TIMES = b',"created_at":%b,"updated_at":%b,' % ((msgspec.json.encode(_NEVER),) * 2)
_START = len(b'{"id":"00000000-0000-0000-0000-000000000000","seq":0,')


class Newborn(msgspec.Struct, frozen=True):
    """One new item before it has a seq and times. `body` and `end` are what is around them in its wire."""

    change: Change
    item: Item
    body: bytes
    end: bytes

    @classmethod
    def of(cls, change: Change) -> "Newborn":
        """What the change wants to be made."""
        item = new_item(change, 0, _NEVER)
        before, _, after = encode(item).rpartition(_TIMES)  # what follows the times is no caller's JSON
        return cls(change, item, before[_START:], after[:-1])

    def wire(self, seq: int, moment: bytes) -> bytes:
        """The item's JSON, byte for byte as `commit_new_items` composes it and as any later change encodes it."""
        return b'{"id":"%b","seq":%d,%b,"created_at":"%b","updated_at":"%b",%b}' % (
            str(self.change.item_id).encode(),
            seq,
            self.body,
            moment,
            moment,
            self.end,
        )


class Births:
    """Changes that each make an item under a new id. Write `columns()` with `BEAR`, then `take` what it answers."""

    def __init__(self, changes: Sequence[Change]) -> None:
        self.changes = changes
        self.mark = 0
        """The key of the lock that the session they were sent to holds as long as it lives."""
        self._at = inf
        self._newborns = [Newborn.of(change) for change in changes]
        self.outcomes: list[Outcome] = []
        self.messages: list[Changed] = []

    @property
    def is_repetitive(self) -> bool:
        """Whether two of them carry one key, so that one has to wait for what becomes of the other."""
        keys = [(change.feed_id, change.replay.key) for change in self.changes if change.replay]
        return len(set(keys)) < len(keys)

    def columns(self) -> dict[str, Any]:
        """For `BEAR`."""
        self._at = time.time()
        changes, newborns = self.changes, self._newborns
        items = [newborn.item for newborn in newborns]
        replays = [change.replay for change in changes]
        return {
            "visible": array(sorted({change.feed_id for change in changes})),
            "feed": [change.feed_id for change in changes],
            "id": [change.item_id for change in changes],
            "kind": [each.kind for each in items],
            "collection": [each.collection for each in items],
            "status": [each.status for each in items],
            "audience": [None if change.audience is None else array(change.audience) for change in changes],
            "expires_at": [each.expires_at for each in items],
            "search": [searchable(each) for each in items],
            "body": [newborn.body for newborn in newborns],
            "end": [newborn.end for newborn in newborns],
            "r_key": [replay.key if replay else None for replay in replays],
            "r_fingerprint": [replay.fingerprint if replay else None for replay in replays],
            "r_life": [replay.life if replay else None for replay in replays],
            "r_keeps": [replay.keeps_answer if replay else None for replay in replays],
        }

    def take(self, rows: Iterable[Any]) -> bool:
        """Takes the rows, one a feed, that `BEAR` answers with; False when there is none: nothing was written."""
        feeds = {row.feed: row for row in rows}
        if not feeds:
            return False
        seqs = {feed: row.first_seq for feed, row in feeds.items()}
        devices = {feed: _receivers.decode(row.receivers) for feed, row in feeds.items()}
        for newborn in self._newborns:
            change = newborn.change
            row, seq = feeds[change.feed_id], seqs[change.feed_id]
            seqs[change.feed_id] = seq + 1
            wire = newborn.wire(seq, row.moment.encode())
            self._born(change, seq, wire, epoch=row.epoch, auth=row.auth, devices=devices[change.feed_id])
        return True

    def recognise(self, rows: Iterable[Any]) -> bool:
        """Takes the rows, one an item, that `BORN` answers with after the answer of `BEAR` was lost."""
        found = {row.id: row for row in rows}
        if len(found) < len(self.changes):
            return False
        self.outcomes, self.messages = [], []  # it may be asked again, when the connection that told goes, too
        for change in self.changes:
            row = found[change.item_id]
            self._born(change, row.seq, row.wire, epoch=row.epoch, auth=row.auth, devices=None)
        return True

    def born_arguments(self) -> dict[str, Any]:
        """For `BORN`."""
        changes = self.changes
        return {"feeds": [change.feed_id for change in changes], "ids": [change.item_id for change in changes]}

    def _born(
        self, change: Change, seq: int, wire: bytes, *, epoch: str, auth: int, devices: list[Receiver] | None
    ) -> None:
        audience = None if change.audience is None else frozenset(change.audience)
        self.outcomes.append(Outcome("applied", change.item_id, seq, wire, devices=devices))
        self.messages.append(Changed(change.feed_id, epoch, auth, seq, change.item_id, audience, wire, self._at))
