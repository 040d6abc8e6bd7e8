"""Fetching and posting: what comes back, what ends it, and what is told of it."""

import asyncio
import gzip
import ssl
from collections.abc import AsyncIterator

import pytest
import trustme

from app.outbound import FetchFailed, FetchTooLarge, Internet, Outbound
from tests.harness.sites import Names, Site, answer, authority, internet, outside_too, site
from tests.harness.waiting import eventually

NAME = "files.example.com"
URL = f"https://{NAME}/a?sig=secret"


@pytest.fixture
async def files() -> AsyncIterator[Site]:
    """A web server."""
    async with site(NAME) as made:
        yield made


@pytest.fixture
def outbound(files: Site) -> Outbound:
    """A client that knows it."""
    return Outbound(internet({NAME: files}), max_bytes=1000, within_s=30)


async def fetch(outbound: Outbound, url: str = URL) -> bytes:
    async with outbound.get(url) as response:
        return await response.read()


async def test_what_is_there_is_given(files: Site, outbound: Outbound) -> None:
    files.answer = answer(body=b"hello", Content_Type="text/plain")
    async with outbound.get(URL, {"accept": "text/plain"}) as response:
        assert (response.status, response.headers["content-type"]) == (200, "text/plain")
        assert await response.read() == b"hello"
    (request,) = files.requests
    lines = request.decode().split("\r\n")
    assert lines[0] == "GET /a?sig=secret HTTP/1.1"
    assert sorted(lines[1:-2]) == [
        "accept-encoding: identity",
        "accept: text/plain",
        "connection: close",
        f"host: {NAME}",
        "user-agent: Starling",
    ]


async def test_chunks_come_as_they_are_sent(files: Site, outbound: Outbound) -> None:
    files.answer = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n"
    files.lingers = True
    async with outbound.get(URL) as response:
        assert await anext(aiter(response.chunks())) == b"hello"


async def test_a_post_gets_any_answer(files: Site, outbound: Outbound) -> None:
    files.answer = answer("410 Gone", retry_after="5")
    async with outbound.post(URL, b"pushed", {"ttl": "60"}) as response:
        assert (response.status, response.headers["retry-after"], await response.read()) == (410, "5", b"")
    (request,) = files.requests
    assert request.startswith(b"POST /a?sig=secret HTTP/1.1\r\n")
    assert b"\r\nttl: 60\r\n" in request
    assert request.endswith(b"\r\n\r\npushed")


@pytest.mark.parametrize(
    ("status", "retryable"), [("204 No Content", False), ("404 Not Found", False), ("503 Busy", True), ("429 -", True)]
)
async def test_a_get_is_answered_with_200_or_has_failed(
    files: Site, outbound: Outbound, status: str, retryable: bool
) -> None:
    files.answer = answer(status)
    with pytest.raises(FetchFailed, match=status[:3]) as raised:
        await fetch(outbound)
    assert raised.value.members["retryable"] is retryable


async def test_a_redirect_is_not_followed(files: Site, outbound: Outbound) -> None:
    files.answer = answer("302 Found", location=f"https://{NAME}/b")
    with pytest.raises(FetchFailed, match="302"):
        await fetch(outbound)
    assert (files.connections, len(files.requests)) == (1, 1)


@pytest.mark.parametrize("size", [1000, 1001])
@pytest.mark.parametrize("known", [True, False], ids=["length", "chunked"])
async def test_a_body_has_a_limit(files: Site, outbound: Outbound, size: int, known: bool) -> None:
    body = b"x" * size
    chunked = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (size, body)
    files.answer = answer(body=body) if known else chunked
    if size <= 1000:
        assert await fetch(outbound) == body
    else:
        with pytest.raises(FetchTooLarge) as raised:
            await fetch(outbound)
        assert (raised.value.code, raised.value.members["limit"]) == ("too_large", 1000)


async def test_a_body_that_is_said_to_be_too_large_is_not_waited_for(files: Site, outbound: Outbound) -> None:
    files.answer, files.lingers = answer(content_length="1001"), True
    with pytest.raises(FetchTooLarge):
        await fetch(outbound)


async def test_a_body_that_does_not_end_is_left_at_the_limit(files: Site, outbound: Outbound) -> None:
    files.answer = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n" + b"a0\r\n%b\r\n" % (b"x" * 160) * 7
    files.lingers = True
    with pytest.raises(FetchTooLarge):
        await fetch(outbound)


async def test_nothing_is_inflated(files: Site, outbound: Outbound) -> None:
    files.answer = answer(body=gzip.compress(b"x" * 100_000), content_encoding="gzip")
    with pytest.raises(FetchFailed, match="compressed"):
        await fetch(outbound)


