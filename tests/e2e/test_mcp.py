"""The official MCP client: it finds its way, a person lets it in, and it does the main job with every tool."""

import base64
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from mcp import Client
from mcp.shared.auth import OAuthToken
from mcp.types import TextResourceContents

from app.api.openapi import documents
from app.auth.clients import ASSISTANT_SCOPES
from app.model import Scope
from tests.harness.listener import Listener
from tests.harness.live import Live
from tests.harness.mcp import LEGACY, MODERN, Host
from tests.harness.people import TestDevice
from tests.harness.sharing import Sharing, ref, sharing
from tests.harness.trial import items_of

THINGS: list[dict[str, Any]] = [
    {"title": "Milk", "text": "2 l", "tags": ["shop"]},
    {"kind": "link", "title": "Recipe", "url": "https://example.com/soup"},
    {"kind": "task", "title": "Call Ada", "collection": "calls"},
]


@dataclass
class Day:
    """A person's devices, and an assistant that works for them."""

    live: Live
    client: Client
    own: list[TestDevice]
    devices: list[Listener]
    called: set[str] = field(default_factory=set)

    async def call(self, tool: str, **arguments: Any) -> Any:
        """The structured answer, which the client holds against the tool's schema."""
        result = await self.client.call_tool(tool, arguments)
        assert not result.is_error, result.content
        (text,) = result.content
        assert text.type == "text"
        assert json.loads(text.text) == result.structured_content
        self.called.add(tool)
        return result.structured_content

    async def saves(self) -> list[Any]:
        """Each thing is on every device at once, and the answer says so."""
        answers = [await self.call("saveItem", **thing) for thing in THINGS]
        saved = [answer["item"] for answer in answers]
        for device in self.devices:
            await device.until_seq(3)
            assert device.items == saved
            assert [item["kind"] for item in device.items] == ["note", "link", "task"]
        for answer in answers:
            assert {each["name"] for each in answer["delivery"]["live"]} == {"laptop", "phone", "browser"}
            assert answer["item"]["origin"]["via"] == "mcp"
        return saved

    async def reads(self, milk: Any, recipe: Any, task: Any) -> None:
        """What it finds is what there is, and who has it by now."""
        body = {"cursor": self.devices[0].cursor}
        assert (await self.live.http.post("/v1/ack", json=body, headers=self.own[0].headers)).status_code == 204
        delivery = (await self.call("getDelivery", item_id=milk["id"]))["delivery"]
        assert [each["name"] for each in delivery["acknowledged"]] == ["laptop"]
        assert {each["name"] for each in delivery["live"]} == {"phone", "browser"}
        assert await self.call("getItem", item_id=recipe["id"]) == recipe
        assert (await self.call("findItems", kind="task", limit=5))["items"] == [task]
        listed = (await self.call("listDevices"))["devices"]
        assert [(each["name"], each["online"]) for each in listed] == [(each.name, True) for each in self.own]
        newest = (await self.client.list_resources()).resources
        assert [resource.title for resource in newest] == ["Call Ada", "Recipe", "Milk"]
        (content,) = (await self.client.read_resource(newest[1].uri)).contents
        assert isinstance(content, TextResourceContents)
        assert json.loads(content.text) == recipe

    async def changes(self, milk: Any, task: Any) -> list[Any]:
        """So is what it changes and deletes."""
        done = await self.call("updateItem", item_id=task["id"], status="done")
        gone = await self.call("deleteItem", item_id=milk["id"])
        for device in self.devices:
            await device.until_seq(5)
            assert device.items[3:] == [done["item"], gone["item"]]
        return [done["item"], gone["item"]]

    async def hands_over(self) -> list[Any]:
        """So are files, which it gets back, notifications, and what a model writes."""
        shared = (await self.call("shareFiles", openaiFileIdRefs=[ref()]))["item"]
        (file,) = (await self.call("getFiles", item_id=shared["id"]))["openaiFileResponse"]
        assert base64.b64decode(file["content"]) == b"content"
        told = (await self.call("notifyDevices", title="The oven is hot"))["item"]
        begun = await self.call("streamAnswer", prompt="How do starlings flock?")
        for device in self.devices:
            await device.until_seq(8)
            assert device.items[-3:-1] == [shared, told]
            assert device.items[-1]["id"] == begun["id"]
        return self.devices[0].items[-3:]


@pytest.fixture
async def shared(database_url: str, own_dir: Path) -> AsyncIterator[Sharing]:
    async with sharing(database_url, own_dir) as made:
        yield made


@pytest.mark.parametrize(("mode", "version"), [("auto", MODERN), ("legacy", LEGACY)])
async def test_what_it_does_is_on_three_devices(shared: Sharing, database_url: str, mode: str, version: str) -> None:
    live = shared.live
    host = await Host.make(live)
    own = [await host.person.device(name) for name in ("laptop", "phone", "browser")]
    devices = [await live.listen(device) for device in own]
    for device in devices:
        await device.until_ready()
    async with host.client(mode) as client:
        assert client.protocol_version == version
        day = Day(live, client, own, devices)
        milk, recipe, task = await day.saves()
        await day.reads(milk, recipe, task)
        done, gone = await day.changes(milk, task)
        more = await day.hands_over()
        tools = {tool.name for tool in (await client.list_tools()).tools}
    truth = {each["id"]: each for each in (recipe, done, gone, *more)}
    assert await items_of(database_url, host.person.feed_id) == truth
    assert day.called == tools == operations(live.url)
    (consent,) = host.consents
    assert consent["resource"] == f"{live.url}/mcp"
    assert set(consent["scope"].split()) == ASSISTANT_SCOPES


def operations(url: str) -> set[str]:
    """What a custom GPT can call."""
    return {
        operation["operationId"] for path in documents.actions(url)["paths"].values() for operation in path.values()
    }


async def test_for_more_than_it_may_it_asks_the_person(live: Live) -> None:
    host = await Host.make(live)
    read = await host.person.token("reader", [Scope.ITEMS_READ])
    host.tokens = OAuthToken(access_token=read, token_type="Bearer", scope=Scope.ITEMS_READ)
    async with host.client() as client:
        await client.call_tool("findItems", {})
        assert not host.consents
        saved = await client.call_tool("saveItem", {"title": "Milk"})
    assert not saved.is_error
    (consent,) = host.consents
    assert set(consent["scope"].split()) == {Scope.ITEMS_READ, Scope.ITEMS_WRITE}
    assert set((host.tokens.scope or "").split()) == {Scope.ITEMS_READ, Scope.ITEMS_WRITE}
