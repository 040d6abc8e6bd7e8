"""How ChatGPT gets its token: the code flow of a client with a secret (RFC 6749, section 4.1), without PKCE."""

import secrets
from contextlib import suppress
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx2

from app.auth.clients import ASSISTANT_SCOPES
from app.auth.tokens import digest, new_secret
from app.cli.demo.person import Person
from app.cli.demo.refused import Refused
from app.errors import NotFound
from app.store.clients import Clients, Registration

CLIENT = "demo-chatgpt"
CALLBACK = "https://chatgpt.com/aip/g-demo/oauth/callback"
SCOPES = sorted(ASSISTANT_SCOPES)


async def connected(clients: Clients, http: httpx2.AsyncClient, person: Person) -> str:
    """ChatGPT's access token, for an hour; what it had in an earlier run is taken back. Raises `Refused`."""
    secret, state = await _registered(clients), secrets.token_urlsafe()
    asked = {"response_type": "code", "client_id": CLIENT, "redirect_uri": CALLBACK, "scope": "", "state": state}
    came_back = await person.allow_assistant(f"/oauth/authorize?{urlencode(asked)}")
    told = {name: values[0] for name, values in parse_qs(urlsplit(came_back).query).items()}
    if not came_back.startswith(f"{CALLBACK}?") or told.get("state") != state or "code" not in told:
        raise Refused("ChatGPT was not let in.")
    form = {"grant_type": "authorization_code", "code": told["code"], "redirect_uri": CALLBACK}
    try:
        answer = await http.post("/oauth/token", data={**form, "client_id": CLIENT, "client_secret": secret})
    except httpx2.HTTPError as error:
        raise Refused(f"POST /oauth/token: {type(error).__name__}.") from error
    if not answer.is_success:
        raise Refused(f"POST /oauth/token: {answer.status_code} {answer.text[:200]}")
    token: str = answer.json()["access_token"]
    return token


async def _registered(clients: Clients) -> str:
    """Registers it as `starling client add` does; its secret."""
    secret = new_secret("sts")
    with suppress(NotFound):
        await clients.revoke(CLIENT)
    await clients.add(Registration(CLIENT, "ChatGPT", digest(secret), [CALLBACK], SCOPES, "command"))
    return secret
