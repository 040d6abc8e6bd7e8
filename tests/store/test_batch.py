"""Changes that commit together, folded in memory: no database."""

from datetime import timedelta
from types import SimpleNamespace
from typing import Any, cast
from uuid import UUID, uuid4

import pytest

from app.errors import EpochChanged, NotFound, RequestIdReused
from app.store.batch import Batch
from app.store.fold import Change
from tests.store.making import FEED, ITEM, NOW, delete, error_of, expire, item_of, named, put

OTHER = UUID("0199aaaa-0000-7000-8000-000000000002")


def row(**columns: Any) -> Any:
    """A row as the database gives it."""
    return cast(Any, SimpleNamespace(**columns))


def folded(
    *changes: Change, heads: dict[UUID, int] | None = None, items: list[Any] | None = None, replays: Any = ()
) -> Batch:
    """A batch over these rows."""
    batch = Batch(changes)
    loaded = {FEED: 0, OTHER: 0} if heads is None else heads
    batch.load_feeds(
        row(id=feed, epoch="aaaaaaaa", auth=3, head=head, now=NOW, xid="1") for feed, head in loaded.items()
    )
    batch.load_replays(replays)
    batch.load_items(items or [])
    batch.fold()
    return batch


def column(batch: Batch, name: str) -> list[Any]:
    """What is written into a column."""
    columns = batch.columns()
    assert columns is not None
    return list(columns[name])


def test_feeds_are_locked_in_one_order_each_once() -> None:
    batch = Batch([put(OTHER), put(FEED), put(OTHER)])
    assert batch.lock_arguments() == {"feeds": [FEED, OTHER], "visible": f"{{{FEED},{OTHER}}}"}


def test_seqs_follow_the_order_of_arrival_feed_by_feed() -> None:
    batch = folded(put(FEED), put(OTHER), put(FEED), put(OTHER), put(FEED), heads={FEED: 10, OTHER: 0})
    assert [outcome.seq for outcome in batch.outcomes] == [11, 1, 12, 2, 13]
    assert [(message.feed_id, message.seq) for message in batch.messages] == [
        (FEED, 11), (OTHER, 1), (FEED, 12), (OTHER, 2), (FEED, 13),
    ]  # fmt: skip
    assert dict(zip(column(batch, "h_feed"), column(batch, "h_head"), strict=True)) == {FEED: 13, OTHER: 2}


@pytest.mark.case(3, "one item twice in a batch")
def test_an_item_changed_twice_is_one_row_and_two_messages() -> None:
    batch = folded(put(FEED, ITEM, title="a"), put(FEED, ITEM, 1, title="b"), put(FEED, ITEM, "create", title="c"))
    assert [outcome.status for outcome in batch.outcomes] == ["applied", "applied", "conflict"]
    assert (column(batch, "id"), column(batch, "seq")) == ([ITEM], [2])
    assert [message.seq for message in batch.messages] == [1, 2]
    assert column(batch, "wire") == [batch.messages[-1].wire]
    assert item_of(batch.outcomes[2])["title"] == "b"


def test_an_item_created_and_deleted_in_one_batch_is_a_tombstone() -> None:
    batch = folded(put(FEED, ITEM, expires_at=NOW, title="a", audience=(OTHER,)), delete(FEED, ITEM))
    assert [column(batch, name) for name in ("seq", "deleted_at", "expires_at", "search")] == [
        [2],
        [NOW],
        [None],
        [None],
    ]
    assert column(batch, "audience") == [f"{{{OTHER}}}"]
    assert column(batch, "h_deleted") == [NOW]
    assert column(batch, "h_expires") == [None]


def test_the_feed_learns_its_earliest_expiry() -> None:
    soon, late = NOW + timedelta(hours=1), NOW + timedelta(hours=2)
    batch = folded(put(FEED, expires_at=late), put(FEED, expires_at=soon), put(FEED), put(OTHER))
    assert dict(zip(column(batch, "h_feed"), column(batch, "h_expires"), strict=True)) == {FEED: soon, OTHER: None}


def test_the_same_id_in_two_feeds_is_two_items() -> None:
    batch = folded(put(FEED, ITEM, title="mine"), put(OTHER, ITEM, title="theirs"))
    assert [outcome.status for outcome in batch.outcomes] == ["applied", "applied"]
    assert column(batch, "feed") == [FEED, OTHER]


def test_what_changes_nothing_writes_nothing() -> None:
    batch = folded(put(FEED, uuid4(), 3), delete(FEED, ITEM), expire(FEED, ITEM))
    assert [error_of(outcome) for outcome in batch.outcomes] == [NotFound] * 3
    assert (batch.columns(), batch.messages, batch.witness()) == (None, [], None)


