"""Devices that do not read, or are gone without a word: cut in time, at a bounded cost, and nobody else notices."""

import asyncio
import resource
import socket
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import pytest

from app.cli.server import listen
from app.hub import visits
from app.hub.feed import Feed
from app.hub.hub import Hub
from app.hub.stream import Stream
from tests.harness import live as live_module
from tests.harness.counts import IS_FULL, times
from tests.harness.halfopen import NEEDS, Cable
from tests.harness.listener import Listener
from tests.harness.live import Live, serving
from tests.harness.people import Person, TestDevice
from tests.harness.waiting import eventually

CLIENTS = times(40, full=200)
STALL_S = times(3, full=visits.STALL_S)
HEALTHY_S = 1.0
ITEMS = 60
TEXT = "x" * 100_000
BUFFER_BOUND = 64 * 1024 + 2 * 110_000
MEMORY_BOUND = 50 * 1024 * 1024


@pytest.fixture
async def roomy(database_url: str, own_dir: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Live]:
    """A server that lets many streams in and loses patience early."""
    monkeypatch.setattr(visits, "STALL_S", STALL_S)
    monkeypatch.setattr(visits, "KEEPALIVE_S", 1)
    async with serving(database_url, own_dir, streams_per_device=CLIENTS + 1, streams_per_user=CLIENTS + 1) as live:
        yield live


def never_reading(live: Live, device: TestDevice) -> socket.socket:
    """A stream whose client reads nothing, with little room in its kernel."""
    address = urlsplit(live.url)
    peer = socket.socket()
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    peer.connect((address.hostname, address.port))
    peer.sendall(f"GET /v1/stream HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {device.token}\r\n\r\n".encode())
    return peer


def feed_of(live: Live, person: Person) -> "Feed[Stream]":
    return live.starling.hub.watch._feeds[person.feed_id]


async def write(live: Live, person: Person, count: int = ITEMS, seen_by: Listener | None = None) -> list[float]:
    """Saves items. With a device: one when it has the one before, and after how many seconds it had each."""
    assistant, took = await live.assistant(person), list[float]()
    for n in range(count):
        begun = time.monotonic()
        saved = await assistant.save(title=str(n), text=TEXT, request_id=str(uuid4()))
        if seen_by is not None:
            await seen_by.until_seq(saved["item"]["seq"], within=60)
            took.append(time.monotonic() - begun)
    return sorted(took)


