"""What assistants are refused says what would help: `field`, `allowed`, `limit`, `next_step`."""

from typing import Any
from uuid import uuid4

import pytest

from tests.harness.live import Live
from tests.harness.people import Assistant
from tests.harness.problems import problem

KINDS = ["note", "link", "task", "notification", "file", "answer"]
FIELDS = ["title", "text", "url", "tags", "data", "status", "collection", "expires_at"]


@pytest.fixture
async def assistant(live: Live) -> Assistant:
    return await live.assistant(await live.person())


@pytest.mark.parametrize(
    ("query", "helps"),
    [
        ("kind=milk", {"field": "kind", "allowed": KINDS}),
        ("status=open", {"field": "status", "allowed": ["unread", "read", "done", "archived"]}),
        ("limit=0", {"field": "limit", "limit": 1}),
        ("limit=101", {"field": "limit", "limit": 100}),
        ("limit=many", {"field": "limit"}),
        ("page=0", {"field": "page", "limit": 1}),
        ("q=" + "x" * 1001, {"field": "q", "limit": 1000}),
        ("query=milk", {"field": "query", "allowed": ["collection", "kind", "limit", "page", "q", "status"]}),
        ("x" * 5000 + "=1", {"field": "x" * 100}),
    ],
    ids=lambda value: value[:20] if isinstance(value, str) else "",
)
async def test_a_wrong_parameter_is_named(assistant: Assistant, query: str, helps: dict[str, Any]) -> None:
    found = problem(await assistant.call("GET", f"/actions/items?{query}"), 422, "invalid")
    assert found | helps == found
    assert len(str(found)) < 1000


async def test_a_parameter_that_an_operation_does_not_have_is_refused_to_those_who_may_ask(live: Live) -> None:
    assistant = await live.assistant(await live.person())
    item = (await assistant.save(title="x"))["item"]
    for path, allowed in (
        ("/actions/devices", ["limit", "page"]),
        (f"/actions/items/{item['id']}", ["text_offset"]),
        (f"/actions/items/{item['id']}/delivery", []),
    ):
        assert problem(await assistant.call("GET", f"{path}?q=x"), 422)["allowed"] == allowed
        problem(await live.http.get(f"{path}?q=x"), 401)
    assert (await live.http.get(f"/v1/items/{item['id']}?q=x", headers=assistant.headers)).json() == item


async def test_an_unknown_field_is_answered_with_the_known_ones(assistant: Assistant) -> None:
    for name in ("titel", "x" * 60_000):
        found = problem(await assistant.call("POST", "/actions/items", {name: "Milk"}), 422, "invalid")
        assert found["allowed"] == sorted([*FIELDS, "kind", "request_id", "wait_for_delivery"])
        assert len(str(found)) < 1000


async def test_other_refusals_say_what_to_do(live: Live, assistant: Assistant) -> None:
    nowhere = f"/actions/items/{uuid4()}"
    found = [
        problem(await assistant.call(method, nowhere, body), 404, "not_found")
        for method, body in (("GET", None), ("PATCH", {"title": "x"}), ("DELETE", None))
    ]
    found.append(problem(await assistant.call("GET", "/actions/items/the-milk"), 404, "not_found"))
    await assistant.save(title="x", request_id="1")
    reused = await assistant.call("POST", "/actions/items", {"title": "y", "request_id": "1"})
    found.append(problem(reused, 409, "request_id_reused"))
    assert found[-1]["field"] == "request_id"
    found.append(problem(await live.http.get("/actions/items"), 401, "unauthorized"))
    reading = await live.assistant(await live.person(), scopes=["items:read"])
    found.append(problem(await reading.call("POST", "/actions/items", {"title": "x"}), 403, "insufficient_scope"))
    assert found[-1]["scope"] == "items:write"
    broken = await live.http.post("/actions/items", content=b"{", headers=assistant.headers)
    found.append(problem(broken, 400, "bad_request"))
    assert all(each["next_step"].endswith(".") for each in found)
