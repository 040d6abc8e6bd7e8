"""Files of devices: uploads become items, downloads are the same bytes, and nothing but bytes."""

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest

from app.model import DEVICE_SCOPES, Scope
from tests.harness.buckets import Buckets
from tests.harness.live import Live, serving
from tests.harness.problems import problem
from tests.harness.raw import exchange, request
from tests.harness.uploads import Uploader
from tests.harness.waiting import eventually

FILE = {"id", "name", "mime_type", "size", "sha256"}


@pytest.fixture
async def uploader(live: Live) -> Uploader:
    return Uploader.of(live, await (await live.person()).device())


async def test_an_upload_is_an_item_that_every_device_gets(live: Live) -> None:
    person = await live.person()
    phone, laptop = await person.device("phone"), await person.device("laptop")
    stream = await (await live.listen(laptop)).until_ready()
    answer = await Uploader.of(live, phone).send(b"%PDF-", {"name": "a.pdf"}, content_type="application/pdf")
    made = answer.json()
    assert answer.status_code == 201
    file = {name: made[name] for name in FILE}
    assert file == {
        "id": file["id"],
        "name": "a.pdf",
        "mime_type": "application/pdf",
        "size": 5,
        "sha256": hashlib.sha256(b"%PDF-").hexdigest(),
    }
    item = made["item"]
    assert (item["kind"], item["title"], item["files"], item["origin"]["via"]) == ("file", "a.pdf", [file], "device")
    assert made["duplicate"] is False
    assert {each["name"] for part in made["delivery"].values() for each in part} == {"phone", "laptop"}
    await stream.until_seq(item["seq"])
    assert stream.items[-1] == item
    assert (await live.get(f"/v1/items/{item['id']}", laptop.token)).json() == item
    got = await Uploader.of(live, laptop).fetch(file["id"])
    assert (got.status_code, got.content) == (200, b"%PDF-")


async def test_a_download_can_be_neither_run_nor_guessed_nor_kept_by_others(uploader: Uploader) -> None:
    answer = await uploader.send(b"<script>", {"name": "x.html"}, content_type="text/html")
    headers = (await uploader.fetch(answer.json()["id"])).headers
    assert headers["content-type"] == "text/html"
    assert headers["content-disposition"].startswith("attachment;")
    assert headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in headers["content-security-policy"]
    assert headers["cache-control"].startswith("private")
    assert headers["etag"] == f'"{answer.json()["sha256"]}"'
    assert headers["content-length"] == "8"


async def test_content_of_any_size_comes_back_byte_for_byte(uploader: Uploader) -> None:
    for size in (0, 1, 64 * 1024, 256 * 1024, 11 * 1024 * 1024):  # the last is more than any other body may have
        content = os.urandom(size)
        file = await uploader.upload(content)
        assert file["size"] == size
        assert (await uploader.fetch(file["id"])).content == content


async def test_content_without_a_length_is_taken_as_it_comes(uploader: Uploader) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(40):
            yield b"x" * 10_000

    answer = await uploader.send(pieces(), {"name": "x"})
    assert (answer.status_code, answer.json()["size"]) == (201, 400_000)


async def test_a_range_is_honoured_refused_or_ignored(uploader: Uploader) -> None:
    file = await uploader.upload(b"0123456789")
    for asked, status, content, said in (
        ("bytes=7-", 206, b"789", "bytes 7-9/10"),
        ("bytes=10-", 416, b"", "bytes */10"),
        ("bytes=0-1,3-4", 200, b"0123456789", None),
    ):
        got = await uploader.fetch(file["id"], range=asked)
        assert (got.status_code, got.content, got.headers.get("content-range")) == (status, content, said)
        assert got.headers["etag"] == f'"{file["sha256"]}"'


async def test_a_download_that_broke_off_goes_on_if_the_file_is_the_same(uploader: Uploader) -> None:
    content = os.urandom(1_000_000)
    file = await uploader.upload(content)
    first = await uploader.fetch(file["id"], range="bytes=0-399999")
    rest = await uploader.fetch(file["id"], range="bytes=400000-", if_range=first.headers["etag"])
    assert first.content + rest.content == content
    other = await uploader.fetch(file["id"], range="bytes=400000-", if_range='"other"')
    assert (other.status_code, other.content) == (200, content)


