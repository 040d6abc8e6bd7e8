"""Independent readers of event streams, run by Node."""

import asyncio
import json
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.harness.waiting import eventually

HERE = Path(__file__).parent


@dataclass
class Browser:
    """An EventSource on a URL; what it heard."""

    process: Process
    heard: list[dict[str, Any]] = field(default_factory=list)

    async def listen(self) -> None:
        assert self.process.stdout is not None
        async for line in self.process.stdout:
            self.heard.append(json.loads(line))

    def all(self, name: str) -> list[dict[str, Any]]:
        return [event for event in self.heard if event["name"] == name]

    @property
    def items(self) -> list[dict[str, Any]]:
        return [json.loads(event["data"]) for event in self.all("item")]

    @property
    def seqs(self) -> list[int]:
        return [item["seq"] for item in self.items]

    async def until(self, condition: Callable[["Browser"], bool], within: float = 30) -> None:
        def held() -> bool:
            assert self.process.returncode is None
            return condition(self)

        await eventually(held, within, f"what was waited for after {self.heard[-3:]}")


OpenBrowser = Callable[[str], Awaitable[Browser]]


@pytest.fixture
async def browse() -> AsyncIterator[OpenBrowser]:
    """Opens an EventSource on a URL."""
    opened: list[tuple[Browser, asyncio.Task[None]]] = []

    async def browse(url: str) -> Browser:
        process = await asyncio.create_subprocess_exec(
            "node", "--no-warnings", str(HERE / "eventsource.mjs"), url, stdin=PIPE, stdout=PIPE, limit=2**24
        )
        browser = Browser(process)
        opened.append((browser, asyncio.create_task(browser.listen())))
        return browser

    yield browse
    for browser, task in opened:
        with suppress(ProcessLookupError):
            browser.process.kill()
        await browser.process.wait()
        await task


Parsed = tuple[list[dict[str, Any]], list[str]]


@pytest.fixture
def parse() -> Callable[[bytes, int], Awaitable[Parsed]]:
    """Reads a stream's bytes in pieces with eventsource-parser: the events, the errors."""

    async def parse(stream: bytes, size: int) -> Parsed:
        process = await asyncio.create_subprocess_exec(
            "node", str(HERE / "parse.mjs"), str(size), stdin=PIPE, stdout=PIPE
        )
        answer = json.loads((await process.communicate(stream))[0])
        return answer["events"], answer["errors"]

    return parse
