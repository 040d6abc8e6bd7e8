"""`shareFiles`: what a conversation has becomes one item, whole or not at all."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from app.model import Scope
from tests.harness.problems import problem
from tests.harness.sharing import HOST, Sharing, ref, sharing
from tests.harness.sites import answer
from tests.harness.uploads import Uploader


@pytest.fixture
async def shared(database_url: str, own_dir: Path) -> AsyncIterator[Sharing]:
    async with sharing(database_url, own_dir) as made:
        yield made


def blobs(own_dir: Path) -> int:
    assert list((own_dir / "blobs" / "incoming").iterdir()) == []
    return len(list((own_dir / "blobs" / "sha256").iterdir()))


async def test_files_become_one_item_on_every_device(shared: Sharing) -> None:
    live, phone = shared.live, await shared.person.device("phone")
    stream = await (await live.listen(phone)).until_ready()
    made = await shared.share([ref("a.pdf"), ref("b/../c.txt", mime_type=None)], text="read", tags=["x"])
    assert made.status_code == 201, made.text
    item = made.json()["item"]
    assert (item["kind"], item["title"], item["text"], item["tags"]) == ("file", "a.pdf and 1 more", "read", ["x"])
    assert [(each["name"], each["mime_type"], each["size"]) for each in item["files"]] == [
        ("a.pdf", "application/pdf", 7),
        ("c.txt", "application/octet-stream", 7),
    ]
    assert item["origin"]["via"] == "action"
    assert item["origin"]["conversation_id"] == "conversation"
    assert [each["name"] for part in made.json()["delivery"].values() for each in part] == ["phone"]
    await stream.until_seq(item["seq"])
    assert stream.items[-1] == item
    for file in item["files"]:
        assert (await Uploader.of(live, phone).fetch(file["id"])).content == b"content"


async def test_ids_without_links_are_refused_with_what_to_do(shared: Sharing) -> None:
    for refs in (["file-abc"], [ref(), "file-abc"], [{"id": "file-abc", "name": "x"}]):
        found = problem(await shared.share(refs), 400, "links_missing")
        assert "attach" in found["next_step"]
    wrong: list[Any] = [[], [ref()] * 11, [ref(id=1)], [None], [{}], "file-abc", [[]]]
    for bad in wrong:
        answered = await shared.assistant.call("POST", "/actions/files", {"openaiFileIdRefs": bad})
        assert problem(answered, 422, "invalid")["field"].startswith("openaiFileIdRefs")
    assert (shared.host.connections, await shared.total()) == (0, 0)


async def test_all_are_shared_or_none_and_each_that_failed_is_named(shared: Sharing, own_dir: Path) -> None:
    refs = [ref("good"), ref("elsewhere", "https://example.com/x"), ref("plain", f"http://{HOST}/x")]
    found = problem(await shared.share(refs), 422, "files_not_fetched")
    assert [(each["name"], each["code"]) for each in found["files"]] == [
        ("elsewhere", "url_refused"),
        ("plain", "url_refused"),
    ]
    assert found["field"] == "openaiFileIdRefs.1"
    assert found["next_step"]
    assert (await shared.total(), shared.host.connections) == (0, 1)
    shared.host.answer = answer("403 Expired")
    found = problem(await shared.share([ref()]), 422, "files_not_fetched")
    assert "403" in found["files"][0]["detail"]
    assert await shared.total() == 0
    assert blobs(own_dir) <= 1  # the good one's content goes with the upkeep


async def test_a_file_above_the_limit_is_refused(database_url: str, own_dir: Path) -> None:
    async with sharing(database_url, own_dir, max_file_bytes=6) as shared:
        found = problem(await shared.share([ref()]), 422, "files_not_fetched")
        assert (found["files"][0]["code"], found["limit"]) == ("too_large", 6)
        assert (await shared.total(), blobs(own_dir)) == (0, 0)


async def test_a_full_account_is_told_so(database_url: str, own_dir: Path) -> None:
    async with sharing(database_url, own_dir, user_files_bytes=10) as shared:
        assert problem(await shared.share([ref("a"), ref("b")]), 413, "quota_exceeded")["limit"] == 10
        assert await shared.total() == 0
        assert (await shared.share([ref("a")])).status_code == 201


async def test_a_repeat_fetches_nothing(shared: Sharing) -> None:
    for name, more in (("a", {}), ("b", {"request_id": "r"})):
        before = shared.host.connections
        first = await shared.share([ref(name)], **more)
        # The host makes a new link each time.
        again = await shared.share([ref(name, f"https://{HOST}/other?sig=new")], **more)
        assert (first.status_code, again.status_code) == (201, 200)
        assert again.json() == {**first.json(), "duplicate": True}
        assert shared.host.connections == before + 1
    problem(await shared.share([ref("other")], request_id="r"), 409, "request_id_reused")
    assert await shared.total() == 2


@pytest.mark.case(6, "20 shareFiles with one request_id at once, then one with another file")
async def test_many_of_one_request_at_once_make_one_item_and_one_download(shared: Sharing) -> None:
    shared.host.may_go.clear()
    tasks = [asyncio.create_task(shared.share([ref()], request_id="r")) for _ in range(20)]
    await shared.host.came.wait()
    shared.host.may_go.set()
    answers = await asyncio.gather(*tasks)
    assert sorted(each.status_code for each in answers) == [200] * 19 + [201]
    assert len({str(each.json()["item"]) for each in answers}) == 1
    assert (shared.host.connections, await shared.total()) == (1, 1)
    problem(await shared.share([ref("other")], request_id="r"), 409, "request_id_reused")


async def test_a_share_that_failed_can_be_made_again(shared: Sharing) -> None:
    shared.host.answer = answer("503 Away")
    assert problem(await shared.share([ref()], request_id="r"), 422)["retryable"] is True
    shared.host.answer = answer(body=b"content")
    assert (await shared.share([ref()], request_id="r")).status_code == 201


async def test_the_scope_is_needed_before_anything_is_fetched(shared: Sharing) -> None:
    for scope in set(Scope) - {Scope.FILES_WRITE}:
        other = await shared.live.assistant(shared.person, scopes=[scope])
        answered = await other.call("POST", "/actions/files", {"openaiFileIdRefs": [ref()]})
        problem(answered, 403, "insufficient_scope")
    assert (await shared.live.http.post("/actions/files", json={"openaiFileIdRefs": [ref()]})).status_code == 401
    assert shared.host.connections == 0


@pytest.mark.case(22, "names and types of shared files")
async def test_line_ends_in_names_and_types_make_no_event_and_no_header(shared: Sharing) -> None:
    live, device = shared.live, await shared.person.device()
    stream = await (await live.listen(device)).until_ready()
    evil = "a\r\nevent: bye\r\n\r\n\u2028\u0085x-evil: 1"
    made = await shared.share([ref("x") | {"name": evil, "mime_type": f"text/plain{evil}"}], title=evil, text=evil)
    item = made.json()["item"]
    assert (item["title"], item["text"]) == (evil, evil)
    await stream.until_seq(item["seq"])
    assert stream.names[-1] == "item"
    assert stream.items[-1] == item
    (file,) = item["files"]
    assert (file["name"], file["mime_type"]) == ("aevent: byex-evil: 1", "application/octet-stream")
    assert "x-evil" not in (await Uploader.of(live, device).fetch(file["id"])).headers


HOSTILE: list[Any] = [
    {"name": "a\0"},
    {"id": "\0"},
    {"mime_type": 1e300},
    {"download_link": ["https://"]},
    {"download_link": "\0"},
    {"name": {"a": 1}},
]


@pytest.mark.case(23, f"{len(HOSTILE)} hostile references to files, and bodies that are no JSON")
async def test_hostile_references_are_refused(shared: Sharing) -> None:
    for more in HOSTILE:
        problem(await shared.share([ref() | more]), 422, "invalid")
    headers = {**shared.assistant.headers, "content-type": "application/json"}
    deep = b'{"openaiFileIdRefs":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    for body in (deep, b"\xff", b"{", b'{"openaiFileIdRefs":["\\ud800"]}', b"[]", b'{"openaiFileIdRefs":[1e400]}'):
        answered = await shared.live.http.post("/actions/files", content=body, headers=headers)
        assert 400 <= answered.status_code < 500, body[:40]
    assert (shared.host.connections, await shared.total()) == (0, 0)


async def test_content_is_what_the_host_had(shared: Sharing) -> None:
    content = bytes(range(256)) * 8192
    shared.host.answer = answer(body=content)
    (file,) = (await shared.share([ref()])).json()["item"]["files"]
    assert file["sha256"] == hashlib.sha256(content).hexdigest()
