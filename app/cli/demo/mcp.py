"""Another assistant, which speaks MCP (2026-07-28): it registers itself, is let in with PKCE, and calls a tool."""

import base64
import hashlib
import secrets
import time
from typing import Any, Self
from urllib.parse import urlsplit

import httpx2

from app.cli.demo import code_flow
from app.cli.demo.assistant import WAIT_S, Answer
from app.cli.demo.person import Person
from app.cli.demo.refused import Refused

ENDPOINT = "/mcp"
VERSION = "2026-07-28"
NAME = "An assistant by MCP"
CALLBACK = "https://assistant.example/callback"
ABOUT = {
    "io.modelcontextprotocol/protocolVersion": VERSION,
    "io.modelcontextprotocol/clientInfo": {"name": "starling-demo", "version": "1"},
    "io.modelcontextprotocol/clientCapabilities": {},
}


class McpAssistant:
    """Lets go of what it was given when the run ends."""

    def __init__(self, http: httpx2.AsyncClient, host: str, client: dict[str, str], token: str) -> None:
        self._http = http
        self._client = client
        self._token = token
        self._headers = {"host": host, "authorization": f"Bearer {token}", "mcp-protocol-version": VERSION}

    @classmethod
    async def connected(cls, http: httpx2.AsyncClient, public_url: str, person: Person) -> Self:
        """One that the person has let in. Raises `Refused`."""
        about = {"client_name": NAME, "redirect_uris": [CALLBACK], "token_endpoint_auth_method": "none"}
        made = await code_flow.post(http, "/oauth/register", json=about)
        client = {"client_id": str(made.json()["client_id"])}
        verifier = secrets.token_urlsafe(48)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        asked = {"resource": f"{public_url}{ENDPOINT}", "code_challenge": challenge, "code_challenge_method": "S256"}
        token = await code_flow.token(http, person, client, CALLBACK, asked, code_verifier=verifier)
        return cls(http, urlsplit(public_url).netloc, client, token)

    async def save(self, **fields: Any) -> Answer:
        """Saves an item; is answered once the devices that are online have acknowledged it. Raises `Refused`."""
        arguments = {**fields, "wait_for_delivery": WAIT_S}
        called = {"name": "saveItem", "arguments": arguments, "_meta": ABOUT}
        message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": called}
        named = {"mcp-method": "tools/call", "mcp-name": "saveItem"}
        sent = time.perf_counter()
        response = await code_flow.post(self._http, ENDPOINT, json=message, headers=self._headers | named)
        took = time.perf_counter() - sent
        result = response.json().get("result", {})
        if "structuredContent" not in result:
            raise Refused(f"saveItem: {response.text[:200]}")
        answer = result["structuredContent"]
        return Answer(response.status_code, answer["item"], answer["delivery"], sent, took)

    async def leave(self) -> None:
        """Takes its access back. Raises `Refused`."""
        await code_flow.post(self._http, "/oauth/revoke", data={**self._client, "token": self._token})