def test_a_feed_that_is_gone_rejects_its_changes_alone() -> None:
    batch = folded(put(OTHER), put(FEED), heads={FEED: 0})
    assert [error_of(outcome) for outcome in batch.outcomes] == [NotFound, None]


@pytest.mark.parametrize(("epoch", "error"), [(None, None), ("aaaaaaaa", None), ("bbbbbbbb", EpochChanged)])
def test_a_change_of_another_history_is_refused(epoch: str | None, error: type | None) -> None:
    assert error_of(folded(put(FEED, epoch=epoch)).outcomes[0]) is error


def test_messages_carry_what_the_hub_needs() -> None:
    (message,) = folded(put(FEED, ITEM, audience=(OTHER,))).messages
    assert (message.epoch, message.auth, message.audience) == ("aaaaaaaa", 3, frozenset({OTHER}))


@pytest.mark.case(3, "one key twice in a batch")
def test_a_key_repeated_in_a_batch_has_one_effect() -> None:
    key = named(b"k", b"body")
    batch = folded(put(FEED, title="a", replay=key), put(FEED, title="a", replay=key))
    assert [outcome.status for outcome in batch.outcomes] == ["applied", "duplicate"]
    assert batch.outcomes[0].wire == batch.outcomes[1].wire
    assert (column(batch, "seq"), column(batch, "r_seq")) == ([1], [1])


def test_a_key_with_another_body_is_refused_and_leaves_the_first_as_it_was() -> None:
    first, other = named(b"k", b"body"), named(b"k", b"other")
    batch = folded(put(FEED, title="a", replay=first), put(FEED, title="b", replay=other), put(FEED, replay=first))
    assert [error_of(outcome) for outcome in batch.outcomes] == [None, RequestIdReused, None]
    assert batch.outcomes[2].status == "duplicate"


def test_a_key_counts_in_its_own_feed_only() -> None:
    key = named(b"k")
    batch = folded(put(FEED, replay=key), put(OTHER, replay=key))
    assert [outcome.status for outcome in batch.outcomes] == ["applied", "applied"]


def test_only_what_was_applied_is_remembered() -> None:
    key = named(b"k")
    batch = folded(put(FEED, ITEM, 5, replay=key), put(FEED, ITEM, "create", title="a", replay=key))
    assert [outcome.status for outcome in batch.outcomes] == ["rejected", "applied"]
    assert column(batch, "r_item") == [ITEM]


def test_a_named_repeat_gets_the_first_answer_even_when_the_item_went_on() -> None:
    key = named(b"k")
    batch = folded(
        put(FEED, ITEM, title="a", replay=key), put(FEED, ITEM, 1, title="b"), put(FEED, title="a", replay=key)
    )
    assert item_of(batch.outcomes[2])["title"] == "a"
    assert batch.outcomes[2].seq == 1


def test_an_equal_create_counts_only_while_the_item_is_as_it_was() -> None:
    equal = named(b"k", keeps_answer=False)
    batch = folded(
        put(FEED, ITEM, title="a", replay=equal),
        put(FEED, title="a", replay=equal),
        delete(FEED, ITEM),
        put(FEED, title="a", replay=equal),
    )
    assert [outcome.status for outcome in batch.outcomes] == ["applied", "duplicate", "applied", "applied"]
    assert column(batch, "r_wire") == [None]


def test_items_that_an_equal_create_may_repeat_are_read_too() -> None:
    equal = named(b"k", keeps_answer=False)
    batch = Batch([put(FEED, replay=equal, fresh=True)])
    assert batch.replay_arguments() == {"feeds": [FEED], "keys": [equal.key]}
    batch.load_replays([row(feed_id=FEED, key=equal.key, fingerprint=b"", item_id=ITEM, seq=4, wire=None)])
    assert batch.item_arguments() == {"feeds": [FEED], "ids": [ITEM]}


def test_new_ids_without_keys_read_nothing() -> None:
    batch = Batch([put(FEED, fresh=True)])
    assert (batch.replay_arguments(), batch.item_arguments()) == (None, None)


def test_the_witness_is_a_row_as_the_batch_leaves_it() -> None:
    batch = folded(put(FEED, ITEM, title="a"), put(FEED, ITEM, 1, title="b"))
    assert batch.witness() == {"feed": FEED, "id": ITEM, "seq": 2, "wire": batch.messages[-1].wire}
