"""The codec: what is written is read back, however the network cuts it."""

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.events import Decoder, Event
from app.hub import sse

NAMES = st.sampled_from(["item", "hello", "ready", "reset"])
CURSORS = st.from_regex(r"[a-z0-9]{8}\.[0-9]{1,19}(\.[0-9]{1,19})?", fullmatch=True)
DATA = st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), st.integers() | st.text())
RETRIES = st.none() | st.integers(0, 10**6)


@given(st.lists(st.tuples(NAMES, CURSORS, DATA, RETRIES), max_size=6), st.data())
def test_events_cut_anywhere_are_read_back(
    events: list[tuple[str, str, object, int | None]], draw: st.DataObject
) -> None:
    stream = b"".join(sse.COMMENT + sse.event(name, cursor, data, retry=retry) for name, cursor, data, retry in events)
    cuts = sorted(draw.draw(st.lists(st.integers(0, len(stream)), max_size=12)))
    pieces = [stream[start:end] for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    decoder = Decoder()
    read = [event for piece in pieces for event in decoder.feed(piece)]
    assert [(event.name, event.id, event.retry) for event in read] == [(n, c, r) for n, c, _, r in events]
    assert [json.loads(event.data) for event in read] == [json.loads(json.dumps(data)) for _, _, data, _ in events]
    assert decoder.comments == len(events)


def test_one_byte_at_a_time_is_enough() -> None:
    decoder = Decoder()
    stream = sse.event("item", "abcdefgh.1", {"title": "Mülk 🥛"})
    read = [event for byte in stream for event in decoder.feed(bytes([byte]))]
    assert read == [Event("item", "abcdefgh.1", '{"title":"Mülk 🥛"}')]


def test_the_form_of_an_event() -> None:
    assert sse.event("hello", "abcdefgh.3", {"head": 3}, retry=1500) == (
        b'event: hello\nid: abcdefgh.3\nretry: 1500\ndata: {"head":3}\n\n'
    )
    assert sse.item("abcdefgh.4", b'{"seq":4}') == b'event: item\nid: abcdefgh.4\ndata: {"seq":4}\n\n'
    assert sse.COMMENT.startswith(b":")
    assert sse.COMMENT.endswith(b"\n\n")


@given(st.binary(min_size=1))
def test_a_chunk_names_its_length_in_hexadecimal(body: bytes) -> None:
    size, rest = sse.chunk(body).split(b"\r\n", 1)
    assert re.fullmatch(rb"[0-9a-f]+", size)
    assert int(size, 16) == len(body)
    assert rest == body + b"\r\n"


@pytest.mark.parametrize(
    ("stream", "read"),
    [
        (b"data: a\ndata: b\n\n", [Event("message", "", "a\nb")]),
        (b"data:a\r\n\r\n", [Event("message", "", "a")]),
        (b"data:  a\n\n", [Event("message", "", " a")]),
        (b"event: x\n\ndata: a\n\n", [Event("message", "", "a")]),
        (b"id: 1\n\ndata: a\n\n", [Event("message", "1", "a")]),
        (b"id: 1\ndata: a\n\ndata: b\n\n", [Event("message", "1", "a"), Event("message", "1", "b")]),
        (b"retry: soon\ndata: a\n\n", [Event("message", "", "a")]),
        (b"unknown: a\ndata\n\n", [Event("message", "", "")]),
        (b"data: unfinished\n", []),
        (b"data:a\rdata:b\r\r", [Event("message", "", "a\nb")]),
        (b"data:a\r\ndata:b\n\r\ndata:c\r\n\r\n", [Event("message", "", "a\nb"), Event("message", "", "c")]),
        (b"\xef\xbb\xbfdata: a\n\n\xef\xbb\xbfdata: b\n\n", [Event("message", "", "a")]),
        (b"id: a\0b\ndata: a\n\n", [Event("message", "", "a")]),
        (b"data: \xff\xc3\n\n", [Event("message", "", "\ufffd\ufffd")]),
        ("data: a\u2028b\u0085c\n\n".encode(), [Event("message", "", "a\u2028b\u0085c")]),
        (b": a\n:b\n\n", []),
    ],
)
def test_the_decoder_reads_as_the_standard_says(stream: bytes, read: list[Event]) -> None:
    assert list(Decoder().feed(stream)) == read
    decoder = Decoder()
    assert [event for byte in stream for event in decoder.feed(bytes([byte]))] == read
