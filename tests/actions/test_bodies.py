"""Bodies: absent stays absent, null clears, everything else is as it was sent or refused."""

from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from app.actions.bodies import DeviceChange, DeviceChanges, Put, SaveItem, UpdateItem, Writable
from app.actions.fields import MAX_DATA_LEVELS
from app.model import WRITABLE_FIELDS

TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=30)
FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "title": TEXT,
    "text": TEXT,
    "tags": st.lists(TEXT.filter(bool), max_size=5),
    "data": st.dictionaries(TEXT, st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | TEXT, max_size=4),
    "status": st.sampled_from(["unread", "read", "done", "archived"]),
    "collection": TEXT.filter(bool),
}


@given(st.fixed_dictionaries({}, optional=FIELDS))
def test_values_are_what_was_sent_and_nothing_more(body: dict[str, Any]) -> None:
    for kind in (SaveItem, UpdateItem, Put):
        assert kind.model_validate(body).values() == body


def test_null_clears_to_what_an_item_of_nothing_has() -> None:
    cleared = Writable.model_validate(dict.fromkeys(WRITABLE_FIELDS)).values()
    assert cleared == {**dict.fromkeys(WRITABLE_FIELDS), "tags": [], "data": {}, "status": "unread"}


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("2030-01-31T09:00:00Z", datetime(2030, 1, 31, 9, tzinfo=UTC)),
        ("2030-01-31t09:00:00.5z", datetime(2030, 1, 31, 9, 0, 0, 500_000, tzinfo=UTC)),
        ("2030-01-31T09:00:00-01:30", datetime(2030, 1, 31, 10, 30, tzinfo=UTC)),
    ],
)
def test_times_are_kept_in_utc(sent: str, kept: datetime) -> None:
    value = Writable.model_validate({"expires_at": sent}).values()["expires_at"]
    assert (value, value.tzinfo) == (kept, UTC)


@pytest.mark.parametrize("levels", range(1, MAX_DATA_LEVELS + 3))
@pytest.mark.parametrize("kind", ["object", "list"])
def test_data_has_up_to_32_levels_of_lists_and_objects(levels: int, kind: str) -> None:
    value: Any = "leaf"
    for _ in range(levels - 1):
        value = {"a": value} if kind == "object" else [value]
    body = {"data": {"a": value}}
    if levels <= MAX_DATA_LEVELS:
        assert Put.model_validate(body).values() == body
    else:
        with pytest.raises(ValidationError, match="32 levels"):
            Put.model_validate(body)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf"), 2**64, -(2**63) - 1, "\0", "\ud800"])
@pytest.mark.parametrize("place", ["value", "list", "key"])
def test_what_json_or_the_database_cannot_keep_is_refused_anywhere_in_data(value: Any, place: str) -> None:
    data = {"value": {"a": value}, "list": {"a": [[value]]}, "key": {"a": {str(value): 1}}}[place]
    if place == "key" and not isinstance(value, str):
        assert Put.model_validate({"data": data}).values() == {"data": data}
        return
    with pytest.raises(ValidationError):
        Put.model_validate({"data": data})


@pytest.mark.parametrize("data", [{"a": True}, {"a": 0.1}, {"": ""}, {"a": "\ud7ff\ue000\U0010ffff"}])
def test_what_json_can_keep_is_kept(data: dict[str, Any]) -> None:
    assert Put.model_validate({"data": data}).values()["data"] == data


@pytest.mark.parametrize(
    "verb", [{}, {"put": {}, "delete": True}, {"put": None, "delete": None}, {"delete": False}, {"delete": 1}]
)
def test_a_change_has_exactly_one_verb(verb: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        DeviceChange.model_validate({"change_id": str(uuid4()), "id": str(uuid4()), **verb})


def test_what_is_put_is_judged_later_so_that_a_bad_change_stands_alone() -> None:
    change = {"change_id": str(uuid4()), "id": str(uuid4()), "put": {"title": 5, "surprise": 1}}
    assert len(DeviceChanges.model_validate({"epoch": "x", "changes": [change] * 500}).changes) == 500
    with pytest.raises(ValidationError):
        DeviceChanges.model_validate({"epoch": "x", "changes": [change] * 501})


def test_a_refusal_does_not_repeat_what_was_sent() -> None:
    with pytest.raises(ValidationError) as refused:
        SaveItem.model_validate({"title": "words of a person" * 100, "status": "words of a person"})
    assert "words" not in str(refused.value)
