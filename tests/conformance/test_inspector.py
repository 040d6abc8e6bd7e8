"""The official MCP inspector by its command line, built on the SDK for TypeScript, with a token of a real sign-in."""

import asyncio
import json
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.harness.mcp import Host
from tests.harness.sharing import Sharing, ref, sharing

INSPECTOR = Path(__file__).parent / "inspector.mjs"


async def inspect(host: Host, method: str, *words: str) -> Any:
    """What the inspector prints."""
    assert host.tokens is not None
    header = f"Authorization: Bearer {host.tokens.access_token}"
    given = [f"{host.live.url}/mcp", "--transport", "http", "--method", method, *words, "--header", header]
    process = await asyncio.create_subprocess_exec("node", str(INSPECTOR), *given, stdout=PIPE, stderr=PIPE)
    async with asyncio.timeout(60):
        out, told = await process.communicate()
    assert process.returncode == 0, told.decode()
    return json.loads(out)


async def call(host: Host, tool: str, **arguments: str) -> Any:
    """A tool's structured answer."""
    pairs = [f"{name}={value}" for name, value in arguments.items()]
    words = ["--tool-name", tool, *(["--tool-arg", *pairs] if pairs else [])]
    result = await inspect(host, "tools/call", *words)
    assert not result.get("isError"), result
    return result["structuredContent"]


@pytest.fixture
async def shared(database_url: str, own_dir: Path) -> AsyncIterator[Sharing]:
    async with sharing(database_url, own_dir) as made:
        yield made


async def test_it_lists_and_calls_every_tool(shared: Sharing) -> None:
    host = await Host.make(shared.live)
    async with host.client():
        assert host.consents
    item = (await call(host, "saveItem", title="Milk", kind="task"))["item"]
    item_id = item["id"]
    listed, resources, got, found, delivery, devices = await asyncio.gather(
        inspect(host, "tools/list"),
        inspect(host, "resources/list"),
        call(host, "getItem", item_id=item_id),
        call(host, "findItems", q="Milk"),
        call(host, "getDelivery", item_id=item_id),
        call(host, "listDevices"),
    )
    assert [each["title"] for each in resources["resources"]] == ["Milk"]
    assert got == found["items"][0] == delivery["item"] == item
    assert devices["devices"] == []
    assert (await call(host, "updateItem", item_id=item_id, status="done"))["item"]["status"] == "done"
    assert (await call(host, "deleteItem", item_id=item_id))["item"]["deleted"]
    with_file = (await call(host, "shareFiles", openaiFileIdRefs=json.dumps([ref()])))["item"]
    (file,) = (await call(host, "getFiles", item_id=with_file["id"]))["openaiFileResponse"]
    assert file["name"] == "a.pdf"
    assert (await call(host, "streamAnswer", prompt="How do starlings flock?"))["id"]
    assert (await call(host, "notifyDevices", title="The oven is hot"))["item"]["kind"] == "notification"
    called = {"saveItem", "getItem", "findItems", "getDelivery", "listDevices", "updateItem", "deleteItem"}
    called |= {"shareFiles", "getFiles", "streamAnswer", "notifyDevices"}
    assert {tool["name"] for tool in listed["tools"]} == called
