"""Both eras of the protocol, as their clients open."""

from importlib.metadata import version
from typing import Any

from app.api.mcp.server import ABOUT
from tests.harness.live import Live
from tests.harness.mcp import LEGACY, MODERN, Wire
from tests.harness.people import Person

CAPABILITIES = {"resources": {"listChanged": False, "subscribe": False}, "tools": {"listChanged": False}}


async def test_a_client_that_initializes_is_met(live: Live, person: Person) -> None:
    for asked, agreed in ((LEGACY, LEGACY), ("2025-06-18", "2025-06-18"), ("2025-03-26", "2025-03-26"), ("x", LEGACY)):
        wire = Wire(live.http, await person.token(), "")
        client = {"protocolVersion": asked, "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}
        told = (await wire.ask("initialize", **client)).json()["result"]
        assert told["protocolVersion"] == agreed
        assert told["capabilities"] == CAPABILITIES
        assert (told["serverInfo"]["name"], told["serverInfo"]["version"]) == ("starling", version("starling"))
        assert told["instructions"] == ABOUT
        wire.era = agreed
        assert (await wire.post({"jsonrpc": "2.0", "method": "notifications/initialized"})).status_code == 202
        assert (await wire.done("saveItem", title=asked))["item"]["title"] == asked


async def test_a_client_that_discovers_is_met(live: Live, person: Person) -> None:
    wire = Wire(live.http, await person.token(), MODERN)
    told = (await wire.ask("server/discover")).json()["result"]
    assert told["supportedVersions"] == [MODERN]
    assert told["capabilities"] == CAPABILITIES
    assert told["instructions"] == ABOUT
    assert (told["cacheScope"], told["ttlMs"]) == ("public", 3_600_000)
    listed = (await wire.ask("tools/list")).json()["result"]
    assert listed["cacheScope"] == "public"
    mine = (await wire.ask("resources/list")).json()["result"]
    assert mine["cacheScope"] == "private"


ODD: list[tuple[dict[str, Any], int]] = [
    ({"jsonrpc": "2.0", "id": 1, "method": "prompts/list"}, -32601),
    ({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {}}, -32602),
    ({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "none"}}, -32602),
    ({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"arguments": {}}}, -32602),
]


async def test_what_there_is_not_is_an_error_of_the_protocol(wires: list[Wire]) -> None:
    for wire in wires:
        for message, code in ODD:
            if wire.era == MODERN and message["method"] == "initialize":
                continue
            answer = await wire.ask(message["method"], **message.get("params", {}))
            assert answer.json()["error"]["code"] == code, message
        unknown = (await wire.ask("tools/call", name="none", arguments={})).json()["error"]
        assert "saveItem" in unknown["data"]["allowed"]


async def test_an_unknown_version_is_told_what_there_is(live: Live, person: Person) -> None:
    wire = Wire(live.http, await person.token(), MODERN)
    answer = await wire.post({"jsonrpc": "2.0", "method": "notifications/x"}, **{"mcp-protocol-version": "2031-01-01"})
    assert answer.status_code == 400
    assert answer.json()["error"]["data"] == {"supported": [MODERN], "requested": "2031-01-01"}
