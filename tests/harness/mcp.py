"""MCP over HTTP: the official client with a person who lets it in, and messages as they go over the wire."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import httpx2
from mcp import Client
from mcp.client.auth import AuthorizationCodeResult, OAuthClientProvider
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import OAuthClientInformationFull, OAuthClientMetadata, OAuthToken

from tests.harness.browser import Browser
from tests.harness.live import Live
from tests.harness.oauth import query_of
from tests.harness.people import Person

CALLBACK = "https://assistant.example/callback"
LEGACY, MODERN = "2025-11-25", "2026-07-28"
ERAS = (LEGACY, MODERN)
BOTH = "application/json, text/event-stream"


@dataclass
class Host:
    """An assistant's host: signs in as a client does that knows the endpoint's address and nothing else."""

    live: Live
    browser: Browser
    person: Person
    tokens: OAuthToken | None = None
    registered: OAuthClientInformationFull | None = None
    consents: list[dict[str, str]] = field(default_factory=list)
    """What the person was asked to allow, each time."""

    @classmethod
    async def make(cls, live: Live) -> "Host":
        """One of a person who has just made an account."""
        browser = Browser.open(live.url)
        email = await browser.sign_up()
        database = live.starling.database
        return cls(live, browser, Person(database, await live.starling.grants.feed_of(email), email))

    async def get_tokens(self) -> OAuthToken | None:
        """As the official client asks for them."""
        return self.tokens

    async def set_tokens(self, tokens: OAuthToken) -> None:
        """As it keeps them."""
        self.tokens = tokens

    async def get_client_info(self) -> OAuthClientInformationFull | None:
        """Likewise."""
        return self.registered

    async def set_client_info(self, client_info: OAuthClientInformationFull) -> None:
        """Likewise."""
        self.registered = client_info

    async def _show(self, url: str) -> None:
        self.consents.append(query_of(url))
        await self.browser.go(url.removeprefix(self.live.url))
        await self.browser.send("/oauth/authorize", decision="allow")

    async def _answer(self) -> AuthorizationCodeResult:
        told = query_of(self.browser.response.headers["location"])
        return AuthorizationCodeResult(code=told["code"], state=told["state"], iss=told["iss"])

    @asynccontextmanager
    async def client(self, mode: str = "auto") -> AsyncIterator[Client]:
        """The official client, connected; `mode` as it names the eras."""
        url = f"{self.live.url}/mcp"
        metadata = OAuthClientMetadata(
            client_name="Assistant", redirect_uris=[CALLBACK], token_endpoint_auth_method="none"
        )
        auth = OAuthClientProvider(url, metadata, self, self._show, self._answer)
        async with (
            self.browser,
            httpx2.AsyncClient(auth=auth, timeout=60) as http,
            Client(streamable_http_client(url, http_client=http), mode=mode) as client,
        ):
            yield client


def envelope(era: str) -> dict[str, Any]:
    """What each message says of its client since the protocol has no handshake."""
    told = {"protocolVersion": era, "clientInfo": {"name": "test", "version": "1"}, "clientCapabilities": {}}
    return {f"io.modelcontextprotocol/{name}": value for name, value in told.items()} if era == MODERN else {}


@dataclass
class Wire:
    """Messages of one era as they go over the wire, with a token."""

    http: httpx2.AsyncClient
    token: str
    era: str = MODERN
    headers: dict[str, str] = field(default_factory=dict)
    _ids: Any = field(default_factory=lambda: count(1))

    async def post(self, body: Any, **headers: str) -> httpx2.Response:
        """Any message, JSON or bytes."""
        sent = {
            "authorization": f"Bearer {self.token}",
            "accept": BOTH,
            "content-type": "application/json",
            "mcp-protocol-version": self.era,
            **self.headers,
            **headers,
        }
        content = {"content": body} if isinstance(body, bytes) else {"json": body}
        return await self.http.post("/mcp", headers={k: v for k, v in sent.items() if v}, **content)

    async def ask(self, method: str, **params: Any) -> httpx2.Response:
        """A request."""
        headers = {}
        if self.era == MODERN:
            params["_meta"] = envelope(self.era) | params.get("_meta", {})
            headers["mcp-method"] = method
            name = params.get("name") or params.get("uri")
            headers |= {"mcp-name": name} if name else {}
        return await self.post({"jsonrpc": "2.0", "id": next(self._ids), "method": method, "params": params}, **headers)

    async def call(self, tool: str, **arguments: Any) -> dict[str, Any]:
        """A tool's result."""
        response = await self.ask("tools/call", name=tool, arguments=arguments)
        assert response.status_code == 200, response.text
        assert response.headers["content-type"] == "application/json"
        assert response.headers["cache-control"] == "private, no-store"
        result: dict[str, Any] = response.json()["result"]
        return result

    async def done(self, tool: str, **arguments: Any) -> Any:
        """What a tool answers when it works."""
        result = await self.call(tool, **arguments)
        assert not result.get("isError"), result
        return result["structuredContent"]

    async def refused(self, tool: str, **arguments: Any) -> dict[str, Any]:
        """What a tool says when it does not."""
        result = await self.call(tool, **arguments)
        assert result["isError"], result
        assert "structuredContent" not in result
        (content,) = result["content"]
        problem: dict[str, Any] = httpx2.Response(200, content=content["text"]).json()
        return problem
