"""Actions as tools: what is told of them, and what they answer."""

from typing import Any
from uuid import uuid4

from jsonschema import Draft202012Validator

from app.actions.bodies import SaveItem
from app.api.openapi import documents
from app.api.openapi.schemas import cleaned
from tests.harness.live import Live
from tests.harness.mcp import Wire

HINTS = {
    "saveItem": {"readOnlyHint": False, "destructiveHint": False, "idempotentHint": False},
    "updateItem": {"readOnlyHint": False, "destructiveHint": True, "idempotentHint": True},
    "deleteItem": {"readOnlyHint": False, "destructiveHint": True, "idempotentHint": True},
    "findItems": {"readOnlyHint": True, "destructiveHint": False, "idempotentHint": True},
    "getItem": {"readOnlyHint": True, "destructiveHint": False, "idempotentHint": True},
    "getDelivery": {"readOnlyHint": True, "destructiveHint": False, "idempotentHint": True},
    "listDevices": {"readOnlyHint": True, "destructiveHint": False, "idempotentHint": True},
}


async def listed(wire: Wire) -> dict[str, dict[str, Any]]:
    return {tool["name"]: tool for tool in (await wire.ask("tools/list")).json()["result"]["tools"]}


async def test_every_operation_is_a_tool_that_says_the_same(live: Live, wires: list[Wire]) -> None:
    for wire in wires:
        tools = await listed(wire)
        operations = {
            operation["operationId"]: (method, operation)
            for path in documents.actions(live.url)["paths"].values()
            for method, operation in path.items()
        }
        assert tools.keys() == operations.keys()
        for name, (method, operation) in operations.items():
            tool = tools[name]
            assert tool["title"] == operation["summary"]
            assert tool["description"] == " ".join(operation["description"].split())
            assert tool["annotations"]["readOnlyHint"] == (method == "get")
            assert tool["annotations"]["destructiveHint"] == operation.get("x-openai-isConsequential", False)
            for schema in (tool["inputSchema"], tool["outputSchema"]):
                Draft202012Validator.check_schema(schema)
                assert schema["type"] == "object"
            taken = tool["inputSchema"]["properties"]
            assert all(each["description"] for each in taken.values())
            for parameter in operation.get("parameters", ()):
                assert taken[parameter["name"]]["description"] == parameter["description"]
                assert (parameter["name"] in tool["inputSchema"].get("required", ())) == parameter["required"]
            assert tool["inputSchema"]["additionalProperties"] is False


async def test_hosts_are_told_which_tools_ask_first(wires: list[Wire]) -> None:
    for wire in wires:
        tools = await listed(wire)
        for name, hints in HINTS.items():
            assert tools[name]["annotations"] == {**hints, "openWorldHint": False}


async def test_a_body_is_described_as_it_is_validated(wires: list[Wire]) -> None:
    for wire in wires:
        tools = await listed(wire)
        expected = cleaned(SaveItem.model_json_schema())
        assert tools["saveItem"]["inputSchema"]["properties"] == expected["properties"]
        update = tools["updateItem"]["inputSchema"]
        assert update["required"] == ["item_id"]
        assert update["properties"].keys() == {*expected["properties"], "item_id"} - {"kind"}


WRONG: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("saveItem", {"kind": "recipe"}, {"field": "kind", "allowed": ["note", "link", "task"]}),
    ("saveItem", {"title": "x" * 501}, {"field": "title", "limit": 500}),
    ("saveItem", {"title": "a\0b"}, {"field": "title"}),
    ("saveItem", {"url": "javascript:alert(1)"}, {"field": "url", "allowed": ["http", "https"]}),
    ("saveItem", {"titel": "Milk"}, {"field": "titel"}),
    ("saveItem", {"wait_for_delivery": 6}, {"field": "wait_for_delivery", "limit": 5}),
    ("findItems", {"limit": 101}, {"field": "limit", "limit": 100}),
    ("findItems", {"page": 0}, {"field": "page", "limit": 1}),
    ("findItems", {"status": "gone"}, {"field": "status", "allowed": ["unread", "read", "done", "archived"]}),
    ("findItems", {"q": "a\0b"}, {"field": "q"}),
    ("findItems", {"query": "Milk"}, {"field": "query"}),
    ("getItem", {}, {"field": "item_id"}),
    ("getItem", {"item_id": "milk"}, {"field": "item_id"}),
    ("updateItem", {"title": "x"}, {"field": "item_id"}),
    ("updateItem", {"item_id": str(uuid4()), "kind": "task"}, {"field": "kind"}),
]


async def test_a_mistake_is_answered_with_what_would_help(wires: list[Wire]) -> None:
    for wire in wires:
        for tool, arguments, helps in WRONG:
            told = await wire.refused(tool, **arguments)
            assert (told["status"], told["code"]) == (422, "invalid"), told
            assert {name: told.get(name) for name in helps} == helps


async def test_what_is_not_there_or_was_named_before_is_said(wires: list[Wire]) -> None:
    for wire in wires:
        for tool in ("getItem", "getDelivery", "deleteItem", "updateItem"):
            assert (await wire.refused(tool, item_id=str(uuid4())))["code"] == "not_found"
        first = await wire.done("saveItem", title="Milk", request_id="one")
        again = await wire.done("saveItem", title="Milk", request_id="one")
        assert (again["item"], again["duplicate"]) == (first["item"], True)
        assert (await wire.refused("saveItem", title="Bread", request_id="one"))["code"] == "request_id_reused"


async def test_an_absent_argument_stays_and_null_clears(wires: list[Wire]) -> None:
    for wire in wires:
        item = (await wire.done("saveItem", title="Milk", text="2 l", tags=["shop"]))["item"]
        item_id = item["id"]
        changed = (await wire.done("updateItem", item_id=item_id, text=None))["item"]
        assert (changed["title"], changed["text"], changed["tags"]) == ("Milk", None, ["shop"])
        assert (await wire.done("findItems", q="Milk", kind=None))["total"] == 1
        assert (await wire.done("deleteItem", item_id=item_id, wait_for_delivery=0.1))["item"]["deleted"]
        assert (await wire.done("deleteItem", item_id=item_id))["duplicate"]


async def test_nothing_of_another_user_is_seen_or_touched(live: Live, wires: list[Wire]) -> None:
    owner = await live.person()
    await owner.device("the owner's")
    for other in wires:
        mine = Wire(live.http, await owner.token(), other.era)
        item = (await mine.done("saveItem", title="the words of somebody else"))["item"]
        for tool in ("getItem", "getDelivery", "updateItem", "deleteItem"):
            more = {"title": "mine now"} if tool == "updateItem" else {}
            told = await other.refused(tool, item_id=item["id"], **more)
            assert told == await other.refused(tool, item_id=str(uuid4()), **more)
            assert told["code"] == "not_found"
        assert (await other.done("findItems", q="words"))["total"] == 0
        assert (await other.done("listDevices"))["devices"] == []
        assert (await other.ask("resources/list")).json()["result"]["resources"] == []
        answer = await other.ask("resources/read", uri=f"starling://items/{item['id']}")
        assert "words" not in answer.text
        assert answer.json()["error"]["code"] == -32602
        assert await mine.done("getItem", item_id=item["id"]) == item