async def test_what_is_known_is_not_sent_again(uploader: Uploader) -> None:
    file = await uploader.upload()
    etag = f'"{file["sha256"]}"'
    got = await uploader.fetch(file["id"], if_none_match=etag)
    assert (got.status_code, got.content, got.headers["etag"]) == (304, b"", etag)
    assert (await uploader.fetch(file["id"], if_none_match='"x"')).status_code == 200


async def test_a_repeat_has_one_effect(live: Live, uploader: Uploader) -> None:
    answers = [await uploader.send(b"same", {"name": "n"}) for _ in range(3)]
    assert [each.status_code for each in answers] == [201, 200, 200]
    assert len({each.json()["item"]["id"] for each in answers}) == 1
    assert len({each.json()["id"] for each in answers}) == 1
    assert [each.json()["duplicate"] for each in answers] == [False, True, True]
    for content, name in ((b"other", "n"), (b"same", "m")):
        assert (await uploader.send(content, {"name": name})).status_code == 201
    assert (await live.get("/v1/items", uploader.token)).json()["total"] == 3


@pytest.mark.case(6, "20 uploads with one request_id at once, then one with another content")
async def test_many_uploads_of_one_request_at_once_make_one_item(wide: Live) -> None:
    person = await wide.person()
    devices = [Uploader.of(wide, await person.device(f"{n}")) for n in range(3)]
    token = devices[0].token
    uploader = Uploader(wide, token)
    answers: list[httpx2.Response] = []
    while len(answers) < 20:
        tried = await asyncio.gather(*(uploader.send(b"same", {"name": "n", "request_id": "r"}) for _ in range(6)))
        answers += [each for each in tried if each.status_code != 429]
    assert sorted({each.status_code for each in answers}) == [200, 201]
    assert sum(each.status_code == 201 for each in answers) == 1
    assert len({each.json()["id"] for each in answers}) == 1
    assert len({str(each.json()["item"]) for each in answers}) == 1
    other = await uploader.send(b"other", {"name": "n", "request_id": "r"})
    assert problem(other, 409, "request_id_reused")["field"] == "request_id"
    items = (await wide.get("/v1/items", token)).json()["items"]
    assert [each["files"][0]["sha256"] for each in items] == [hashlib.sha256(b"same").hexdigest()]
    assert (await uploader.fetch(items[0]["files"][0]["id"])).content == b"same"


async def test_an_item_with_a_file_changes_like_any_and_keeps_it(live: Live, uploader: Uploader) -> None:
    made = await uploader.upload(b"x", name="a.txt", title="Named", collection="papers")
    item = made["item"]
    assert (item["title"], item["collection"]) == ("Named", "papers")
    headers = uploader.headers()
    changed = await live.http.patch(f"/actions/items/{item['id']}", json={"text": "read it"}, headers=headers)
    assert changed.json()["item"]["files"] == item["files"]
    assert (await uploader.fetch(made["id"])).status_code == 200
    await live.http.delete(f"/actions/items/{item['id']}", headers=headers)
    problem(await uploader.fetch(made["id"]), 404, "not_found")


async def test_a_file_is_for_its_audience_and_for_clients_that_see_all(live: Live) -> None:
    person = await live.person()
    phone, laptop, tablet = [await person.device(name) for name in ("phone", "laptop", "tablet")]
    made = await Uploader.of(live, phone).upload(b"x", audience=[str(phone.id), str(laptop.id)])
    assert made["item"]["audience"] == [str(phone.id), str(laptop.id)]
    assert (await Uploader.of(live, laptop).fetch(made["id"])).status_code == 200
    problem(await Uploader.of(live, tablet).fetch(made["id"]), 404)
    reader = Uploader(live, await person.token(scopes=[Scope.FILES_READ]))
    assert (await reader.fetch(made["id"])).status_code == 200
    stranger = await (await live.person()).device()
    refused = await Uploader.of(live, phone).send(b"x", {"audience": str(stranger.id)})
    assert problem(refused, 422, "invalid")["field"] == "audience.0"


