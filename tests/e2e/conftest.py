"""A custom GPT on a server that the internet reaches."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest

from app.doors.manifest import Manifest, callbacks
from app.store.grants import Grants
from tests.harness.browser import Browser
from tests.harness.chatgpt import Chat, Edge, Gpt
from tests.harness.live import Live, serving
from tests.harness.oauth import SECRET, OAuthClient
from tests.harness.people import Person
from tests.harness.sharing import HOST, ref
from tests.harness.sites import Site, answer, internet, site

URL = "https://sync.example.org"
MANIFEST = Path(__file__).parents[2] / "gpt-action-manifest.json"


@dataclass
class Published:
    """The server, the GPT made of its manifest, and the host of its conversations' files."""

    live: Live
    gpt: Gpt
    host: Site
    content: bytes = b"notes"
    """Of the file that conversations have."""

    async def person(self) -> tuple[Person, Browser]:
        """Somebody new, signed in to the pages."""
        transport = Edge(URL, self.live.url)
        browser = Browser(URL, httpx2.AsyncClient(base_url=URL, transport=transport, timeout=60))
        email = await browser.sign_up()
        database = self.live.starling.database
        return Person(database, await Grants(database).feed_of(email), email), browser

    async def chat(self, **oauth: Any) -> tuple[Person, Chat]:
        """Somebody new in a conversation with the GPT."""
        person, browser = await self.person()
        async with browser:
            return person, await self.sign_in(browser, **oauth)

    async def sign_in(self, browser: Browser, **oauth: Any) -> Chat:
        """A conversation of whoever is at the browser."""
        return await self.gpt.with_oauth(**oauth).sign_in(browser, self.attached)

    @asynccontextmanager
    async def attached(self) -> AsyncIterator[list[dict[str, Any]]]:
        """The conversation's file. Its link ends with the call: a server that comes later comes too late."""
        self.host.answer = answer(body=self.content)
        yield [ref("notes.txt", mime_type="text/plain")]
        self.host.answer = answer("403 Forbidden")


@pytest.fixture
async def published(database_url: str, own_dir: Path) -> AsyncIterator[Published]:
    """A running server whose manifest was entered in the GPT's editor."""
    manifest = Manifest.model_validate_json(MANIFEST.read_text()).at(URL)
    (action,) = manifest.gpt.actions
    async with (
        site(HOST) as host,
        serving(database_url, own_dir, internet({HOST: host}), public_url=URL) as live,
        httpx2.AsyncClient(transport=Edge(URL, live.url), timeout=60) as http,
    ):
        await OAuthClient.make(live, action.authentication.client_id, redirect_uris=tuple(callbacks("g-1")))
        gpt = await Gpt.create(http, action.schema_url, action.authentication, SECRET)
        yield Published(live, gpt, host)
