"""How a repeat is known: by what a body says, not by how it says it; within one user and client."""

import math
from typing import Any
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.actions import replays
from app.actions.bodies import SaveItem
from app.model import Principal

TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=8,
)
BODIES = st.fixed_dictionaries(
    {},
    optional={
        "title": TEXT | st.none(),
        "text": TEXT,
        "tags": st.lists(TEXT.filter(bool), max_size=4),
        "data": st.dictionaries(TEXT, JSON, max_size=4),
        "kind": st.sampled_from(["note", "task"]),
    },
)
ADA = Principal(
    user_id=UUID(int=1),
    feed_id=UUID(int=2),
    client="chatgpt",
    device_id=None,
    scopes=frozenset(),
    token_hash=b"",
    good_until=math.inf,
    auth=0,
)
OTHERS = [msgspec.structs.replace(ADA, user_id=UUID(int=3)), msgspec.structs.replace(ADA, client="claude")]


def canonical(body: dict[str, Any]) -> bytes:
    return replays.canonical(SaveItem.model_validate(body))


def turned(value: Any) -> Any:
    """The same with every object's keys in the other order."""
    if isinstance(value, dict):
        return {key: turned(inner) for key, inner in reversed(value.items())}
    return [turned(inner) for inner in value] if isinstance(value, list) else value


@given(BODIES)
def test_the_order_of_keys_says_nothing(body: dict[str, Any]) -> None:
    assert canonical(body) == canonical(turned(body))


@given(BODIES, BODIES)
def test_bodies_that_say_the_same_are_the_same_and_others_are_not(one: dict[str, Any], other: dict[str, Any]) -> None:
    same = msgspec.json.encode(one, order="deterministic") == msgspec.json.encode(other, order="deterministic")
    assert (canonical(one) == canonical(other)) == same


@given(BODIES)
def test_how_to_wait_and_what_it_is_called_is_no_content(body: dict[str, Any]) -> None:
    assert canonical({**body, "request_id": "r", "wait_for_delivery": 5}) == canonical(body)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"data": {"a": 1}}, {"data": {"a": True}}),
        ({"data": {"a": 1}}, {"data": {"a": 1.0}}),
        ({"title": None}, {}),
        ({"kind": "note"}, {}),
        ({"tags": ["a", "b"]}, {"tags": ["b", "a"]}),
        ({"title": "e\u0301"}, {"title": "\u00e9"}),
    ],
)
def test_what_json_tells_apart_is_apart(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert canonical(one) != canonical(other)


@pytest.mark.parametrize("other", OTHERS, ids=["user", "client"])
def test_a_key_belongs_to_one_user_and_client(other: Principal) -> None:
    assert replays.of_request(ADA, "r", "save", b"x").key != replays.of_request(other, "r", "save", b"x").key
    assert replays.of_equal(ADA, None, b"x").key != replays.of_equal(other, None, b"x").key
    assert replays.of_change(ADA, UUID(int=9)).key != replays.of_change(other, UUID(int=9)).key


def test_a_request_id_has_one_key_and_a_fingerprint_for_each_body_and_verb() -> None:
    first, same = (replays.of_request(ADA, "r", "save", b"x") for _ in range(2))
    body, verb = replays.of_request(ADA, "r", "save", b"y"), replays.of_request(ADA, "r", "update 1", b"x")
    assert first == same
    assert len({first.key, body.key, verb.key}) == 1
    assert len({first.fingerprint, body.fingerprint, verb.fingerprint}) == 3
    assert replays.of_request(ADA, "s", "save", b"x").key != first.key


def test_an_equal_create_is_of_one_conversation() -> None:
    conversations = [None, "", "a", "b"]
    assert len({replays.of_equal(ADA, each, b"x").key for each in conversations}) == 4
    assert replays.of_equal(ADA, "a", b"x") == replays.of_equal(ADA, "a", b"x")


def test_kinds_of_names_do_not_meet_and_parts_do_not_run_together() -> None:
    name = str(UUID(int=9))
    assert replays.of_request(ADA, name, "", b"").key != replays.of_change(ADA, UUID(int=9)).key
    assert replays.of_request(ADA, "r", "ab", b"c").fingerprint != replays.of_request(ADA, "r", "a", b"bc").fingerprint
    assert replays.of_equal(ADA, "a", b"bc").key != replays.of_equal(ADA, "ab", b"c").key


def test_lives_are_the_protocols() -> None:
    hours = [
        replays.of_request(ADA, "r", "save", b"").life.total_seconds() / 3600,
        replays.of_equal(ADA, None, b"").life.total_seconds() / 3600,
        replays.of_change(ADA, UUID(int=1)).life.total_seconds() / 3600,
    ]
    assert hours == [24, 1 / 6, 30 * 24]
    assert not replays.of_equal(ADA, None, b"").keeps_answer
