"""Text that a careless event stream breaks on: one change, one event, code point for code point, in any reader."""

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import uuid4

import pytest

from app.hub import sse
from tests.conformance.conftest import OpenBrowser, Parsed
from tests.harness.live import Live
from tests.harness.problems import problem

NASTY = {
    "CR": "a\rb",
    "LF": "a\nb",
    "CRLF": "a\r\nb",
    "blank line": "a\n\nb",
    "another event": "a\n\nevent: revoked\ndata: {}\n\nb",
    "another event by CR": "a\r\revent: revoked\rdata: {}\r\rb",
    "a field": "a\ndata: x\nid: evil.99\nretry: 1\nb",
    "U+2028": "a\u2028b",
    "U+2029": "a\u2029b",
    "U+0085": "a\u0085b",
    "vertical tab and form feed": "a\v\fb",
    "separators": "a\x1c\x1d\x1e\x1fb",
    "BOM": "\ufeffa\ufeffb",
    "only BOM": "\ufeff",
    "emoji": "👩🏽‍🚀🇩🇪",
    "RTL": "\u202eאבג\u202c مرحبا",
    "spaces": " a ",
    "colon": ": a",
    "backslashes": '\\u2028 \\n "',
    "noncharacters": "\uffff\U0010ffff",
    "combining": "e\u0301 é",
    "control": "\x01\x7f\x9f",
}
IN_URLS = {name: text for name, text in NASTY.items() if not any(letter <= " " or letter == "\x7f" for letter in text)}


def item_of(text: str) -> dict[str, Any]:
    return {"title": text, "text": text, "tags": [text], "collection": text, "data": {text: [text, {"in": text}]}}


def items() -> list[dict[str, Any]]:
    return [item_of(text) for text in NASTY.values()] + [
        {"kind": "link", "url": f"https://example.com/{text}"} for text in IN_URLS.values()
    ]


@pytest.mark.case(22, "CR, LF, U+2028, U+0085, BOM and others in every field, read by three parsers")
async def test_every_text_comes_back_as_it_was_sent(
    live: Live, browse: OpenBrowser, parse: Callable[[bytes, int], Awaitable[Parsed]]
) -> None:
    person = await live.person()
    device = await person.device()
    raw = await live.listen(device)
    ticket = (await live.http.post("/v1/stream/tickets", headers=device.headers)).json()
    browser = await browse(ticket["url"])
    await browser.until(lambda seen: bool(seen.all("ready")))
    assistant = await live.assistant(person)
    sent = items()
    saved = [(await assistant.save(**body, request_id=str(uuid4())))["item"] for body in sent]
    for body, item in zip(sent, saved, strict=True):
        assert {name: item[name] for name in body} == body

    await raw.until_seq(len(sent))
    await browser.until(lambda seen: len(seen.items) >= len(sent))
    assert raw.items == browser.items == saved
    assert raw.names == ["hello", "ready"] + ["item"] * len(sent)
    assert [event["name"] for event in browser.heard] == ["open", "hello", "ready"] + ["item"] * len(sent)
    assert [event["id"] for event in browser.all("item")] == [event.id for event in raw.events if event.name == "item"]
    for size in (1, 7, 65536):
        events, errors = await parse(bytes(raw.raw), size)
        assert errors == []
        assert events == [{"name": event.name, "id": event.id, "data": event.data} for event in raw.events]

    again = await live.listen(await person.device())
    await again.until_ready()
    assert again.items == saved
    for item in saved:
        assert (await live.get(f"/v1/items/{item['id']}", device.token)).json() == item


@pytest.mark.case(22, "the raw bytes of the stream")
async def test_the_bytes_of_events_hold_no_line_ends_but_their_own(live: Live) -> None:
    person = await live.person()
    assistant = await live.assistant(person)
    for body in items():
        await assistant.save(**body, request_id=str(uuid4()))
    device = await live.listen(await person.device())
    await device.until_ready()
    text = device.raw.decode()
    assert not {"\r", "\u2028", "\u2029", "\u0085", "\0"} & set(text)
    fields = [line.partition(":")[0] for line in text.split("\n") if line]
    assert set(fields) == {"", "event", "id", "data", "retry"}
    assert fields.count("data") == fields.count("event") == fields.count("id") == len(device.events)


FIELDS = ("title", "text", "url", "tags", "collection", "data", "request_id")


@pytest.mark.case(22, "NUL and lone surrogates: refused")
@pytest.mark.parametrize("bad", ["\\u0000", "\\ud800", "\\udc00x", "\\ude00\\ud83d"])
async def test_nul_and_lone_surrogates_are_refused_in_every_field(live: Live, bad: str) -> None:
    person = await live.person()
    headers = {**(await live.assistant(person)).headers, "content-type": "application/json"}
    values = {"url": f'"https://example.com/{bad}"', "tags": f'["{bad}"]', "data": f'{{"key": {{"in": ["{bad}"]}}}}'}
    for field in FIELDS:
        body = f'{{"{field}": {values.get(field, chr(34) + bad + chr(34))}}}'
        problem(await live.http.post("/actions/items", content=body, headers=headers), 422, "invalid")
    body = f'{{"data": {{"{bad}": 1}}}}'
    problem(await live.http.post("/actions/items", content=body, headers=headers), 422, "invalid")
    assert (await live.get("/v1/me", (await person.device()).token)).json()["feed"]["head"] == 0


@pytest.mark.control(22, "an encoder that writes line ends as they are")
async def test_control_an_encoder_that_writes_line_ends_as_they_are_is_found_out(
    live: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    encode = sse.item
    monkeypatch.setattr(sse, "item", lambda cursor, wire: encode(cursor, wire.replace(b"\\n", b"\n")))
    person = await live.person()
    device = await (await live.listen(await person.device())).until_ready()
    await (await live.assistant(person)).save(title="a\n\nevent: bye\ndata: {}\n\n")
    await device.until(lambda seen: len(seen.events) > 2)
    assert device.names != ["hello", "ready", "item"]
