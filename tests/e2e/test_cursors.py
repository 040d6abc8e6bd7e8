"""Whatever cursor comes: the right reset or a 4xx, never a 5xx, never a byte of somebody else's."""

from typing import Any
from urllib.parse import quote

import pytest

from app.model import Cursor
from tests.harness.listener import Listener
from tests.harness.live import Live
from tests.harness.people import Person

CANARY = "canary-of-another-user"
BAD = [
    ("{epoch}.99", "cursor_ahead"),
    ("{epoch}.1.99", "cursor_ahead"),
    ("{epoch}.{big}", "cursor_ahead"),
    ("{epoch}.9223372036854775807", "cursor_ahead"),
    ("{epoch}.1.9999999999999999999", "cursor_ahead"),
    ("{epoch}.9999999999999999999", "cursor_ahead"),
    ("{epoch}.18446744073709551616", "cursor_invalid"),
    ("{epoch}.-1", "cursor_invalid"),
    ("{epoch}.1.-1", "cursor_invalid"),
    ("{epoch}", "cursor_invalid"),
    ("{epoch}.", "cursor_invalid"),
    ("{epoch}.1.2.3", "cursor_invalid"),
    ("{epoch}.0x1", "cursor_invalid"),
    ("{epoch}.1'--", "cursor_invalid"),
    ("zzzzzzzz.1", "epoch_changed"),
    ("{foreign}.1", "epoch_changed"),
    ("{foreign}.0", "epoch_changed"),
    ("garbage", "cursor_invalid"),
    ("a" * 5000, "cursor_invalid"),
    ("1", "cursor_invalid"),
    ("%", "cursor_invalid"),
]


async def filled(live: Live, title: str, count: int) -> tuple[Person, str]:
    person = await live.person()
    assistant = await live.assistant(person)
    for _ in range(count):
        await assistant.save(title=title)
        assistant.headers["openai-conversation-id"] = str(count)
        count += 1
    me = await live.get("/v1/me", (await person.device()).token)
    return person, me.json()["feed"]["epoch"]


@pytest.fixture
async def two(live: Live) -> dict[str, Any]:
    own, epoch = await filled(live, "own", 3)
    _, foreign = await filled(live, CANARY, 6)
    return {"own": own, "epoch": epoch, "foreign": foreign, "big": 2**63}


def in_query(cursor: str) -> str:
    return f"?cursor={quote(cursor)}"


async def heard(live: Live, two: dict[str, Any], **options: str) -> Listener:
    device = await live.listen(await two["own"].device(), **options)
    await device.until_ready()
    assert CANARY.encode() not in device.raw
    return device


@pytest.mark.case(11, "bad cursors on streams")
@pytest.mark.parametrize("place", ["header", "query"])
async def test_a_stream_answers_a_bad_cursor_with_a_reset_and_the_whole_feed(
    live: Live, two: dict[str, Any], place: str
) -> None:
    for form, reason in BAD:
        sent = form.format(**two)
        device = await heard(live, two, **({"cursor": sent} if place == "header" else {"query": in_query(sent)}))
        assert device.names == ["reset", "hello", "item", "item", "item", "ready"], form
        assert device.events[0].data == f'{{"reason":"{reason}"}}', form
        assert device.events[0].id == f"{two['epoch']}.0.3"
        assert device.seqs == [1, 2, 3]
        await device.close()


@pytest.mark.case(11, "and on pages")
async def test_pages_answer_a_bad_cursor_with_a_reset_and_the_beginning(live: Live, two: dict[str, Any]) -> None:
    token = (await two["own"].device()).token
    for form, reason in BAD:
        response = await live.get(f"/v1/changes{in_query(form.format(**two))}", token)
        assert response.status_code == 200, response.text
        assert CANARY not in response.text
        page = response.json()
        assert page["reset"] == {"reason": reason}, form
        assert [item["seq"] for item in page["items"]] == [1, 2, 3]
        assert page["cursor"] == f"{two['epoch']}.3"


async def test_seq_zero_is_the_beginning(live: Live, two: dict[str, Any]) -> None:
    for form in ("", "{epoch}.0", "{epoch}.0.2", "{epoch}.0.3"):
        device = await heard(live, two, query=in_query(form.format(**two)))
        assert device.names == ["hello", "item", "item", "item", "ready"]


STRANGE = ["%00", "%0d%0a", "%ff%fe", "%ed%a0%80", "%F0%9F%A6%86", "a" * 60_000]


@pytest.mark.case(11, "any bytes as a cursor")
@pytest.mark.parametrize("path", ["/v1/stream", "/v1/changes"])
async def test_no_bytes_in_a_cursor_make_a_5xx(live: Live, two: dict[str, Any], path: str) -> None:
    device = await two["own"].device()
    for raw in STRANGE:
        async with live.http.stream("GET", f"{path}?cursor={raw}", headers=device.headers) as response:
            assert response.status_code == 200 or 400 <= response.status_code < 500, raw


@pytest.mark.case(11, "and as Last-Event-ID")
async def test_no_last_event_id_makes_a_5xx(live: Live, two: dict[str, Any]) -> None:
    device = await two["own"].device()
    for value in ("\xff\xfe", "a" * 60_000, f"{two['epoch']}.1, {two['epoch']}.2"):
        headers = {**device.headers, "last-event-id": value.encode("latin-1")}
        async with live.http.stream("GET", "/v1/stream", headers=headers) as response:
            assert response.status_code == 200 or 400 <= response.status_code < 500, value


@pytest.mark.control(11, "a server that takes any cursor that can be read")
async def test_control_a_server_that_honours_any_cursor_is_found_out(
    live: Live, two: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Cursor, "refusal", lambda *_: None)
    token = (await two["own"].device()).token
    pages = [(await live.get(f"/v1/changes{in_query(form.format(**two))}", token)).json() for form, _ in BAD]
    assert [page for page in pages if not page.get("reset")]
