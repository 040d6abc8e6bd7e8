"""The database away during requests: 503 with Retry-After, nothing changed, and all is well when it is back."""

import asyncio
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from app.model import Scope
from tests.harness.live import Live
from tests.harness.outage import Outage, outage_before, serving_through
from tests.harness.people import Assistant
from tests.harness.problems import problem
from tests.harness.waiting import eventually

WRITES: list[tuple[str, str, Any]] = [
    ("POST", "/actions/items", {"title": "new"}),
    ("POST", "/actions/items", {"title": "new", "request_id": "r"}),
    ("PATCH", "/actions/items/{item}", {"title": "changed"}),
    ("DELETE", "/actions/items/{item}", None),
    (
        "POST",
        "/v1/changes",
        {"epoch": "x", "changes": [{"change_id": str(uuid4()), "id": str(uuid4()), "put": {"title": "new"}}]},
    ),
    ("PATCH", "/v1/devices/{device}", {"name": "changed"}),
    ("DELETE", "/v1/devices/{device}", None),
]
READ = ["/actions/items", "/actions/items/{item}", "/actions/items/{item}/delivery", "/actions/devices"]
READ += ["/v1/items", "/v1/items/{item}", "/v1/changes", "/v1/devices", "/v1/me"]
READS: list[tuple[str, str, Any]] = [("GET", path, None) for path in READ]


async def state(assistant: Assistant) -> Any:
    pages = [await assistant.call("GET", path) for path in ("/v1/changes", "/v1/devices")]
    assert [page.status_code for page in pages] == [200, 200]
    return [page.json() for page in pages]


async def recovered(live: Live) -> None:
    async def ready() -> bool:
        return (await live.http.get("/readyz")).status_code == 200

    await eventually(ready, 30)


async def prepared(live: Live) -> tuple[Assistant, dict[str, str]]:
    person = await live.person()
    device = await person.device()
    assistant = await live.assistant(person, scopes=Scope)
    item = (await assistant.save(title="there"))["item"]
    return assistant, {"item": item["id"], "device": str(device.id)}


@pytest.mark.case(2, f"every operation ({len(WRITES) + len(READS)}) while the database is away")
async def test_without_the_database_every_request_is_asked_to_come_again(database_url: str, own_dir: Path) -> None:
    async with outage_before(database_url) as outage, serving_through(outage, own_dir) as live:
        assistant, ids = await prepared(live)
        before = await state(assistant)
        await outage.begin()
        for method, path, body in [*WRITES, *READS]:
            response = await assistant.call(method, path.format(**ids), body)
            assert problem(response, 503)["retryable"] is True
            assert int(response.headers["retry-after"]) >= 1
        await outage.end()
        await recovered(live)
        assert await state(assistant) == before


@pytest.mark.control(2, "a server that takes an outage for a bug")
async def test_control_a_server_that_takes_an_outage_for_a_bug_fails_this(
    database_url: str, own_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with outage_before(database_url) as outage, serving_through(outage, own_dir) as live:
        assistant, _ = await prepared(live)
        monkeypatch.setattr("app.store.database.is_passing", lambda _: False)
        await outage.begin()
        response = await assistant.call("GET", "/v1/items")
        with pytest.raises(AssertionError):
            problem(response, 503)


@pytest.mark.parametrize("parallel", [1, 40])
async def test_a_write_that_the_outage_hits_can_be_repeated_to_one_effect(
    database_url: str, own_dir: Path, parallel: int
) -> None:
    async with outage_before(database_url) as outage, serving_through(outage, own_dir) as live:
        assistant, _ = await prepared(live)
        bodies = [{"title": str(n), "request_id": str(n)} for n in range(parallel)]

        async def tried(body: dict[str, str]) -> int:
            return (await assistant.call("POST", "/actions/items", body)).status_code

        writing = asyncio.gather(*(tried(body) for body in bodies))
        await _hit(outage)
        assert set(await writing) <= {200, 201, 503}
        await outage.end()
        await recovered(live)
        answers = [await assistant.save(**body) for body in bodies]
        assert len({answer["item"]["id"] for answer in answers}) == parallel
        found = (await assistant.call("GET", "/v1/items")).json()
        assert found["total"] == parallel + 1


async def _hit(outage: Outage) -> None:
    await asyncio.sleep(0)
    await outage.begin()
