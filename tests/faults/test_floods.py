"""Floods of connections, and headers that lie about where they come from: the caps hold, and nobody else notices."""

import asyncio
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from litestar.enums import ScopeType
from litestar.types import Receive, Scope, Send

from app.api.cors import Cors
from app.hub.hub import Caps
from tests.harness.counts import times
from tests.harness.listener import Listener
from tests.harness.live import Live, serving
from tests.harness.people import TestDevice

PER_DEVICE, PER_USER = 4, 64
DEVICES = 20
STREAMS = times(160, full=2000)


async def flood(live: Live, devices: list[TestDevice]) -> list[Listener]:
    """STREAMS attempts, many at once, by all devices in turn; none hangs up."""
    gate = asyncio.Semaphore(50)

    async def attempt(number: int) -> Listener:
        async with gate:
            return await live.listen(devices[number % len(devices)])

    return await asyncio.gather(*(attempt(number) for number in range(STREAMS)))


def admitted(listeners: list[Listener]) -> Counter[str | None]:
    """How many streams each token got."""
    return Counter(each.token for each in listeners if each.status == 200)


@pytest.mark.case(26, f"{STREAMS} streams by one user's {DEVICES} devices, and as many by one device")
async def test_a_flood_of_streams_gets_no_more_than_the_caps_and_others_do_not_notice(
    live: Live, saw: Callable[[str], None]
) -> None:
    greedy, single, other = await live.person(), await live.person(), await live.person()
    bystander = await (await live.listen(await other.device())).until_ready()
    assistant = await live.assistant(other)

    async def write_on() -> None:
        for _ in range(20):
            await assistant.save()

    many, one, _ = await asyncio.gather(
        flood(live, [await greedy.device(str(number)) for number in range(DEVICES)]),
        flood(live, [await single.device()]),
        write_on(),
    )
    assert (sum(admitted(many).values()), max(admitted(many).values())) == (PER_USER, PER_DEVICE)
    assert sum(admitted(one).values()) == PER_DEVICE
    refused = [each for each in (*many, *one) if each.status != 200]
    assert {each.status for each in refused} == {429}
    assert all(1 <= int(each.headers["retry-after"]) <= 60 for each in refused)
    await bystander.until_seq(20)
    assert bystander.seqs == list(range(1, 21))
    assert (await (await live.listen(await other.device("new"))).until_ready()).status == 200
    saw(f"{len(refused)} times 429")


@pytest.mark.control(26, "a hub without caps")
async def test_control_a_hub_without_caps_is_found_out(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live.starling.hub, "_caps", Caps(per_device=10_000, per_user=10_000, lifetime_s=600))
    person = await live.person()
    listeners = await flood(live, [await person.device()])
    assert sum(admitted(listeners).values()) > PER_DEVICE


SPOOFS = [
    {"x-forwarded-for": "203.0.113.7", "x-forwarded-proto": "https"},
    {"x-forwarded-for": "203.0.113.7, 127.0.0.1", "x-forwarded-proto": "wss"},
    {"x-forwarded-for": "127.0.0.1, 203.0.113.7", "x-forwarded-proto": "https"},
    {"x-forwarded-for": "203.0.113.7:80", "x-forwarded-proto": "https"},
    {"x-forwarded-for": "[2001:db8::7]:80", "x-forwarded-proto": "https"},
    {"X-FORWARDED-FOR": "203.0.113.7", "X-FORWARDED-PROTO": "https"},
    {"x-real-ip": "203.0.113.7", "x-forwarded-proto": "https", "x-forwarded-for": "::1"},
    {"forwarded": "for=203.0.113.7;proto=https", "x-forwarded-proto": "https", "x-forwarded-for": "203.0.113.7"},
]


@pytest.fixture
def taken_for(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """From which address, and by which scheme, the application believes each request to have come."""
    seen: list[tuple[str, str]] = []
    called = Cors.__call__

    async def notes(self: Cors, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == ScopeType.HTTP:
            seen.append((str((scope["client"] or ("", 0))[0]), scope["scheme"]))
        await called(self, scope, receive, send)

    monkeypatch.setattr(Cors, "__call__", notes)
    return seen


async def spoof(live: Live) -> None:
    for headers in SPOOFS:
        assert (await live.http.get("/healthz", headers=headers)).status_code == 200


@pytest.mark.case(26, f"{len(SPOOFS)} spoofed X-Forwarded-For, X-Forwarded-Proto and Forwarded headers")
async def test_a_header_does_not_change_where_a_request_comes_from(
    live: Live, taken_for: list[tuple[str, str]], saw: Callable[[str], None]
) -> None:
    await spoof(live)
    assert taken_for == [("127.0.0.1", "http")] * len(SPOOFS)
    saw(f"0 of {len(SPOOFS)} spoofs believed")


@pytest.mark.control(26, "a server that trusts its neighbours as proxies")
async def test_control_a_server_that_trusts_its_neighbours_believes_them(
    database_url: str, own_dir: Path, taken_for: list[tuple[str, str]]
) -> None:
    async with serving(database_url, own_dir, trusted_proxies=("127.0.0.1",)) as live:
        await spoof(live)
    assert ("127.0.0.1", "http") not in taken_for
