"""From a request to what actions take: a JSON body, a principal, a conversation."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Annotated, Any

from litestar import MediaType, Request, Response
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.exceptions import InternalServerException
from litestar.params import QueryParameter
from pydantic_core import from_json

from app.actions.fields import MAX_WAIT_S
from app.actions.items import Caller
from app.api import parameters
from app.api.limited import charge_principal
from app.api.services import Services
from app.errors import BadRequest, Disconnected, InvalidField, Unauthorized
from app.model import Principal

MAX_CONVERSATION_ID = 200
_READABLE = ("surrogate", "hex escape", "recursion", "out of range")
"""What the parser says of JSON that is sound but more than can be kept."""

Wait = Annotated[float, QueryParameter(ge=0, le=MAX_WAIT_S, description="Seconds to wait for the devices' receipts.")]


def json_response(body: bytes, status_code: int = 200) -> Response[bytes]:
    """An answer that is JSON bytes already. Nothing of a feed is for caches."""
    return Response(
        body, status_code=status_code, media_type=MediaType.JSON, headers={"cache-control": "private, no-store"}
    )


class StrictRequest(Request[Any, Any, State]):
    """A request whose JSON is bounded in depth and must be valid UTF-8 (RFC 8259, section 8.1)."""

    async def body(self) -> bytes:
        """The body's bytes. Raises `Disconnected` when they do not come."""
        try:
            return await super().body()
        except InternalServerException as error:  # Litestar's word for it
            raise Disconnected from error

    async def json(self) -> Any:
        """The parsed body. Raises `BadRequest` for what is no JSON, `InvalidField` for JSON that cannot be stored."""
        body = await self.body()
        try:
            return from_json(body, allow_inf_nan=False)
        except ValueError as error:
            reason = str(error)
            if any(word in reason for word in _READABLE):
                raise InvalidField("body", f"The body cannot be stored: {reason}.") from error
            raise BadRequest(f"The body is no valid JSON: {reason}.", next_step="Send one JSON object.") from error


async def chunks_of(request: Request[Any, Any, State]) -> AsyncIterator[bytes]:
    """The body as it comes. Raises `Disconnected` when it breaks off."""
    try:
        async for chunk in request.stream():
            yield chunk
    except InternalServerException as error:
        raise Disconnected from error


def bearer(request: Request[Any, Any, State]) -> str | None:
    """The token of the Authorization header (RFC 6750, section 2.1), if there is one. Raises `Unauthorized`."""
    header = request.headers.get("authorization")
    if header is None:
        return None
    scheme, _, token = header.partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise Unauthorized
    return token.strip()


async def ticket_or_token(
    request: Request[Any, Any, State],
    services: Services,
    ticket: str | None,
    redeem: Callable[[str], Awaitable[Principal]],
) -> Principal:
    """Who asks, by a ticket or by a token. Raises `Unauthorized`, `TooManyRequests`; `BadRequest` for both."""
    token = bearer(request)
    if ticket is not None and token is not None:
        raise BadRequest("Send either an access token or a ticket, not both.")
    if ticket is not None:
        principal = await redeem(ticket)
    elif token is not None:
        principal = await services.tokens.authenticate(token)
    else:
        raise Unauthorized
    charge_principal(request, services.limiter, principal)
    return principal


async def principal_of(request: Request[Any, Any, State], services: NamedDependency[Services]) -> Principal:
    """Who the request acts as. Raises `Unauthorized`, `TooManyRequests`, and `InvalidField` for a wrong parameter."""
    token = bearer(request)
    if token is None:
        raise Unauthorized
    principal = await services.tokens.authenticate(token)
    charge_principal(request, services.limiter, principal)
    parameters.check(request)
    return principal


async def assistant_of(request: Request[Any, Any, State], services: NamedDependency[Services]) -> Principal:
    """The same for an assistant, who is also told of parameters that nothing reads."""
    principal = await principal_of(request, services)
    parameters.refuse_unknown(request)
    return principal


async def caller_of(request: Request[Any, Any, State], principal: NamedDependency[Principal]) -> Caller:
    """Who asks, in which of ChatGPT's conversations. Raises `InvalidField`."""
    conversation = request.headers.get("openai-conversation-id")
    if conversation is not None and len(conversation) > MAX_CONVERSATION_ID:
        raise InvalidField("openai-conversation-id", "The conversation id is too long.", limit=MAX_CONVERSATION_ID)
    return Caller(principal, "action", conversation)
