"""Presence: a device is live while it has a stream, and nothing is kept of those that left."""

from uuid import uuid4

from app.bus.presence import Presence

FEED, OTHER = uuid4(), uuid4()
LAPTOP, PHONE = uuid4(), uuid4()


def test_a_device_is_live_until_its_last_stream_leaves() -> None:
    presence = Presence()
    presence.enter(FEED, LAPTOP)
    presence.enter(FEED, LAPTOP)
    presence.enter(FEED, PHONE)
    assert presence.live(FEED) == {LAPTOP, PHONE}
    presence.leave(FEED, LAPTOP)
    assert presence.live(FEED) == {LAPTOP, PHONE}
    presence.leave(FEED, LAPTOP)
    assert presence.live(FEED) == {PHONE}


def test_feeds_do_not_see_each_other() -> None:
    presence = Presence()
    presence.enter(FEED, LAPTOP)
    assert presence.live(OTHER) == frozenset()


def test_leaving_without_having_entered_changes_nothing() -> None:
    presence = Presence()
    presence.leave(FEED, LAPTOP)
    presence.enter(FEED, PHONE)
    presence.leave(FEED, LAPTOP)
    assert presence.live(FEED) == {PHONE}


def test_nothing_is_kept_of_feeds_that_everybody_left() -> None:
    presence = Presence()
    for device in (LAPTOP, PHONE):
        presence.enter(FEED, device)
    for device in (LAPTOP, PHONE):
        presence.leave(FEED, device)
    assert not presence._open
