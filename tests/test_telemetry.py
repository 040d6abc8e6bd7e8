"""What people wrote and what they hold appears in no log line and in no error (canaries planted everywhere)."""

import asyncio
import io
import json
import logging
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx2
import pytest
import structlog

from app.model import Origin
from app.store.fold import Change
from app.telemetry import configure_logging
from tests.harness.live import Live
from tests.harness.process import ServerProcess

CANARY = "canary-9b1f4c"
FIELDS: list[dict[str, Any]] = [
    {"title": CANARY},
    {"title": CANARY * 100},
    {"title": f"{CANARY}\0"},
    {"url": CANARY},
    {"url": f"https://{CANARY}:x"},
    {"tags": [CANARY * 20]},
    {"status": CANARY},
    {"kind": CANARY},
    {"expires_at": CANARY},
    {"wait_for_delivery": CANARY},
    {"data": {CANARY: 2**70}},
    {"data": CANARY},
    {"request_id": CANARY, "text": CANARY},
]
BODIES = [json.dumps(body).encode() for body in FIELDS]
BODIES += [CANARY.encode(), f'{{"title":"{CANARY}'.encode(), f'{{"title":"{CANARY}\\ud800"}}'.encode()]
PATHS = [
    ("POST", "/actions/items"),
    ("PATCH", f"/actions/items/{uuid4()}"),
    ("POST", "/v1/changes"),
    ("POST", "/v1/ack"),
]


@pytest.fixture
def logged(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], str]]:
    """Everything is logged, as JSON; call it for the lines so far."""
    root, lines = logging.getLogger(), io.StringIO()
    handlers, level = root.handlers[:], root.level
    monkeypatch.setattr(sys, "stderr", lines)
    configure_logging("debug", "json")
    yield lines.getvalue
    structlog.reset_defaults()
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.mark.parametrize("form", ["json", "console"])
async def test_no_request_leaves_its_words_or_secrets_in_the_log(database_url: str, data_dir: Path, form: str) -> None:
    environment = {
        "STARLING_DATABASE_URL": database_url,
        "STARLING_UNSAFE_DURABILITY": "true",
        "STARLING_LOG_LEVEL": "debug",
        "STARLING_LOG_FORMAT": form,
    }
    server = await ServerProcess(data_dir, environment=environment).start()
    await asyncio.to_thread(server.command, "user", "add", "ada@example.com")
    token = await asyncio.to_thread(server.command, "device", "add", "ada@example.com", "laptop")
    secrets = [CANARY, token, *await _use_everything(server.url, token)]
    assert await server.stop() == 0
    log = _whole_log(server)
    assert "starling.listening" in log
    assert [secret for secret in secrets if secret in log] == []


def _whole_log(server: ServerProcess) -> str:
    return (server.data_dir / "server.log").read_text()


async def _use_everything(url: str, token: str) -> list[str]:
    """Plants the canary in every place of a request; the tickets it was given."""
    async with httpx2.AsyncClient(base_url=url) as http:
        headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
        for method, path in PATHS:
            for body in BODIES:
                answer = await http.request(method, path, content=body, headers=headers)
                assert answer.status_code < 500
                assert CANARY not in (answer.text if answer.status_code >= 400 else "")
        for query in (
            f"/v1/items?q={CANARY}",
            f"/v1/items?limit={CANARY}",
            f"/v1/{CANARY}",
            f"/v1/changes?cursor={CANARY}",
        ):
            await http.get(query, headers={**headers, "openai-conversation-id": CANARY})
        await http.get("/v1/me", headers={"authorization": f"Bearer {CANARY}"})
        await http.get("/v1/me", headers={"authorization": CANARY})
        ticket: str = (await http.post("/v1/stream/tickets", headers=headers)).json()["ticket"]
        async with http.stream("GET", f"/v1/stream?ticket={ticket}&cursor={CANARY}") as stream:
            assert stream.status_code == 200
        for wrong in (f"ticket={ticket}x", f"ticket={CANARY}"):
            assert (await http.get(f"/v1/stream?{wrong}")).status_code == 401
        both = await http.get(f"/v1/stream?ticket={ticket}", headers=headers)
        assert both.status_code == 400
        assert ticket not in both.text
    return [ticket]


async def test_what_nobody_foresaw_is_logged_by_type_and_place_alone(
    live: Live, logged: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError(f"cannot do {CANARY}") from KeyError(CANARY)

    person = await live.person()
    assistant = await live.assistant(person, CANARY)
    for part, name in ((live.starling.services.items, "find"), (live.starling.committer, "submit")):
        monkeypatch.setattr(part, name, broken)
    for answer in (
        await assistant.call("GET", f"/v1/items?q={CANARY}"),
        await assistant.call("POST", "/actions/items", {"title": CANARY}),
    ):
        assert answer.status_code == 500
        assert CANARY not in answer.text
    log = logged()
    assert CANARY not in log
    events = [json.loads(line) for line in log.splitlines() if "request.failed" in line]
    assert [event["path"] for event in events] == ["/v1/items", "/actions/items"]
    assert all(event["error"] == "RuntimeError from KeyError" for event in events)
    assert all(re.search(r"test_telemetry\.py:\d+ broken", str(event["at"])) for event in events)


async def test_a_value_that_the_database_refuses_is_in_no_log(live: Live, logged: Callable[[], str]) -> None:
    person = await live.person()
    for title in (f"{CANARY}\0", CANARY):
        change = Change(person.feed_id, uuid4(), "put", "create", Origin("action", CANARY), {"title": title})
        outcome = await asyncio.gather(live.starling.committer.submit(change), return_exceptions=True)
        assert CANARY not in str(outcome[0] if isinstance(outcome[0], Exception) else "")
    log = logged()
    assert "commit.refused_by_database" in log
    assert CANARY not in log


async def test_what_the_web_server_logs_of_malformed_requests_holds_nothing_of_them(
    live: Live, logged: Callable[[], str]
) -> None:
    for junk in (f"GET /{CANARY}\r\n\r\n", f"{CANARY}\r\n\r\n", f"GET / HTTP/1.1\r\n{CANARY}\r\n\r\n"):
        reader, writer = await asyncio.open_connection("127.0.0.1", int(live.url.rpartition(":")[2]))
        writer.write(junk.encode())
        async with asyncio.timeout(15):
            answer = await reader.read()
        writer.close()
        await writer.wait_closed()
        assert CANARY.encode() not in answer
    assert CANARY not in logged()


def test_control_a_log_of_an_exceptions_words_fails_this(logged: Callable[[], str]) -> None:
    structlog.get_logger().error("request.failed", why=str(RuntimeError(CANARY)))
    assert CANARY in logged()
