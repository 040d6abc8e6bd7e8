"""What one change does to one item, for every state it may meet."""

from datetime import timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import Conflict, InvalidField, NotFound
from app.model import Item, Tombstone
from app.store.fold import CREATED, Base, Change, State, Step, encode, fold
from tests.store.making import FEED, ITEM, NOW, delete, error_of, expire, item_of, put

LATER = NOW + timedelta(minutes=1)
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))


def applied(change: Change, state: State | None, seq: int) -> State:
    """The new state, as it comes back from the database."""
    step = fold(change, state, seq, NOW)
    assert step.outcome.status == "applied"
    assert step.state is not None
    return msgspec.structs.replace(step.state, item=None)


def history() -> State:
    """Created at 10; title changed at 11, status at 12."""
    state = applied(put(FEED, ITEM, title="old", text="text", tags=["a"], data={"n": 1}), None, 10)
    state = applied(put(FEED, ITEM, 10, title="new"), state, 11)
    return applied(put(FEED, ITEM, 11, status="read"), state, 12)


def tombstone() -> State:
    """Created at 10, deleted at 13."""
    return applied(delete(FEED, ITEM), history(), 13)


def put_at(base: Base, **values: Any) -> Change:
    return put(FEED, ITEM, base, **values)


@pytest.mark.parametrize(
    ("change", "status", "error", "takes_seq"),
    [
        (put_at(12, title="x"), "applied", None, True),
        (put_at(11, title="x"), "applied", None, True),
        (put_at(10, title="x"), "conflict", Conflict, False),
        (put_at(10, title="new"), "applied", None, False),
        (put_at(10, text="x"), "applied", None, True),
        (put_at(9, text="x"), "conflict", Conflict, False),
        (put_at(0, text="x"), "conflict", Conflict, False),
        (put_at(0, text="text"), "applied", None, False),
        (put_at(11, status="done"), "conflict", Conflict, False),
        (put_at(10, text="x", title="x"), "conflict", Conflict, False),
        (put_at(10, text="x", title="new"), "applied", None, True),
        (put_at(13, text="x"), "rejected", InvalidField, False),
        (put_at("any", title="x"), "applied", None, True),
        (put_at("any", title="new"), "applied", None, False),
        (put_at("any"), "applied", None, False),
        (put_at("create", title="new", text="text"), "applied", None, False),
        (put_at("create", title="other"), "conflict", Conflict, False),
        (put_at("create", title="new", kind="link"), "conflict", Conflict, False),
        (put_at(12, title="x", kind="link"), "rejected", InvalidField, False),
        (delete(FEED, ITEM, 12), "applied", None, True),
        (delete(FEED, ITEM, 11), "conflict", Conflict, False),
        (delete(FEED, ITEM, 13), "rejected", InvalidField, False),
        (delete(FEED, ITEM), "applied", None, True),
        (expire(FEED, ITEM), "rejected", NotFound, False),
    ],
)
def test_a_change_meets_an_item(change: Change, status: str, error: type | None, takes_seq: bool) -> None:
    state = history()
    step = fold(change, state, 20, LATER)
    assert (step.outcome.status, error_of(step.outcome), step.state is not None) == (status, error, takes_seq)
    if status != "rejected":
        assert step.outcome.seq == (20 if takes_seq else 12)
        assert step.outcome.wire == (step.state or state).wire


@pytest.mark.parametrize(
    ("change", "status", "error"),
    [
        (put_at(13, title="x"), "conflict", Conflict),
        (put_at("create", title="x"), "conflict", Conflict),
        (put_at("any", title="x"), "rejected", NotFound),
        (delete(FEED, ITEM), "duplicate", None),
        (delete(FEED, ITEM, 12), "applied", None),
        (expire(FEED, ITEM), "rejected", NotFound),
    ],
)
def test_a_tombstone_stays_one_whatever_comes(change: Change, status: str, error: type | None) -> None:
    state = tombstone()
    step = fold(change, state, 20, LATER)
    assert (step.outcome.status, error_of(step.outcome), step.state) == (status, error, None)
    if status != "rejected":
        assert item_of(step.outcome) == {"id": str(ITEM), "seq": 13, "audience": None, "deleted": True}


@pytest.mark.parametrize("change", [put_at(0), put_at(5, title="x"), put_at("any"), delete(FEED, ITEM, 3)])
def test_what_does_not_exist_can_only_be_created(change: Change) -> None:
    step = fold(change, None, 1, NOW)
    assert (step.outcome.status, error_of(step.outcome), step.state) == ("rejected", NotFound, None)


def test_a_created_item_says_all_fields_in_the_order_of_the_protocol() -> None:
    step = fold(put_at("create", title="Milk"), None, 7, NOW)
    assert step.state is not None
    assert step.state.field_seqs == {CREATED: 7}
    assert list(item_of(step.outcome)) == list(Item.__struct_fields__)
    assert item_of(step.outcome) == {
        **dict.fromkeys(["collection", "text", "url", "audience", "expires_at"]),
        "id": str(ITEM),
        "seq": 7,
        "kind": "note",
        "title": "Milk",
        "tags": [],
        "data": {},
        "status": "unread",
        "files": [],
        "deleted": False,
        "created_at": "2026-08-01T12:00:00Z",
        "updated_at": "2026-08-01T12:00:00Z",
        "origin": {"via": "action", "client": "chatgpt", "device_id": None, "conversation_id": None},
    }


