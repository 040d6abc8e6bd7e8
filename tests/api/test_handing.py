"""`getFiles`: files for a conversation, in the answer or as links that need no header."""

import base64
import logging
import os
from datetime import timedelta
from typing import Any
from uuid import uuid4

import httpx2
import pytest

from app.actions.handing import INLINE_BYTES, MAX_OUT_BYTES
from app.auth import tokens
from app.model import Scope
from tests.e2e.test_oauth_secrets import everything
from tests.harness.live import Live
from tests.harness.people import Assistant, Person
from tests.harness.problems import problem
from tests.harness.uploads import Uploader


@pytest.fixture
async def person(live: Live) -> Person:
    return await live.person()


@pytest.fixture
async def uploader(live: Live, person: Person) -> Uploader:
    return Uploader.of(live, await person.device())


@pytest.fixture
async def assistant(live: Live, person: Person) -> Assistant:
    return await live.assistant(person, scopes=[Scope.FILES_READ])


async def files_of(assistant: Assistant, item: dict[str, Any]) -> dict[str, Any]:
    answer = await assistant.call("GET", f"/actions/items/{item['id']}/files")
    assert answer.status_code == 200, answer.text
    assert len(answer.text) < 100_000
    found: dict[str, Any] = answer.json()
    return found


async def link_of(uploader: Uploader, assistant: Assistant, content: bytes) -> str:
    made = await uploader.send(content, {"name": "räksmörgås.csv"}, content_type="text/csv")
    (link,) = (await files_of(assistant, made.json()["item"]))["openaiFileResponse"]
    assert isinstance(link, str)
    return link


async def test_a_small_file_stands_in_the_answer(uploader: Uploader, assistant: Assistant) -> None:
    for content in (b"", os.urandom(INLINE_BYTES)):
        made = await uploader.upload(content, name="a.bin")
        found = await files_of(assistant, made["item"])
        encoded = base64.b64encode(content).decode()
        mime_type = "application/octet-stream"
        assert found["openaiFileResponse"] == [{"name": "a.bin", "mime_type": mime_type, "content": encoded}]
        assert found["left_out"] == []


async def test_a_larger_one_comes_as_a_link_that_needs_no_header(uploader: Uploader, assistant: Assistant) -> None:
    content = os.urandom(INLINE_BYTES + 1)
    link = await link_of(uploader, assistant, content)
    async with httpx2.AsyncClient() as nobody:
        for _ in range(2):
            got = await nobody.get(link)
            assert (got.status_code, got.content) == (200, content)
            assert got.headers["content-type"] == "text/csv"
            assert "filename*=UTF-8''r%C3%A4ksm" in got.headers["content-disposition"]


async def test_images_videos_and_large_files_are_left_out_with_a_reason(
    uploader: Uploader, assistant: Assistant
) -> None:
    for content, mime_type in ((b"x", "image/png"), (b"x", "Video/MP4"), (b"x" * (MAX_OUT_BYTES + 1), "text/plain")):
        made = (await uploader.send(content, content_type=mime_type)).json()
        found = await files_of(assistant, made["item"])
        assert found["openaiFileResponse"] == []
        assert [each["id"] for each in found["left_out"]] == [made["id"]]
        assert found["left_out"][0]["reason"]
        assert "devices" in found["next_step"]


async def test_an_item_without_files_says_what_to_do(live: Live, person: Person, assistant: Assistant) -> None:
    item = (await (await live.assistant(person)).save(title="x"))["item"]
    found = await files_of(assistant, item)
    assert found["openaiFileResponse"] == []
    assert "findItems" in found["next_step"]


async def test_a_ticket_is_good_for_its_file_alone(live: Live, uploader: Uploader, assistant: Assistant) -> None:
    link = await link_of(uploader, assistant, os.urandom(INLINE_BYTES + 1))
    ticket = link.partition("?ticket=")[2]
    other = await uploader.upload(b"other")
    for path in (f"/v1/files/{other['id']}", f"/v1/files/{uuid4()}", "/v1/stream", "/v1/items", "/v1/me"):
        problem(await live.http.get(path, params={"ticket": ticket}), 401)
        problem(await live.http.get(path, headers={"authorization": f"Bearer {ticket}"}), 401)
    problem(await live.http.post("/v1/files", params={"ticket": ticket}, content=b"x"), 401)
    problem(await live.http.get(link, headers=assistant.headers), 400)
    for wrong in ("", "stf_unknown", "%00", "%ed%a0%80"):
        problem(await live.http.get(f"/v1/files/{other['id']}?ticket={wrong}"), 401)


async def test_a_ticket_dies_with_its_token(live: Live, person: Person, uploader: Uploader) -> None:
    token = await person.token(scopes=[Scope.FILES_READ, Scope.STREAM])
    device = await person.device("other")
    links = [
        await link_of(uploader, Assistant(live.http, each), os.urandom(INLINE_BYTES + 1))
        for each in (token, device.token)
    ]
    await live.http.delete(f"/v1/devices/{device.id}", headers=device.headers)
    problem(await live.http.get(links[1]), 401, "unauthorized")
    assert (await live.http.get(links[0])).status_code == 200


async def test_a_ticket_ends_after_its_life(
    live: Live, uploader: Uploader, assistant: Assistant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tokens, "FILE_TICKET_LIFE", timedelta(seconds=-1))
    problem(await live.http.get(await link_of(uploader, assistant, os.urandom(INLINE_BYTES + 1))), 401)


async def test_a_link_ends_with_its_item(live: Live, person: Person, uploader: Uploader, assistant: Assistant) -> None:
    made = await uploader.upload(os.urandom(INLINE_BYTES + 1))
    (link,) = (await files_of(assistant, made["item"]))["openaiFileResponse"]
    await live.http.delete(f"/actions/items/{made['item']['id']}", headers=uploader.headers())
    problem(await live.http.get(link), 404)


async def test_the_scope_is_needed(live: Live, person: Person, uploader: Uploader) -> None:
    made = await uploader.upload()
    for scope in set(Scope) - {Scope.FILES_READ}:
        other = await live.assistant(person, scopes=[scope])
        problem(await other.call("GET", f"/actions/items/{made['item']['id']}/files"), 403, "insufficient_scope")


@pytest.mark.case(33, "a file's ticket, in a dump of all tables and in logs of all levels")
async def test_a_ticket_stands_in_no_table_and_no_log(
    uploader: Uploader,
    assistant: Assistant,
    live: Live,
    database_url: str,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level("DEBUG")
    link = await link_of(uploader, assistant, os.urandom(INLINE_BYTES + 1))
    assert (await live.http.get(link.replace(live.url, ""))).status_code == 200
    ticket = link.partition("?ticket=")[2]
    kept = await everything(database_url)
    assert "räksmörgås" in kept
    assert ticket not in kept
    assert ticket not in "".join(capfd.readouterr())
    # The client of this test logs addresses. The web server does it for the test runner alone.
    told = [each for each in caplog.records if not each.name.startswith(("http", "uvicorn.access"))]
    assert not [each for each in told if ticket in each.getMessage()]
    assert logging.getLogger("uvicorn.access").propagate is False