def resident() -> int:
    """Bytes of memory that this process, the server's, holds."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


class Cost:
    """What clients that never read cost at most while items flow: bytes buffered for one of them, and memory."""

    def __init__(self) -> None:
        self._before = resident()
        self.buffered = self.memory = 0

    def look(self, feed: "Feed[Stream]") -> None:
        self.buffered = max([self.buffered, *(stream.buffered for stream in feed.streams)])
        self.memory = max(self.memory, resident() - self._before)


async def cost_of_silence(
    live: Live, person: Person, peers: list[socket.socket], healthy: Listener
) -> tuple[Cost, list[float]]:
    """What it costs to write to CLIENTS who do not read, and after how many seconds a healthy device had each item."""
    device = await person.device("silent")
    peers += [never_reading(live, device) for _ in range(CLIENTS)]
    await eventually(lambda: len(feed_of(live, person).live) == CLIENTS + 1, 30, "everybody's going live")
    cost = Cost()
    writing = asyncio.create_task(write(live, person, seen_by=healthy))

    def written() -> bool:
        cost.look(feed_of(live, person))
        return writing.done()

    await eventually(written, 90, "the writing")
    return cost, await writing


@pytest.fixture
def peers() -> Iterator[list[socket.socket]]:
    opened: list[socket.socket] = []
    yield opened
    for peer in opened:
        peer.close()


@pytest.mark.case(16, f"{CLIENTS} devices that never read, {ITEMS} items of 100 kB")
async def test_clients_that_never_read_are_cut_and_cost_little(
    roomy: Live, peers: list[socket.socket], saw: Callable[[str], None]
) -> None:
    person = await roomy.person()
    device = await person.device("healthy")
    healthy = await roomy.listen(device)
    await healthy.until_ready()
    cost, took = await cost_of_silence(roomy, person, peers, healthy)
    silent_since = time.monotonic()
    p99 = took[int(0.99 * len(took))]
    assert p99 <= 3 * HEALTHY_S
    assert healthy.seqs == list(range(1, ITEMS + 1))
    assert cost.buffered <= BUFFER_BOUND
    assert cost.memory <= MEMORY_BOUND
    await eventually(lambda: len(feed_of(roomy, person).streams) == 1, 90, "the cut of everybody who does not read")
    assert roomy.starling.presence.live(person.feed_id) == {device.id}
    saw(f"memory + {cost.memory / 2**20:.0f} MiB; healthy device p99 {p99 * 1000:.0f} ms")
    saw(f"all cut {time.monotonic() - silent_since:.0f} s after the last item (patience here: {STALL_S} s)")


@pytest.mark.control(16, "a hub that writes on into full buffers")
async def test_control_a_hub_that_writes_to_full_buffers_is_found_out(
    roomy: Live, peers: list[socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Hub, "paused", lambda *_: None)
    monkeypatch.setattr(visits, "STALL_S", 1000)
    person = await roomy.person()
    healthy = await (await roomy.listen(await person.device("healthy"))).until_ready()
    cost, _ = await cost_of_silence(roomy, person, peers, healthy)
    assert cost.buffered > BUFFER_BOUND
    assert cost.memory > MEMORY_BOUND


@pytest.mark.case(16, "a slow reader catches up")
async def test_a_reader_that_pauses_and_goes_on_loses_nothing(live: Live) -> None:
    person = await live.person()
    slow, quick = [await live.listen(await person.device(name)) for name in ("slow", "quick")]
    for device in (slow, quick):
        await device.until_ready()
    for done in (ITEMS, 2 * ITEMS):
        slow.pause()
        await write(live, person)
        await quick.until_seq(done)
        slow.resume()
        await slow.until_seq(done)
    assert slow.seqs == quick.seqs == list(range(1, 2 * ITEMS + 1))
    assert slow.names.count("ready") == 1
    assert not slow.ended


@pytest.mark.case(16, "a reader that was cut comes back")
async def test_a_reader_that_was_cut_comes_back_and_has_lost_nothing(roomy: Live) -> None:
    person = await roomy.person()
    slow = await roomy.listen(await person.device("slow"))
    await slow.until_ready()
    slow.pause()
    await write(roomy, person)
    await eventually(lambda: not roomy.starling.presence.live(person.feed_id), 90, "the cut")
    slow.resume()
    await slow.until_end()
    await slow.close()
    await slow.open()
    await slow.until_seq(ITEMS)
    assert slow.seqs == list(range(1, ITEMS + 1))


@pytest.fixture
async def reachable(database_url: str, own_dir: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Live]:
    """A server that other machines reach, too."""
    monkeypatch.setattr(live_module, "listen", lambda _, port: listen("0.0.0.0", port))  # noqa: S104
    async with serving(database_url, own_dir) as live:
        yield live


@pytest.mark.case(15, "link down in a network namespace")
@pytest.mark.skipif(NEEDS is not None, reason=str(NEEDS))
async def test_a_device_that_vanished_without_a_word_is_let_go(reachable: Live, saw: Callable[[str], None]) -> None:
    person = await reachable.person()
    async with Cable() as cable:
        await cable.listen(urlsplit(reachable.url).port or 0, (await person.device()).token)
        assert reachable.starling.presence.live(person.feed_id)
        cable.pull()
        pulled = time.monotonic()
        await eventually(lambda: not reachable.starling.presence.live(person.feed_id), 90, "the vanished device's end")
        saw(f"reaped after {time.monotonic() - pulled:.0f} s")


@pytest.mark.control(15, "a listener without TCP_USER_TIMEOUT")
@pytest.mark.skipif(NEEDS is not None, reason=str(NEEDS))
@pytest.mark.skipif(not IS_FULL, reason="waits longer than the promised 30 s: only with the full counts")
async def test_control_without_a_time_out_for_unacknowledged_bytes_it_stays(
    database_url: str, own_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.cli.server.USER_TIMEOUT_MS", 0)
    monkeypatch.setattr(live_module, "listen", lambda _, port: listen("0.0.0.0", port))  # noqa: S104
    async with serving(database_url, own_dir) as live, Cable() as cable:
        person = await live.person()
        await cable.listen(urlsplit(live.url).port or 0, (await person.device()).token)
        cable.pull()
        with pytest.raises(AssertionError, match="did not happen"):
            await eventually(lambda: not live.starling.presence.live(person.feed_id), 40, "its end")
