"""Clients that register themselves (RFC 7591): assistants that speak MCP do. Limited, for anybody may."""

import secrets
from datetime import timedelta
from typing import Any

from app.auth.asked import Answer
from app.auth.clients import ASSISTANT_SCOPES, GRANT_TYPES
from app.auth.redirects import is_registrable
from app.auth.tokens import digest, new_secret
from app.limits.networks import CUSTOMER, SITE, network
from app.model import Scope
from app.store.clients import Clients, Registration
from app.store.throttles import Throttles

MAX_NAME, MAX_REDIRECTS = 100, 10
PER_HOUR, PER_HOUR_OF_SITE = 20, 100
"""Of an address, and of a site with very many."""
KEEP_UNUSED, MAX_UNUSED = timedelta(days=7), 10_000
"""Of clients that nobody lets in, the newest."""
PUBLIC = "none"
METHODS = (PUBLIC, "client_secret_basic", "client_secret_post")


class InvalidMetadata(Exception):
    """What is wrong: `args` are the error code of RFC 7591 and its description."""


class Registrar:
    """Registers clients."""

    def __init__(self, clients: Clients, throttles: Throttles) -> None:
        self._clients = clients
        self._throttles = throttles

    async def register(self, sent: Any, address: str) -> Answer:
        """The client's metadata with its id, and its secret if it asked for one. Raises `TooManyRequests`."""
        for prefix, limit in ((CUSTOMER, PER_HOUR), (SITE, PER_HOUR_OF_SITE)):
            who = network(address, prefix)
            await self._throttles.hit(f"register /{prefix}", who, limit=limit, period=timedelta(hours=1))
        try:
            metadata = read_metadata(sent)
        except InvalidMetadata as error:
            return Answer(400, {"error": error.args[0], "error_description": error.args[1]}, [])
        method = metadata["token_endpoint_auth_method"]
        secret = None if method == PUBLIC else new_secret("sts")
        client_id = f"client-{secrets.token_hex(8)}"
        await self._clients.add(
            Registration(
                id=client_id,
                name=metadata["client_name"],
                secret_hash=None if secret is None else digest(secret),
                redirect_uris=metadata["redirect_uris"],
                scopes=metadata["scope"].split(),
                made_by="registration",
            )
        )
        await self._clients.clear_unused(KEEP_UNUSED, MAX_UNUSED)
        more = {} if secret is None else {"client_secret": secret, "client_secret_expires_at": 0}
        return Answer(201, {"client_id": client_id, **more, **metadata}, [])


def read_metadata(sent: Any) -> dict[str, Any]:
    """What is kept of the metadata; unknown members are ignored, as section 2 says. Raises `InvalidMetadata`."""
    if not isinstance(sent, dict):
        raise InvalidMetadata("invalid_client_metadata", "A JSON object is needed.")
    grant_types = _strings(sent, "grant_types") or ["authorization_code", "refresh_token"]
    redirect_uris = _strings(sent, "redirect_uris")
    if not all(is_registrable(uri) for uri in redirect_uris) or len(redirect_uris) > MAX_REDIRECTS:
        raise InvalidMetadata(
            "invalid_redirect_uri", f"Up to {MAX_REDIRECTS} addresses: https, loopback or an app's own."
        )
    if "authorization_code" in grant_types and not redirect_uris:
        raise InvalidMetadata("invalid_redirect_uri", "The redirect_uris are missing.")
    name = _string(sent, "client_name", redirect_uris[0] if redirect_uris else "A device")[:MAX_NAME]
    if not name.isprintable() or not name.strip():
        raise InvalidMetadata("invalid_client_metadata", "The client_name must be printable.")
    method = _string(sent, "token_endpoint_auth_method", "client_secret_basic")
    if method not in METHODS:
        raise InvalidMetadata(
            "invalid_client_metadata", f"The token_endpoint_auth_method is one of {', '.join(METHODS)}."
        )
    if any(kind != "code" for kind in _strings(sent, "response_types")):
        raise InvalidMetadata("invalid_client_metadata", "The only response type is code.")
    scopes = set(_string(sent, "scope", " ".join(ASSISTANT_SCOPES)).split()) & set(Scope)
    if not scopes:
        raise InvalidMetadata("invalid_client_metadata", "The scope names nothing that there is here.")
    return {
        "client_name": name,
        "redirect_uris": redirect_uris,
        "token_endpoint_auth_method": method,
        "grant_types": [kind for kind in GRANT_TYPES if kind in grant_types],
        "response_types": ["code"],
        "scope": " ".join(sorted(scopes)),
    }


def _string(sent: dict[str, Any], name: str, default: str) -> str:
    value = sent.get(name) or default
    if not isinstance(value, str):
        raise InvalidMetadata("invalid_client_metadata", f"{name} must be a string.")
    return value


def _strings(sent: dict[str, Any], name: str) -> list[str]:
    value = sent.get(name) or []
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise InvalidMetadata("invalid_client_metadata", f"{name} must be a list of strings.")
    return value
