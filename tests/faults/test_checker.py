"""The control of the fault tests: every anomaly that is planted in a journal is found, and a clean one passes."""

from pathlib import Path
from typing import Any

import pytest

from tests.harness.checker import anomalies
from tests.harness.journal import Journal

Truth = dict[str, dict[str, Any]]


def item(name: str, seq: int, mark: str = "", audience: list[str] | None = None) -> dict[str, Any]:
    return {"id": name, "seq": seq, "title": f"{mark or name} by a writer", "audience": audience, "deleted": False}


def tombstone(name: str, seq: int) -> dict[str, Any]:
    return {"id": name, "seq": seq, "audience": None, "deleted": True}


def by_id(*items: dict[str, Any]) -> Truth:
    return {each["id"]: each for each in items}


def ok(journal: Journal, request_id: str, answered: dict[str, Any], verb: str = "POST") -> None:
    journal.note("writer", "asked", request_id=request_id, verb=verb)
    journal.note("writer", "ok", request_id=request_id, verb=verb, item=answered)


def sent(journal: Journal, *items: dict[str, Any], who: str = "laptop") -> None:
    for each in items:
        journal.note(who, "item", epoch="aaaaaaaa", seq=each["seq"], item=each)


@pytest.fixture
def journal() -> Journal:
    """Two creates, a change and a delete, seen by two devices, one of which came back in between."""
    clean = Journal()
    for who in ("laptop", "phone"):
        clean.note(who, "opened")
    ok(clean, "r1", item("a", 1, "r1"))
    ok(clean, "r2", item("b", 2, "r2"))
    sent(clean, item("a", 1, "r1"), item("b", 2, "r2"))
    clean.note("laptop", "opened", detail="aaaaaaaa.2")
    clean.note("writer", "unknown", request_id="r3", verb="PATCH")
    ok(clean, "r3", item("a", 3, "r3"), "PATCH")
    ok(clean, "r4", tombstone("b", 4), "DELETE")
    for who in ("laptop", "phone"):
        sent(clean, item("a", 3, "r3"), tombstone("b", 4), who=who)
    return clean


TRUTH = by_id(item("a", 3, "r3"), tombstone("b", 4))


def names(journal: Journal, truth: Truth = TRUTH) -> set[str]:
    return {anomaly.name for anomaly in anomalies(journal, truth)}


def test_a_clean_journal_passes(journal: Journal) -> None:
    assert anomalies(journal, TRUTH) == []


def test_a_device_may_begin_anew_after_a_reset(journal: Journal) -> None:
    journal.note("laptop", "reset", epoch="bbbbbbbb")
    sent(journal, item("a", 3, "r3"), tombstone("b", 4))
    assert anomalies(journal, TRUTH) == []


def test_a_write_without_an_answer_may_have_happened_or_not(journal: Journal) -> None:
    journal.note("writer", "asked", request_id="r5", verb="POST")
    journal.note("writer", "unknown", request_id="r5", verb="POST")
    assert names(journal) == set()
    happened = item("e", 5, "r5")
    for who in ("laptop", "phone"):
        sent(journal, happened, who=who)
    assert names(journal, {**TRUTH, "e": happened}) == set()


@pytest.mark.parametrize("truth", [by_id(item("a", 3, "r3")), by_id(item("a", 3, "r3"), item("b", 2, "r2"))])
def test_an_acknowledged_write_that_the_database_lacks_is_lost(journal: Journal, truth: Truth) -> None:
    assert "lost" in names(journal, truth)


def test_an_acknowledged_create_that_nothing_is_left_of_is_lost(journal: Journal) -> None:
    ok(journal, "r5", item("e", 5, "r5"))
    assert names(journal) == {"lost"}


def test_a_sound_request_that_is_refused_is_reported(journal: Journal) -> None:
    journal.note("writer", "refused", request_id="r5", verb="PATCH", detail="not_found")
    assert names(journal) == {"refused"}


def test_two_items_of_one_request_are_doubled(journal: Journal) -> None:
    twin = item("twin", 5, "r1")
    for who in ("laptop", "phone"):
        sent(journal, twin, who=who)
    assert names(journal, {**TRUTH, "a": item("a", 3, "r1"), "twin": twin}) >= {"doubled"}


def test_two_answers_with_two_items_to_one_request_are_doubled(journal: Journal) -> None:
    journal.note("writer", "ok", request_id="r1", verb="POST", item={**item("a", 3, "r3"), "id": "b", "seq": 1})
    assert names(journal) == {"doubled"}


@pytest.mark.parametrize("seq", [2, 4])
def test_a_seq_that_is_sent_twice_is_doubled(journal: Journal, seq: int) -> None:
    journal.note("laptop", "item", epoch="aaaaaaaa", seq=seq, item=tombstone("b", 4))
    assert names(journal) == {"doubled"}


def test_a_seq_that_goes_down_is_reordered(journal: Journal) -> None:
    journal.note("phone", "item", epoch="aaaaaaaa", seq=1, item=tombstone("z", 1))
    assert names(journal) == {"reordered"}


@pytest.mark.parametrize("newest", [item("new", 5), item("a", 5, "r5")])
def test_a_device_that_lacks_the_newest_state_of_an_item_has_not_seen_it(
    journal: Journal, newest: dict[str, Any]
) -> None:
    sent(journal, newest, who="phone")
    found = anomalies(journal, {**TRUTH, newest["id"]: newest})
    assert [(each.name, each.who) for each in found] == [("unseen", "laptop")]


def test_what_was_lost_by_a_reset_and_not_sent_again_is_unseen(journal: Journal) -> None:
    journal.note("phone", "reset", epoch="bbbbbbbb")
    assert names(journal) == {"unseen"}


@pytest.mark.parametrize(
    "kept",
    [by_id(tombstone("b", 4), tombstone("a", 5)), by_id(tombstone("b", 4), {**item("a", 3, "r3"), "title": "other"})],
)
def test_a_device_that_holds_what_the_database_does_not_holds_a_phantom(journal: Journal, kept: Truth) -> None:
    assert "phantom" in names(journal, kept)


def test_an_item_of_another_audience_is_a_phantom(journal: Journal) -> None:
    secret = item("s", 5, audience=["phone's id"])
    sent(journal, secret)
    sent(journal, secret, who="phone")
    found = anomalies(journal, {**TRUTH, "s": secret}, {"laptop": "laptop's id", "phone": "phone's id"})
    assert [(each.name, each.who) for each in found] == [("phantom", "laptop")]


def test_a_device_outside_the_audience_need_not_see_the_item(journal: Journal) -> None:
    secret = item("s", 5, audience=["phone's id"])
    sent(journal, secret, who="phone")
    assert anomalies(journal, {**TRUTH, "s": secret}, {"laptop": "laptop's id", "phone": "phone's id"}) == []


def test_the_journal_can_be_read_back_from_its_file(tmp_path: Path) -> None:
    written = Journal(tmp_path / "journal.jsonl")
    ok(written, "r1", item("a", 1))
    sent(written, item("a", 1))
    again = Journal.read(tmp_path / "journal.jsonl")
    assert (again.entries, again.acknowledged) == (written.entries, 1)
