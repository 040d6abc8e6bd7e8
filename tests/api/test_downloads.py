"""What a download says of itself, and what becomes of a reader that stalls."""

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from email.message import Message
from uuid import uuid4

import pytest

from app.api import downloads
from app.api.downloads import disposition, headers_of
from app.api.files import disposed_name
from app.api.ranges import Wanted
from app.blobs.disk import Disk
from app.model import File
from tests.harness.live import Live
from tests.harness.raw import request
from tests.harness.uploads import Uploader
from tests.harness.waiting import eventually

NAMES = ["a.pdf", "Grüße 日本.txt", 'a"b;c\\d%41', "a'b", "x" * 200, "; filename=evil.exe", "\U0001f426"]


@pytest.mark.parametrize("name", NAMES)
def test_a_name_survives_its_header(name: str) -> None:
    said = disposition(name)
    assert said.isascii()
    assert disposed_name(said) == name
    message = Message()
    message["content-disposition"] = said
    assert message.get_content_disposition() == "attachment"
    assert {each for each, _ in (message.get_params(header="content-disposition") or [])[1:]} == {"filename"}


@pytest.mark.parametrize(
    "said", ["", "attachment", "attachment; filename", "x" * 9000, "attachment; filename*=zz'x'%ff", "\xff;;=;", "=?"]
)
def test_a_header_of_any_text_gives_a_name_or_none(said: str) -> None:
    assert disposed_name(said) is None or isinstance(disposed_name(said), str)


@pytest.mark.parametrize(
    ("wanted", "length", "part", "kind"),
    [
        (Wanted(200, 0, 9), "9", None, "text/plain"),
        (Wanted(206, 2, 4), "2", "bytes 2-3/9", "text/plain"),
        (Wanted(416), "0", "bytes */9", None),
        (Wanted(304), None, None, None),
    ],
)
def test_the_head_says_what_part_it_is(wanted: Wanted, length: str | None, part: str | None, kind: str | None) -> None:
    headers = headers_of(File(uuid4(), "n", "text/plain", 9, "ab"), wanted)
    found = [headers.get(name) for name in ("content-length", "content-range", "content-type", "etag")]
    assert found == [length, part, kind, '"ab"']


async def stalled(live: Live, token: str, file_id: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Asks for a file, and reads nothing of it."""
    port = int(live.url.rpartition(":")[2])
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1)
    writer.write(request("GET", f"/v1/files/{file_id}", token))
    await writer.drain()
    return reader, writer


async def test_a_reader_that_stalls_or_goes_is_let_go(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[int] = []
    read = Disk.read

    def noted(disk: Disk, sha256: str, start: int, end: int) -> Iterator[bytes]:
        pieces = read(disk, sha256, start, end)
        opened.append(1)
        try:
            yield from pieces
        finally:
            opened.pop()

    monkeypatch.setattr(Disk, "read", noted)
    uploader = Uploader.of(live, await (await live.person()).device())
    file = await uploader.upload(b"x" * 20_000_000)
    _, going = await stalled(live, uploader.token, file["id"])
    await eventually(lambda: len(opened) == 1, what="the read to begin")
    going.transport.abort()
    await eventually(lambda: not opened, what="the end of a read that nobody wants")
    monkeypatch.setattr(downloads, "STALL_S", 0.5)
    _, staying = await stalled(live, uploader.token, file["id"])
    await eventually(lambda: len(opened) == 1, what="the read to begin")
    await eventually(lambda: not opened, what="the end of a read that stalls")
    staying.transport.abort()
    assert (await uploader.fetch(file["id"], range="bytes=0-9")).content == b"x" * 10


async def test_a_store_that_fails_half_way_drops_the_connection(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    uploader = Uploader.of(live, await (await live.person()).device())
    file = await uploader.upload(b"x" * 1_000_000)
    read = Disk.read

    def breaking(disk: Disk, sha256: str, start: int, end: int) -> Iterator[bytes]:
        yield next(iter(read(disk, sha256, start, end)))
        raise OSError("gone")

    monkeypatch.setattr(Disk, "read", breaking)
    reader, writer = await stalled(live, uploader.token, file["id"])
    async with asyncio.timeout(30):
        answer = b""
        with suppress(ConnectionError):
            while part := await reader.read(65536):
                answer += part
    assert answer.startswith(b"HTTP/1.1 200")
    assert len(answer) < 1_000_000
    writer.transport.abort()
