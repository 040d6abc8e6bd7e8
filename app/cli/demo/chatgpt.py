"""How ChatGPT gets its token: as a client with a secret, without PKCE."""

from contextlib import suppress

import httpx2

from app.auth.clients import ASSISTANT_SCOPES
from app.auth.tokens import digest, new_secret
from app.cli.demo import code_flow
from app.cli.demo.person import Person
from app.errors import NotFound
from app.store.clients import Clients, Registration

CLIENT = "demo-chatgpt"
CALLBACK = "https://chatgpt.com/aip/g-demo/oauth/callback"
SCOPES = sorted(ASSISTANT_SCOPES)


async def connected(clients: Clients, http: httpx2.AsyncClient, person: Person) -> str:
    """ChatGPT's access token; what it had in an earlier run is taken back. Raises `Refused`."""
    client = {"client_id": CLIENT, "client_secret": await _registered(clients)}
    return await code_flow.token(http, person, client, CALLBACK, {"scope": ""})


async def _registered(clients: Clients) -> str:
    """Registers it as `starling client add` does; its secret."""
    secret = new_secret("sts")
    with suppress(NotFound):
        await clients.revoke(CLIENT)
    await clients.add(Registration(CLIENT, "ChatGPT", digest(secret), [CALLBACK], SCOPES, "command"))
    return secret
