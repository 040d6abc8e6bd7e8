"""One feed's tail: what it covers, for whom, and how much it may hold."""

from uuid import uuid4

import pytest

from app.events import Decoder
from app.hub.feed import SLICE_BYTES, TAIL_BYTES, Feed
from app.hub.stream import Stream
from app.model import Head


def loaded(head: int = 0) -> "Feed[Stream]":
    feed: Feed[Stream] = Feed(uuid4())
    feed.load(Head("abcdefgh", 1, 0, head))
    return feed


def seqs(chunks: bytes) -> list[str]:
    body = bytearray()
    while chunks:
        size, _, chunks = chunks.partition(b"\r\n")
        body += chunks[: int(size, 16)]
        chunks = chunks[int(size, 16) + 2 :]
    return [event.id for event in Decoder().feed(bytes(body))]


def test_the_tail_covers_what_was_appended_since_the_load() -> None:
    feed = loaded(10)
    assert (feed.lo, feed.head) == (10, 10)
    for seq in (11, 12, 15):
        feed.append(seq, uuid4(), None, b"{}")
    assert (feed.lo, feed.head) == (10, 15)
    frames, reached = feed.slice(11, uuid4())
    assert seqs(frames) == ["abcdefgh.12", "abcdefgh.15"]
    assert reached == 15


def test_changes_for_other_devices_are_left_out_but_never_stall_the_cursor() -> None:
    feed, own, other = loaded(), uuid4(), uuid4()
    feed.append(1, uuid4(), frozenset({own}), b"{}")
    feed.append(2, uuid4(), frozenset({other}), b"{}")
    feed.append(3, uuid4(), frozenset({other}), b"{}")
    assert seqs(feed.slice(0, own)[0]) == ["abcdefgh.1"]
    assert feed.slice(0, own)[1] == 3
    assert feed.slice(1, own) == (b"", 3)


def test_the_tail_is_bounded_in_bytes_and_lo_follows() -> None:
    feed = loaded()
    for seq in range(1, 101):
        feed.append(seq, uuid4(), None, b"x" * 4000)
    assert feed.tail_bytes <= TAIL_BYTES
    assert feed.tail_bytes == sum(len(entry.frame) for entry in feed.tail)
    assert feed.lo == feed.tail[0].seq - 1 > 0
    assert feed.head == 100


def test_a_change_larger_than_the_tail_is_kept_alone() -> None:
    feed = loaded()
    feed.append(1, uuid4(), None, b"small")
    feed.append(2, uuid4(), None, b"x" * (TAIL_BYTES + 1))
    assert [entry.seq for entry in feed.tail] == [2]
    assert (feed.lo, feed.head) == (1, 2)


def test_slices_are_bounded_and_go_on_where_the_last_one_ended() -> None:
    feed, device = loaded(), uuid4()
    for seq in range(1, 26):
        feed.append(seq, uuid4(), None, b"x" * 5000)
    got: list[str] = []
    at = feed.lo
    while at < feed.head:
        frames, at = feed.slice(at, device)
        assert len(frames) < SLICE_BYTES + 6000
        got += seqs(frames)
    assert got == [f"abcdefgh.{seq}" for seq in range(1, 26)]


@pytest.mark.parametrize(("before", "read", "after"), [(1, 5, 5), (5, 1, 5)])
def test_loading_empties_the_tail_and_never_lowers_auth(before: int, read: int, after: int) -> None:
    feed = loaded()
    feed.append(1, uuid4(), None, b"{}")
    feed.auth = before
    feed.load(Head("other123", read, 0, 7))
    assert (feed.epoch, feed.auth, feed.lo, feed.head) == ("other123", after, 7, 7)
    assert (len(feed.tail), feed.tail_bytes) == (0, 0)


def test_a_slice_has_each_item_in_its_newest_state_only() -> None:
    feed, item = loaded(), uuid4()
    feed.append(1, item, None, b"{}")
    feed.append(2, uuid4(), None, b"{}")
    feed.append(3, item, None, b"{}")
    assert seqs(feed.slice(0, uuid4())[0]) == ["abcdefgh.2", "abcdefgh.3"]
