"""The OAuth endpoints for programs: HTTP on one side, `app.auth` on the other."""

from typing import Any
from urllib.parse import parse_qsl

from litestar import Controller, MediaType, Request, Response, get, post
from litestar.datastructures import State
from litestar.di import NamedDependency

from app.actions import answers
from app.api.limited import charge, peer, spends
from app.api.requests import json_response
from app.api.services import Services
from app.auth import metadata
from app.auth.asked import Answer, Asked, Pairs
from app.auth.clients import ASSISTANT_SCOPES
from app.errors import BadRequest, TooLarge
from app.limits.budgets import OAUTH, PUBLIC, TOKEN
from app.limits.networks import network

FORM = "application/x-www-form-urlencoded"
MAX_FORM = 64 * 1024
MAX_FIELDS = 50
MAX_CLIENT_ID = 500
"""Longer ids are nobody's: what is kept to count for them is no longer than this."""


def read_pairs(encoded: bytes) -> Pairs:
    """The parameters of a query string or a form, in order. Raises `BadRequest` for what no text column can hold."""
    try:
        pairs = parse_qsl(encoded.decode(), keep_blank_values=True, errors="strict", max_num_fields=MAX_FIELDS)
    except ValueError as error:
        raise BadRequest("The parameters cannot be read.") from error
    if any("\0" in text for pair in pairs for text in pair):
        raise BadRequest("A parameter holds a NUL character.")
    return pairs


async def read_form(request: Request[Any, Any, State]) -> Pairs:
    """The parameters of a form. Raises `BadRequest`, `TooLarge`."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != FORM:
        raise BadRequest(f"The body must be {FORM}.")
    body = await request.body()
    if len(body) > MAX_FORM:
        raise TooLarge(limit=MAX_FORM)
    return read_pairs(body)


async def asked_of(request: Request[Any, Any, State], services: NamedDependency[Services]) -> Asked:
    """The request as the authorization server reads it. Raises `TooManyRequests`."""
    try:
        pairs = await read_form(request)
    except BadRequest as error:
        raise OAuthRefusal(error.detail) from error
    asked = Asked("POST", pairs, request.headers.get("authorization"), peer(request))
    charge(request, services.limiter, TOKEN, (asked.client_named[:MAX_CLIENT_ID], network(asked.address)))
    return asked


class OAuthRefusal(BadRequest):
    """The request cannot be read."""


def refuse(_: Request[Any, Any, Any], error: OAuthRefusal) -> Response[bytes]:
    """As OAuth clients expect it (RFC 6749, section 5.2)."""
    return reply(Answer(400, {"error": "invalid_request", "error_description": error.detail}, []))


def reply(answer: Answer) -> Response[bytes]:
    """A JSON answer that nobody may keep."""
    headers = {name.lower(): value for name, value in answer.headers if name.lower() != "content-type"}
    return Response(
        answers.json(answer.body),
        status_code=answer.status,
        media_type=MediaType.JSON,
        headers={**headers, "cache-control": "no-store"},
    )


class OAuthController(Controller):
    """What clients call."""

    path = "/oauth"
    opt = spends(OAUTH)
    exception_handlers = {OAuthRefusal: refuse}  # noqa: RUF012
    dependencies = {"asked": asked_of}  # noqa: RUF012

    @post("/token", operation_id="token")
    async def token(self, asked: NamedDependency[Asked], services: NamedDependency[Services]) -> Response[bytes]:
        """Tokens for a code, a device's code or a refresh token."""
        return reply(await services.oauth.token(asked))

    @post("/device_authorization", operation_id="authorizeDevice")
    async def device_authorization(
        self, asked: NamedDependency[Asked], services: NamedDependency[Services]
    ) -> Response[bytes]:
        """A device asks to be let in."""
        await services.activation.admit_request(asked.address)
        return reply(await services.oauth.endpoint("device_authorization", asked))

    @post("/revoke", operation_id="revokeToken")
    async def revoke(self, asked: NamedDependency[Asked], services: NamedDependency[Services]) -> Response[bytes]:
        """Ends a token with all that came from the same code."""
        return reply(await services.oauth.endpoint("revocation", asked))

    @post("/introspect", operation_id="introspectToken")
    async def introspect(self, asked: NamedDependency[Asked], services: NamedDependency[Services]) -> Response[bytes]:
        """What a token of one's own is worth."""
        return reply(await services.oauth.endpoint("introspection", asked))

    @post("/register", operation_id="registerClient")
    async def register(self, request: Request[Any, Any, State], services: NamedDependency[Services]) -> Response[bytes]:
        """A client registers itself."""
        return reply(await services.registrar.register(await request.json(), peer(request)))


@get("/.well-known/oauth-authorization-server", operation_id="authorizationServerMetadata", opt=spends(PUBLIC))
async def authorization_server(services: NamedDependency[Services]) -> Response[bytes]:
    """RFC 8414."""
    return json_response(answers.json(metadata.authorization_server(services.public_url)))


@get("/.well-known/oauth-protected-resource", operation_id="protectedResourceMetadata", opt=spends(PUBLIC))
async def protected_resource(services: NamedDependency[Services]) -> Response[bytes]:
    """RFC 9728."""
    return json_response(answers.json(metadata.protected_resource(services.public_url, services.public_url)))


@get("/.well-known/oauth-protected-resource/mcp", operation_id="mcpResourceMetadata", opt=spends(PUBLIC))
async def mcp_resource(services: NamedDependency[Services]) -> Response[bytes]:
    """RFC 9728, of the MCP endpoint."""
    resource = f"{services.public_url}{metadata.MCP}"
    told = metadata.protected_resource(services.public_url, resource, ASSISTANT_SCOPES)
    return json_response(answers.json(told))
