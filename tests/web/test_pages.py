"""Templates and words."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from jinja2 import UndefinedError

from app.model import DeviceKind, Scope
from app.store.security import EventKind
from app.web import words
from app.web.pages import Pages


def test_every_scope_and_kind_has_words_of_its_own() -> None:
    assert len(set(words.scopes(Scope))) == len(Scope)
    assert set(words.KINDS) == set(DeviceKind.__args__)  # type: ignore[attr-defined]
    assert set(words.EVENTS) == set(EventKind.__args__)  # type: ignore[attr-defined]
    assert words.scopes(["items:write", "unknown"]) == ["Save, change and delete items"]


def test_times_are_utc() -> None:
    at = datetime(2026, 3, 3, 16, 5, tzinfo=timezone(timedelta(hours=2)))
    assert words.moment(at) == "3 March 2026, 14:05 UTC"
    assert words.moment(None) == "never"
    assert words.moment(datetime(2026, 3, 13, tzinfo=UTC)) == "13 March 2026, 00:00 UTC"


def test_what_is_put_into_a_page_is_escaped() -> None:
    said = '<script>alert("1")</script>'
    html = Pages().render("message", account=None, csrf="x", problem=said, heading=said, words=said)
    assert "<script" not in html
    assert html.count("&lt;script&gt;") == 4


def test_a_value_that_is_missing_is_a_mistake() -> None:
    with pytest.raises(UndefinedError):
        Pages().render("message", account=None, csrf="x", problem=None)
