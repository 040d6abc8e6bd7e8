"""The cursor's whole rule: how it is read, when it is honoured, and where a reader begins."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.model import MAX_SEQ, Cursor, Head, Start, new_epoch

HEAD = Head("abcdefgh", 1, 5, 20)
BEGINNING = "abcdefgh.0.20"


@pytest.mark.parametrize(
    ("sent", "begins", "reset"),
    [
        (None, BEGINNING, None),
        ("", BEGINNING, None),
        ("abcdefgh.0", BEGINNING, None),
        ("abcdefgh.0.10", BEGINNING, None),
        ("abcdefgh.20", "abcdefgh.20", None),
        ("abcdefgh.5", "abcdefgh.5", None),
        ("abcdefgh.4", BEGINNING, "cursor_pruned"),
        ("abcdefgh.1", BEGINNING, "cursor_pruned"),
        ("abcdefgh.1.5", "abcdefgh.1.5", None),
        ("abcdefgh.1.4", BEGINNING, "cursor_pruned"),
        ("abcdefgh.3.20", "abcdefgh.3.20", None),
        ("abcdefgh.8.8", "abcdefgh.8", None),
        ("abcdefgh.21", BEGINNING, "cursor_ahead"),
        ("abcdefgh.3.21", BEGINNING, "cursor_ahead"),
        (f"abcdefgh.{MAX_SEQ}", BEGINNING, "cursor_ahead"),
        (f"abcdefgh.{2**63}", BEGINNING, "cursor_ahead"),
        ("abcdefgx.20", BEGINNING, "epoch_changed"),
        ("abcdefgx.0", BEGINNING, "epoch_changed"),
        ("abcdefgx.99", BEGINNING, "epoch_changed"),
        ("abcdefgh.-1", BEGINNING, "cursor_invalid"),
        ("abcdefgh", BEGINNING, "cursor_invalid"),
        ("ABCDEFGH.1", BEGINNING, "cursor_invalid"),
        ("abcdefgh.1.2.3", BEGINNING, "cursor_invalid"),
        ("abcdefgh.1\n", BEGINNING, "cursor_invalid"),
        (" abcdefgh.1", BEGINNING, "cursor_invalid"),
        ("abcdefgh.٣", BEGINNING, "cursor_invalid"),
        ("abcdefgh." + "9" * 20, BEGINNING, "cursor_invalid"),
        ("abcdefgh.1e3", BEGINNING, "cursor_invalid"),
        ("garbage", BEGINNING, "cursor_invalid"),
    ],
)
def test_where_a_reader_begins(sent: str | None, begins: str, reset: str | None) -> None:
    start = Start.judge(sent, HEAD)
    assert (str(start.cursor), start.reset) == (begins, reset)


@given(st.integers(0, MAX_SEQ), st.integers(0, MAX_SEQ))
def test_a_cursor_is_read_as_it_was_written(seq: int, base: int) -> None:
    cursor = Cursor("abcdefgh", seq, base)
    read = Cursor.parse(str(cursor))
    assert read is not None
    assert (read.epoch, read.seq, max(read.base, seq)) == ("abcdefgh", seq, max(base, seq))


@given(st.text(max_size=60))
def test_no_text_is_too_strange_to_be_judged(sent: str) -> None:
    start = Start.judge(sent, HEAD)
    assert start.cursor.seq <= HEAD.head


def test_the_base_is_dropped_once_it_is_reached() -> None:
    assert str(Cursor("abcdefgh", 19, 20)) == "abcdefgh.19.20"
    assert str(Cursor("abcdefgh", 20, 20)) == "abcdefgh.20"


def test_epochs_are_words_that_a_cursor_can_carry() -> None:
    epochs = {new_epoch() for _ in range(200)}
    assert len(epochs) == 200
    assert all(re.fullmatch(r"[a-z0-9]{8}", epoch) for epoch in epochs)
