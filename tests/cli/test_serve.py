"""`starling serve` as a person runs it: its data directory, its metrics, whom it believes."""

import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from app.cli.server import CannotListen, Server, listen
from app.main import Starling
from app.settings import Settings
from tests.harness.process import ServerProcess, free_port

ACCOUNT = ["user", "add", "ada@example.com"]
DEVICE = ["device", "add", "ada@example.com", "laptop"]


def sockets_of_this_machine() -> str:
    return Path("/proc/net/tcp").read_text()


@pytest.fixture
async def server(data_dir: Path) -> AsyncIterator[ServerProcess]:
    """Not started; with the embedded database."""
    made = ServerProcess(data_dir)
    yield made
    await made.stop()


async def test_commands_work_on_the_embedded_database_with_and_without_a_server(server: ServerProcess) -> None:
    assert server.command(*ACCOUNT) == "Added ada@example.com."
    before = server.command(*DEVICE)
    assert not (server.data_dir / "postgres" / "postmaster.pid").exists()

    await server.start()
    postmaster = server.postmaster
    during = server.command(*DEVICE)
    assert server.command("feed", "new-epoch") == "1 feeds have a new epoch."
    assert server.command("prune") == "0 expired, 0 pruned, 0 forgotten"
    assert server.postmaster == postmaster

    async with httpx2.AsyncClient(base_url=server.url) as http:
        for token in (before, during):
            headers = {"authorization": f"Bearer {token}"}
            saved = await http.post("/actions/items", json={"title": token[:9]}, headers=headers)
            assert saved.status_code == 201
    assert await server.stop() == 0
    assert not (server.data_dir / "postgres" / "postmaster.pid").exists()
    assert server.command(*DEVICE).startswith("stl_")


async def test_metrics_are_served_as_text_on_their_own_loopback_port_alone(
    server: ServerProcess, database_url: str
) -> None:
    port = free_port()
    server.environment |= {
        "STARLING_METRICS_PORT": str(port),
        "STARLING_DATABASE_URL": database_url,
        "STARLING_UNSAFE_DURABILITY": "true",
    }
    await server.start()
    server.command(*ACCOUNT)
    headers = {"authorization": f"Bearer {server.command(*DEVICE)}"}
    async with httpx2.AsyncClient() as http:
        saved = await http.post(f"{server.url}/actions/items", json={"title": "x"}, headers=headers)
        assert saved.status_code == 201
        metrics = await http.get(f"http://127.0.0.1:{port}/metrics")
        assert metrics.status_code == 200
        assert metrics.headers["content-type"].startswith("text/plain")
        assert re.search(r"^starling_changes_total 1\.0$", metrics.text, re.MULTILINE)
        assert re.search(r"^# TYPE starling_streams gauge$", metrics.text, re.MULTILINE)
        assert (await http.get(f"{server.url}/metrics")).status_code == 404
    listening = sockets_of_this_machine()
    assert f"0100007F:{port:04X}" in listening
    assert f"00000000:{port:04X}" not in listening


@pytest.mark.parametrize(
    ("trusted", "sender", "seen"),
    [
        ("", "127.0.0.1", ["127.0.0.1", "http"]),
        ("127.0.0.1", "127.0.0.1", ["203.0.113.9", "https"]),
        ("10.0.0.0/8, 127.0.0.1", "10.1.2.3", ["203.0.113.9", "https"]),
        ("10.0.0.0/8", "127.0.0.1", ["127.0.0.1", "http"]),
    ],
)
async def test_only_named_proxies_are_believed(
    database_url: str, own_dir: Path, trusted: str, sender: str, seen: list[str]
) -> None:
    read = Settings(data_dir=own_dir, trusted_proxies=trusted)
    config = Server(Starling(read, database_url, "http://x")).config

    async def shows_client(scope: dict[str, Any], receive: object, send: object) -> None:
        shown.append([scope["client"][0], scope["scheme"]])

    shown: list[list[object]] = []
    config.app = shows_client
    config.load()
    headers = [(b"x-forwarded-for", b"203.0.113.9"), (b"x-forwarded-proto", b"https")]
    scope = {"type": "http", "client": (sender, 5), "scheme": "http", "headers": headers}
    await config.loaded_app(scope, None, None)
    assert json.loads(json.dumps(shown)) == [seen]


def test_a_socket_that_cannot_be_had_says_which() -> None:
    with listen("127.0.0.1", 0) as busy:
        port = busy.getsockname()[1]
        with pytest.raises(CannotListen, match=f"127.0.0.1, port {port}"):
            listen("127.0.0.1", port)