def test_an_update_touches_only_what_it_names() -> None:
    before = history()
    step = fold(put_at(12, text="x"), before, 20, LATER)
    assert step.state is not None
    old, new = msgspec.json.decode(before.wire), item_of(step.outcome)
    assert new == {**old, "text": "x", "seq": 20, "updated_at": "2026-08-01T12:01:00Z"}
    assert step.state.field_seqs == {CREATED: 10, "title": 11, "status": 12, "text": 20}
    assert msgspec.json.decode(before.wire) == old


def test_a_tombstone_keeps_the_audience_and_nothing_else() -> None:
    state = applied(put_at("create", title="secret", audience=(FEED,)), None, 1)
    step = fold(delete(FEED, ITEM, 1), state, 2, LATER)
    assert step.state is not None
    assert (step.state.deleted_at, step.state.audience, step.state.expires_at) == (LATER, (FEED,), None)
    assert item_of(step.outcome) == {"id": str(ITEM), "seq": 2, "audience": [str(FEED)], "deleted": True}


@pytest.mark.parametrize(("after", "gone"), [(-1, True), (0, True), (1, False)])
def test_an_item_expires_at_its_time_and_not_before(after: int, gone: bool) -> None:
    state = applied(put_at("create", expires_at=NOW + timedelta(seconds=after)), None, 1)
    step = fold(expire(FEED, ITEM), state, 2, NOW)
    assert (step.state is not None, error_of(step.outcome)) == ((True, None) if gone else (False, NotFound))


@pytest.mark.parametrize(
    ("old", "new"),
    [(1, True), (1, 1.0), (0, False), (1.0, True), ("1", 1), (None, False), ([1], [True]), ({"b": 1}, {"b": 1.0})],
)
def test_data_is_compared_as_json_is_written(old: Any, new: Any) -> None:
    state = applied(put_at("create", data={"a": old}), None, 1)
    assert fold(put_at(1, data={"a": old}), state, 2, NOW).state is None
    step = fold(put_at(1, data={"a": new}), state, 2, NOW)
    assert step.state is not None
    assert msgspec.json.encode(item_of(step.outcome)["data"]) == msgspec.json.encode({"a": new})
    assert fold(put_at("create", data={"a": new}), state, 2, NOW).outcome.status == "conflict"


def test_the_order_of_keys_is_no_difference() -> None:
    state = applied(put_at("create", data={"a": 1, "b": {"c": 2, "d": 3}}), None, 1)
    assert fold(put_at(1, data={"b": {"d": 3, "c": 2}, "a": 1}), state, 2, NOW).state is None


@pytest.mark.parametrize(("one", "other"), [("é", "e\u0301"), ("Å", "\u212b"), ("a", "a\u200b"), ("", None)])
def test_text_is_compared_code_point_for_code_point(one: str | None, other: str | None) -> None:
    state = applied(put_at("create", title=one), None, 1)
    step = fold(put_at(1, title=other), state, 2, NOW)
    assert step.state is not None
    assert item_of(step.outcome)["title"] == other


@pytest.mark.parametrize("separator", ["\u2028", "\u2029", "\u0085", "\r\n", "\v", "\x1c", "\ufeff"])
def test_no_reader_of_lines_finds_an_end_in_an_item(separator: str) -> None:
    said = f"a{separator}b"
    wire = fold(put_at("create", title=said, data={said: [said]}), None, 1, NOW).outcome.wire
    assert wire is not None
    assert len(wire.decode().splitlines()) == 1
    assert (msgspec.json.decode(wire)["title"], msgspec.json.decode(wire)["data"]) == (said, {said: [said]})


@given(title=TEXT, tags=st.lists(TEXT, max_size=3), data=st.dictionaries(TEXT, TEXT | st.integers(-(2**63), 2**64 - 1)))
def test_what_was_said_comes_back_on_one_line(title: str, tags: list[str], data: dict[str, Any]) -> None:
    state = applied(put_at("create", title=title, tags=tags, data=data), None, 1)
    said = state.content()
    assert (said.title, said.tags, said.data) == (title, tags, data)
    assert len(state.wire.decode().splitlines()) == 1
    assert encode(said) == state.wire
    assert fold(put_at(0, title=title, tags=tags, data=data), state, 2, NOW).state is None


FIELDS = st.fixed_dictionaries({}, optional={name: st.sampled_from("ab") for name in ("title", "text", "url")})


@given(st.lists(st.tuples(st.integers(0, 12), FIELDS), max_size=10))
def test_a_put_conflicts_exactly_when_a_field_changed_to_another_value_after_its_base(
    puts: list[tuple[int, dict[str, str]]],
) -> None:
    state = applied(put_at("create", title="a", text="a", url="a"), None, 1)
    held = dict.fromkeys(("title", "text", "url"), ("a", 1))
    seq = 1
    for base, values in puts:
        other = {name: value for name, value in values.items() if held[name][0] != value}
        expected = "conflict" if any(held[name][1] > base for name in other) else "applied"
        step: Step = fold(put_at(base, **values), state, seq + 1, NOW)
        assert step.outcome.status == ("rejected" if base > seq else expected)
        assert (step.state is not None) == (base <= seq and expected == "applied" and bool(other))
        if step.state is not None:
            seq, state = seq + 1, step.state
            held |= {name: (value, seq) for name, value in other.items()}
        assert {name: getattr(state.content(), name) for name in held} == {name: held[name][0] for name in held}


def test_a_tombstone_is_encoded_like_an_item() -> None:
    assert (
        encode(Tombstone(ITEM, 1, None)) == b'{"id":"%s","seq":1,"audience":null,"deleted":true}' % str(ITEM).encode()
    )
