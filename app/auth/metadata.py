"""What clients read to find their way (RFC 8414, RFC 9728)."""

from collections.abc import Iterable
from typing import Any

from app.auth.clients import ASSISTANT_SCOPES, GRANT_TYPES
from app.model import Scope

MCP = "/mcp"
RESOURCE = "/.well-known/oauth-protected-resource"


def resources(issuer: str) -> tuple[str, str]:
    """The identifiers of what is protected here: the interface, and its MCP endpoint."""
    return issuer, f"{issuer}{MCP}"


def authorization_server(issuer: str) -> dict[str, Any]:
    """RFC 8414, section 2; draft-ietf-oauth-client-id-metadata-document, section 6."""
    with_secret = ["client_secret_basic", "client_secret_post"]
    return {
        "issuer": issuer,
        "authorization_endpoint": f"{issuer}/oauth/authorize",
        "token_endpoint": f"{issuer}/oauth/token",
        "device_authorization_endpoint": f"{issuer}/oauth/device_authorization",
        "revocation_endpoint": f"{issuer}/oauth/revoke",
        "introspection_endpoint": f"{issuer}/oauth/introspect",
        "registration_endpoint": f"{issuer}/oauth/register",
        "scopes_supported": sorted(Scope),
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": list(GRANT_TYPES),
        "code_challenge_methods_supported": ["S256"],
        "token_endpoint_auth_methods_supported": [*with_secret, "none"],
        "revocation_endpoint_auth_methods_supported": [*with_secret, "none"],
        "introspection_endpoint_auth_methods_supported": with_secret,
        "authorization_response_iss_parameter_supported": True,
        "client_id_metadata_document_supported": True,
    }


def protected_resource(issuer: str, resource: str, scopes: Iterable[str] = Scope) -> dict[str, Any]:
    """RFC 9728, section 2. `scopes`: what a client that asks for all of them gets."""
    return {
        "resource": resource,
        "authorization_servers": [issuer],
        "scopes_supported": sorted(scopes),
        "bearer_methods_supported": ["header"],
        "resource_name": "Starling",
    }


def challenge(issuer: str, path: str, *, error: str | None = None, scope: str | None = None) -> str:
    """The `WWW-Authenticate` of a refusal (RFC 6750, section 3; RFC 9728, section 5.1).

    `scope`: what the token must carry; at `/mcp` without it, what an assistant needs.
    """
    of_mcp = MCP if path == MCP or path.startswith(f"{MCP}/") else ""
    wanted = scope or (" ".join(sorted(ASSISTANT_SCOPES)) if of_mcp else None)
    told = {"error": error, "scope": wanted, "resource_metadata": f"{issuer}{RESOURCE}{of_mcp}"}
    return "Bearer " + ", ".join(f'{name}="{value}"' for name, value in told.items() if value)
