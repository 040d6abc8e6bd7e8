"""`POST /mcp`: HTTP on one side, the protocol's machinery on the other (streamable HTTP, without sessions)."""

from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from litestar import Request, Response, post
from litestar.connection import ASGIConnection
from litestar.datastructures import State
from litestar.di import NamedDependency, Provide
from litestar.handlers import BaseRouteHandler
from litestar.types import Message

from app.actions.items import Caller
from app.api.limited import spends
from app.api.mcp.exchange import Exchange
from app.api.requests import MAX_CONVERSATION_ID, caller_of, principal_of
from app.api.services import Services
from app.errors import InvalidField, StarlingError
from app.limits.budgets import ACTIONS


class Misdirected(StarlingError):
    """This request is for another host: the server is reached at its public address."""

    status = 421
    code = "misdirected"


class ForeignOrigin(StarlingError):
    """A page from there cannot be trusted with this: it must come by https, or from this machine."""

    status = 403
    code = "foreign_origin"


async def addressed(connection: ASGIConnection[Any, Any, Any, State], _: BaseRouteHandler) -> None:
    """A guard against DNS rebinding. Raises `Misdirected`, `ForeignOrigin`.

    A page that has its own name lead here sends that name as the host; and it is no https page, since for that name
    this server has no certificate. Any other page may ask, with a token (protocol, CORS).
    """
    own = urlsplit(connection.app.state.issuer).hostname
    asked = _hostname(f"//{connection.headers.get('host', '')}")
    if asked != own and not (_is_loopback(asked) and _is_loopback(own)):
        raise Misdirected
    origin = connection.headers.get("origin")
    if origin is None or origin == connection.app.state.issuer:
        return
    scheme = origin.partition("://")[0]
    if scheme != "https" and not (scheme == "http" and _is_loopback(_hostname(origin))):
        raise ForeignOrigin


def _hostname(url: str) -> str | None:
    try:
        return urlsplit(url).hostname
    except ValueError:
        return None


def _is_loopback(host: str | None) -> bool:
    try:
        return host == "localhost" or ip_address(host or "").is_loopback
    except ValueError:
        return False


@post(
    "/mcp",
    operation_id="mcp",
    opt=spends(ACTIONS),
    guards=[addressed],
    dependencies={"principal": Provide(principal_of), "caller": Provide(caller_of)},
    include_in_schema=False,
)
async def mcp(
    request: Request[Any, Any, State], caller: NamedDependency[Caller], services: NamedDependency[Services]
) -> Response[bytes]:
    """One message."""
    message = await request.json()  # refuses what is no JSON, or cannot be kept, as everywhere
    _require_id(message)
    exchange = Exchange(_caller(caller.through("mcp"), message), services)
    reply = await _replied(request, exchange)
    if exchange.error is not None:
        raise exchange.error
    return reply


def _require_id(message: Any) -> None:
    """With an id that is none, a request would be taken for a notification, and dropped without a word."""
    is_request = isinstance(message, dict) and "id" in message and "method" in message
    if is_request and type(message["id"]) not in (str, int):
        raise InvalidField("id", "The id of a request is a string or an integer.")


async def _replied(request: Request[Any, Any, State], exchange: Exchange) -> Response[bytes]:
    parts = [await request.body()]
    status, headers, body = 500, {}, bytearray()

    async def receive() -> Any:
        if parts:
            return {"type": "http.request", "body": parts.pop(), "more_body": False}
        return await request.receive()

    async def send(sent: Message) -> None:
        nonlocal status, headers
        if sent["type"] == "http.response.start":
            status = sent["status"]
            headers = {name.decode(): value.decode("latin-1") for name, value in sent["headers"]}
        elif sent["type"] == "http.response.body":
            body.extend(sent["body"])

    await request.app.state.mcp.take(exchange, request.scope, receive, send)
    return Response(
        bytes(body),
        status_code=status,
        media_type=headers.get("content-type", "text/plain"),
        headers={"cache-control": "private, no-store"},
    )


def _caller(caller: Caller, message: Any) -> Caller:
    """In the conversation that ChatGPT names with each call."""
    params = message.get("params") if isinstance(message, dict) else None
    meta = params.get("_meta") if isinstance(params, dict) else None
    session = meta.get("openai/session") if isinstance(meta, dict) else None
    if isinstance(session, str) and 0 < len(session) <= MAX_CONVERSATION_ID:
        return caller.within(session)
    return caller
