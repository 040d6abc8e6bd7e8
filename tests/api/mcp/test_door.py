"""Who may ask at `/mcp`, and how one is told what is missing."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from prometheus_client import REGISTRY

from app.auth.clients import ASSISTANT_SCOPES
from app.errors import Unavailable
from app.model import Scope
from tests.harness.live import Live
from tests.harness.mcp import ERAS, Wire
from tests.harness.oauth import CALLBACK, OAuthClient, query_of
from tests.harness.people import Person
from tests.harness.problems import problem
from tests.harness.waiting import eventually

REFUSALS = "starling_tool_refusals_total"
METHODS = ("initialize", "server/discover", "ping", "tools/list", "tools/call", "resources/list")


def metadata(live: Live) -> str:
    return f'resource_metadata="{live.url}/.well-known/oauth-protected-resource/mcp"'


async def test_nobody_is_a_guest(live: Live) -> None:
    scope = f'scope="{" ".join(sorted(ASSISTANT_SCOPES))}"'
    for era in ERAS:
        for method in METHODS:
            wire = Wire(live.http, "", era, {"authorization": ""})
            answer = await wire.ask(method)
            problem(answer, 401, "unauthorized")
            assert answer.headers["www-authenticate"] == f"Bearer {scope}, {metadata(live)}"
        answer = await Wire(live.http, "stl_unknown", era).ask("tools/list")
        problem(answer, 401, "unauthorized")
        assert answer.headers["www-authenticate"] == f'Bearer error="invalid_token", {scope}, {metadata(live)}'
    told = await live.http.get(f"{live.url}/.well-known/oauth-protected-resource/mcp")
    assert told.json()["resource"] == f"{live.url}/mcp"


async def test_tokens_are_for_this_server_alone(live: Live, person: Person) -> None:
    gpt = await OAuthClient.make(live)
    for resource in (live.url, f"{live.url}/mcp", None):
        asked = {} if resource is None else {"resource": resource}
        given = (await gpt.redeem(await gpt.code(person, **asked), **asked)).json()
        assert (await Wire(live.http, given["access_token"]).ask("tools/list")).status_code == 200
    elsewhere = await gpt.answer(person, resource="https://elsewhere.example/mcp")
    assert elsewhere.location.startswith(CALLBACK)
    assert query_of(elsewhere.location)["error"] == "invalid_target"


async def test_a_revoked_token_is_worth_nothing(live: Live, person: Person) -> None:
    gpt = await OAuthClient.make(live)
    given = await gpt.grant(person)
    wire = Wire(live.http, given["access_token"])
    await wire.done("saveItem", title="before")
    assert (await gpt.post("/oauth/revoke", token=given["access_token"])).status_code == 200

    async def is_out() -> bool:
        return (await wire.ask("tools/call", name="saveItem", arguments={"title": "after"})).status_code == 401

    await eventually(is_out, 9, "the end of what is remembered of it")
    problem(await wire.ask("tools/list"), 401, "unauthorized")


async def test_more_scope_is_asked_for_by_its_name(live: Live, person: Person) -> None:
    item = await Wire(live.http, await person.token()).done("saveItem", title="there")
    for era in ERAS:
        reader = Wire(live.http, await person.token("reader", [Scope.ITEMS_READ]), era)
        writer = Wire(live.http, await person.token("writer", [Scope.ITEMS_WRITE]), era)
        item_id = item["item"]["id"]
        refusals = [
            (await reader.ask("tools/call", name="saveItem", arguments={"title": "x"}), "items:write"),
            (await reader.ask("tools/call", name="deleteItem", arguments={"item_id": item_id}), "items:write"),
            (await writer.ask("tools/call", name="findItems", arguments={}), "items:read"),
            (await writer.ask("resources/list"), "items:read"),
            (await writer.ask("resources/read", uri=f"starling://items/{item_id}"), "items:read"),
        ]
        for answer, scope in refusals:
            assert problem(answer, 403, "insufficient_scope")["scope"] == scope
            told = f'Bearer error="insufficient_scope", scope="{scope}", {metadata(live)}'
            assert answer.headers["www-authenticate"] == told
        assert (await writer.ask("tools/list")).status_code == 200
        assert (await reader.done("findItems"))["total"] == 1


HOSTS: list[tuple[dict[str, str], int, str]] = [
    ({}, 200, ""),
    ({"host": "localhost"}, 200, ""),
    ({"host": "[::1]:5"}, 200, ""),
    ({"host": "evil.example"}, 421, "misdirected"),
    ({"host": "127.0.0.1.evil.example:80"}, 421, "misdirected"),
    ({"host": "[::1"}, 421, "misdirected"),
    ({"host": "10.0.0.1"}, 421, "misdirected"),
    ({"origin": "https://assistant.example"}, 200, ""),
    ({"origin": "http://localhost:6274"}, 200, ""),
    ({"origin": "http://127.0.0.1:6274"}, 200, ""),
    ({"origin": "http://evil.example"}, 403, "foreign_origin"),
    ({"origin": "http://localhost.evil.example"}, 403, "foreign_origin"),
    ({"origin": "http://["}, 403, "foreign_origin"),
    ({"origin": "null"}, 403, "foreign_origin"),
]


async def test_other_hosts_and_pages_that_cannot_be_trusted_are_refused(live: Live, person: Person) -> None:
    for era in ERAS:
        wire = Wire(live.http, await person.token(), era)
        for headers, status, code in HOSTS:
            wire.headers = headers
            answer = await wire.ask("tools/list")
            assert answer.status_code == status, headers
            if code:
                problem(answer, status, code)
    stranger = Wire(live.http, "", headers={"host": "evil.example", "authorization": ""})
    problem(await stranger.ask("tools/list"), 421, "misdirected")


async def test_a_page_may_send_what_the_protocol_needs(live: Live) -> None:
    asked = {"origin": "https://assistant.example", "access-control-request-method": "POST"}
    answer = await live.http.request("OPTIONS", "/mcp", headers=asked)
    assert answer.status_code == 204
    allowed = set(answer.headers["access-control-allow-headers"].split(", "))
    assert allowed >= {"authorization", "content-type", "mcp-protocol-version", "mcp-method", "mcp-name"}
    assert answer.headers["access-control-allow-origin"] == "*"


async def test_there_is_no_stream_and_no_session(live: Live, wires: list[Wire]) -> None:
    for method in ("GET", "DELETE", "PUT"):
        answer = await live.http.request(method, "/mcp", headers={"accept": "text/event-stream"})
        problem(answer, 405, "method_not_allowed")
        assert "POST" in answer.headers["allow"]
    for wire in wires:
        taken = await wire.post({"jsonrpc": "2.0", "method": "notifications/initialized"})
        assert (taken.status_code, taken.content) == (202, b"")
        for answer in (taken, await wire.ask("tools/list")):
            assert "mcp-session-id" not in answer.headers
        assert (await wire.post({}, accept="text/html")).status_code == 406
        assert (await wire.post({}, **{"content-type": "text/plain"})).status_code == 400


async def test_a_device_acts_as_itself(live: Live, person: Person) -> None:
    device = await person.device()
    for era in ERAS:
        saved = await Wire(live.http, device.token, era).done("saveItem", title="mine")
        origin = saved["item"]["origin"]
        assert (origin["via"], origin["client"], origin["device_id"]) == ("mcp", "starling", str(device.id))


async def saved_in(wire: Wire, session: Any) -> dict[str, Any]:
    """The answer to a save in what ChatGPT names as the conversation."""
    meta = {"openai/session": session}
    answer = await wire.ask("tools/call", name="saveItem", arguments={"title": "Milk"}, _meta=meta)
    result: dict[str, Any] = answer.json()["result"]["structuredContent"]
    return result


async def test_the_conversation_that_chatgpt_names_is_kept(wires: list[Wire]) -> None:
    for wire in wires:
        one, other = await saved_in(wire, "one"), await saved_in(wire, "other")
        assert [each["item"]["origin"]["conversation_id"] for each in (one, other)] == ["one", "other"]
        assert not other["duplicate"]
        assert (await saved_in(wire, "one"))["item"] == one["item"]
        for unusable in ("", "x" * 201, 5, None):
            assert (await saved_in(wire, unusable))["item"]["origin"]["conversation_id"] is None


def failing(error: Exception) -> Callable[..., Awaitable[None]]:
    async def fail(*_: Any, **__: Any) -> None:
        raise error

    return fail


async def test_a_fault_of_the_server_is_said_without_its_words(
    live: Live, wires: list[Wire], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(live.starling.services.items, "save", failing(RuntimeError("a secret of the server")))
    for wire in wires:
        answer = await wire.ask("tools/call", name="saveItem", arguments={"title": "x"})
        problem(answer, 500, "internal")
        assert "a secret" not in answer.text
        assert "request.failed" in capsys.readouterr().out


async def test_an_outage_is_something_that_a_model_can_wait_for(
    live: Live, wires: list[Wire], monkeypatch: pytest.MonkeyPatch
) -> None:
    labels = {"tool": "saveItem", "code": "unavailable"}
    before = REGISTRY.get_sample_value(REFUSALS, labels)
    assert before is not None
    monkeypatch.setattr(live.starling.services.items, "save", failing(Unavailable()))
    for wire in wires:
        told = await wire.refused("saveItem", title="x")
        assert (told["status"], told["code"], told["retryable"]) == (503, "unavailable", True)
    assert REGISTRY.get_sample_value(REFUSALS, labels) == before + len(wires)
    monkeypatch.setattr(live.starling.services.tokens, "authenticate", failing(Unavailable()))
    for wire in wires:
        answer = await wire.ask("tools/list")
        assert problem(answer, 503, "unavailable")["retryable"]
        assert answer.headers["retry-after"]
