"""Templates and words."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from jinja2 import UndefinedError

from app.errors import TooManyRequests, WrongPassword
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
    assert words.day(at) == "3 March 2026"
    assert words.moment(datetime(2026, 3, 13, tzinfo=UTC)) == "13 March 2026, 00:00 UTC"


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (-5, "just now"),
        (59, "just now"),
        (60, "1 minute ago"),
        (7199, "1 hour ago"),
        (7200, "2 hours ago"),
        (86_400 * 400, "400 days ago"),
    ],
)
def test_how_long_ago_something_was(seconds: int, said: str) -> None:
    assert words.ago(datetime.now(UTC) - timedelta(seconds=seconds)) == said


def test_who_tried_too_often_is_told_how_long_to_wait() -> None:
    for seconds, said in (
        (1, "1 second"),
        (60, "1 minute"),
        (841, "15 minutes"),
        (900, "15 minutes"),
        (3600, "1 hour"),
    ):
        assert words.told(TooManyRequests(retry_after=seconds)) == f"Too many tries. Try again in {said}."
    assert words.told(WrongPassword()) == "The e-mail address or the password is wrong."


def test_what_is_put_into_a_page_is_escaped() -> None:
    said = '<script>alert("1")</script>'
    html = Pages().render("message", account=None, csrf="x", problem=said, heading=said, words=said)
    assert "<script" not in html
    assert html.count("&lt;script&gt;") == 4


def test_a_value_that_is_missing_is_a_mistake() -> None:
    with pytest.raises(UndefinedError):
        Pages().render("message", account=None, csrf="x", problem=None)