async def test_scopes_are_needed(live: Live) -> None:
    person = await live.person()
    device = await person.device()
    made = await Uploader.of(live, device).upload()
    for scope in set(DEVICE_SCOPES) - {Scope.FILES_WRITE}:
        token = await person.token(scopes=[scope])
        problem(await Uploader(live, token).send(b"x"), 403, "insufficient_scope")
    for scope in set(DEVICE_SCOPES) - {Scope.FILES_READ}:
        token = await person.token(scopes=[scope])
        problem(await Uploader(live, token).fetch(made["id"]), 403, "insufficient_scope")
    assert (await live.http.post("/v1/files", content=b"x")).status_code == 401
    assert (await live.http.get(f"/v1/files/{made['id']}")).status_code == 401
    assert (await live.get("/v1/items", device.token)).json()["total"] == 1


async def test_a_file_above_the_limit_is_refused_before_it_comes_or_when_it_does(
    database_url: str, own_dir: Path
) -> None:
    async with serving(database_url, own_dir, max_file_bytes=100_000) as live:
        uploader = Uploader.of(live, await (await live.person()).device())
        assert (await uploader.send(b"x" * 100_000)).status_code == 201

        async def pieces() -> AsyncIterator[bytes]:
            for _ in range(11):
                yield b"x" * 10_000

        for content in (b"x" * 100_001, pieces()):
            assert problem(await uploader.send(content), 413, "too_large")["limit"] == 100_000
        assert (await live.get("/v1/items", uploader.token)).json()["total"] == 1
        await left_in(own_dir / "blobs", 1)


async def left_in(blobs: Path, count: int) -> None:
    """Only so many blobs, and nothing that arrives."""
    assert len(list((blobs / "sha256").iterdir())) == count
    assert list((blobs / "incoming").iterdir()) == []


async def test_an_upload_that_breaks_off_leaves_nothing(live: Live, own_dir: Path, uploader: Uploader) -> None:
    before = (await live.get("/v1/items", uploader.token)).json()
    head = request("POST", "/v1/files?name=x", uploader.token, "content-length: 1000000", body=None)
    _, writer = await asyncio.open_connection("127.0.0.1", int(live.url.rpartition(":")[2]))
    writer.write(head + b"x" * 300_000)
    await writer.drain()
    incoming = own_dir / "blobs" / "incoming"
    await eventually(lambda: any(path.stat().st_size for path in incoming.iterdir()), 30, "its beginning")
    writer.transport.abort()
    await eventually(lambda: not list(incoming.iterdir()), 30, "its end")
    await left_in(own_dir / "blobs", 0)
    assert (await live.get("/v1/items", uploader.token)).json() == before


async def test_content_that_two_people_have_is_there_once_and_each_has_a_file(live: Live, own_dir: Path) -> None:
    uploaders = [Uploader.of(live, await (await live.person()).device()) for _ in range(2)]
    files = [await each.upload(b"the same") for each in uploaders]
    await left_in(own_dir / "blobs", 1)
    assert files[0]["id"] != files[1]["id"]
    for n, uploader in enumerate(uploaders):
        assert (await uploader.fetch(files[n]["id"])).content == b"the same"
        problem(await uploader.fetch(files[1 - n]["id"]), 404, "not_found")


async def test_a_bucket_serves_as_well(database_url: str, own_dir: Path, buckets: Buckets) -> None:
    place = buckets.make()
    async with serving(database_url, own_dir, blobs=place) as live:
        uploader = Uploader.of(live, await (await live.person()).device())
        content = os.urandom(6 * 1024 * 1024)
        file = await uploader.upload(content)
        assert (await uploader.fetch(file["id"])).content == content
        part = await uploader.fetch(file["id"], range="bytes=5000000-5000009")
        assert (part.status_code, part.content) == (206, content[5_000_000:5_000_010])
        assert buckets.keys(place) == [f"sha256/{file['sha256']}"]
        assert not (own_dir / "blobs").exists()


async def test_the_answer_to_a_refusal_comes_before_the_body_is_read(live: Live, uploader: Uploader) -> None:
    head = request("POST", "/v1/files", uploader.token, "content-length: 999999999", body=None)
    answer = await exchange(live.url, head)
    assert answer.status == 413
