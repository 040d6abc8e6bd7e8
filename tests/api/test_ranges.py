"""Which bytes a request wants, by RFC 9110."""

import pytest

from app.api.ranges import Wanted, wanted

ETAG = '"0a"'


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ("bytes=0-3", Wanted(206, 0, 4)),
        ("Bytes=0-3", Wanted(206, 0, 4)),
        ("bytes=7-", Wanted(206, 7, 10)),
        ("bytes=-3", Wanted(206, 7, 10)),
        ("bytes=9-9", Wanted(206, 9, 10)),
        ("bytes=0-99", Wanted(206, 0, 10)),
        ("bytes=-99", Wanted(206, 0, 10)),
        ("bytes=10-", Wanted(416)),
        ("bytes=99999999999999999999-", Wanted(416)),
        ("bytes=-0", Wanted(416)),
        ("bytes=0-1,3-4", Wanted(200, 0, 10)),
        ("bytes=4-2", Wanted(200, 0, 10)),
        ("bytes=-", Wanted(200, 0, 10)),
        ("bytes=a-b", Wanted(200, 0, 10)),
        ("bytes=\u0660-", Wanted(200, 0, 10)),
        ("bytes=--1", Wanted(200, 0, 10)),
        ("lines=0-1", Wanted(200, 0, 10)),
        ("", Wanted(200, 0, 10)),
        ("bytes=" + "9" * 50_000 + "-", Wanted(200, 0, 10)),
    ],
)
def test_a_range_is_a_part_beyond_the_end_or_no_range(asked: str, expected: Wanted) -> None:
    assert wanted({"range": asked}, 10, ETAG) == expected


def test_of_nothing_there_is_no_part() -> None:
    assert wanted({}, 0, ETAG) == Wanted(200, 0, 0)
    for asked in ("bytes=0-", "bytes=-1"):
        assert wanted({"range": asked}, 0, ETAG) == Wanted(416)


@pytest.mark.parametrize(
    ("condition", "status"), [(ETAG, 206), ('"other"', 200), (f"W/{ETAG}", 200), ("Wed, 21 Oct 2026 07:28:00 GMT", 200)]
)
def test_a_range_of_another_content_is_the_whole(condition: str, status: int) -> None:
    assert wanted({"range": "bytes=1-2", "if-range": condition}, 10, ETAG).status == status


@pytest.mark.parametrize("known", ["*", ETAG, f"W/{ETAG}", f'"x", {ETAG}', f' W/"x",{ETAG} '])
def test_what_is_known_is_not_sent_ranges_or_not(known: str) -> None:
    for headers in ({}, {"range": "bytes=1-2"}, {"range": "bytes=99-"}):
        assert wanted({**headers, "if-none-match": known}, 10, ETAG) == Wanted(304)


@pytest.mark.parametrize("known", ["", '"x"', "0a", f'"x{ETAG}', '"x", "y"'])
def test_what_is_not_known_is_sent(known: str) -> None:
    assert wanted({"if-none-match": known}, 10, ETAG).status == 200