BROKEN = {
    "nothing": b"",
    "no HTTP": b"SSH-2.0-OpenSSH_9\r\n\r\n",
    "a torn head": b"HTTP/1.1 200 OK\r\ncontent-",
    "a torn body": b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhello",
    "a torn chunk": b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhel",
    "lengths that differ": b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nhe",
    "a head without an end": b"HTTP/1.1 200 OK\r\n" + b"x-a: " + b"a" * 300_000,
}


@pytest.mark.parametrize("said", BROKEN.values(), ids=BROKEN)
async def test_what_is_no_answer_is_a_failure(files: Site, outbound: Outbound, said: bytes) -> None:
    files.answer = said
    with pytest.raises(FetchFailed):
        await fetch(outbound)


async def test_a_broken_encryption_is_a_failure(files: Site, outbound: Outbound) -> None:
    files.answer, files.lingers, files.garbles = answer(content_length="10"), True, True
    with pytest.raises(FetchFailed):
        await fetch(outbound)


async def test_an_answer_that_never_comes_ends_in_time(files: Site) -> None:
    files.answer, files.lingers = b"", True
    outbound = Outbound(internet({NAME: files}), max_bytes=1000, within_s=1)
    with pytest.raises(FetchFailed):
        await asyncio.wait_for(fetch(outbound), 30)


async def test_the_time_holds_for_what_is_done_with_the_body_too(files: Site) -> None:
    outbound = Outbound(internet({NAME: files}), max_bytes=1000, within_s=1)
    with pytest.raises(FetchFailed):
        async with outbound.get(URL):
            await asyncio.wait_for(asyncio.Event().wait(), 30)


async def test_an_error_of_the_callers_own_stays_that(outbound: Outbound) -> None:
    for error in (OSError("disk full"), TimeoutError("mine")):
        with pytest.raises(type(error), match=str(error)):
            async with outbound.get(URL):
                raise error


async def test_only_so_many_are_under_way_at_once(files: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.outbound.outbound.AT_ONCE", 1)
    outbound = Outbound(internet({NAME: files}), max_bytes=1000, within_s=30)
    async with outbound.get(URL):
        waiting = asyncio.create_task(fetch(outbound))
        done, _ = await asyncio.wait([waiting], timeout=0.2)
        assert (done, files.connections) == (set(), 1)
    await asyncio.wait_for(waiting, 30)


@pytest.mark.parametrize("trust", ["another authority", "another name"])
async def test_a_certificate_must_be_the_hosts(files: Site, trust: str) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    (trustme.CA() if trust == "another authority" else authority()).configure_trust(context)
    name = "other.example.com" if trust == "another name" else NAME
    outbound = Outbound(Internet(Names({name: [[files.endpoint]]}), context, outside_too), max_bytes=1000, within_s=30)
    with pytest.raises(FetchFailed):
        await fetch(outbound, f"https://{name}/")
    assert (files.connections, files.requests) == (1, [])


async def test_the_next_address_is_tried(files: Site) -> None:
    closed = ("127.0.0.2", 1)
    outbound = Outbound(internet({NAME: [closed, files.endpoint]}), max_bytes=1000, within_s=30)
    assert await fetch(outbound) == b""


async def test_what_was_found_is_told_to_nobody(files: Site) -> None:
    """An inner address, none at all, a closed port: the same words."""
    names = {"inner.example.com": [("10.0.0.1", 443)], "closed.example.com": [("127.0.0.2", 1)]}
    outbound = Outbound(internet(names), max_bytes=1000, within_s=30)
    told = set()
    for name in (*names, "none.example.com"):
        with pytest.raises(FetchFailed) as raised:
            await fetch(outbound, f"https://{name}/")
        told.add((raised.value.code, raised.value.detail, str(raised.value.members)))
    assert len(told) == 1


async def test_the_log_names_the_host_and_never_the_url(
    files: Site, outbound: Outbound, capsys: pytest.CaptureFixture[str]
) -> None:
    files.answer = b""
    with pytest.raises(FetchFailed):
        await fetch(outbound)
    said = "".join(capsys.readouterr())
    assert "outbound.failed" in said
    assert NAME in said
    assert "secret" not in said


async def test_a_cancelled_request_leaves_no_connection(files: Site, outbound: Outbound) -> None:
    files.answer, files.lingers = b"", True
    task = asyncio.create_task(fetch(outbound))
    await asyncio.wait_for(files.came.wait(), 30)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await eventually(lambda: files.open == 0, 30, "the connection's end")
