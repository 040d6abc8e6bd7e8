"""`GET /v1/stream`: the response starts here, then the connection leaves the web server; and tickets for it."""

from typing import Annotated, Any

from litestar import Request, Response, get, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import QueryParameter
from litestar.types import ASGIApp, Receive, Scope, Send

from app.actions import answers
from app.actions.access import require, require_device
from app.actions.shapes import TicketShape
from app.api.declared import TICKET, answer, needs
from app.api.limited import spends
from app.api.requests import json_response, ticket_or_token
from app.api.services import Services
from app.auth.tokens import TICKET_LIFE
from app.errors import StarlingError
from app.hub.hub import Hub
from app.hub.sse import COMMENT
from app.hub.stream import Stream
from app.hub.transport import EXTENSION
from app.limits.budgets import STREAMS
from app.model import Principal
from app.model import Scope as Permission

HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store, no-transform"),
    (b"x-accel-buffering", b"no"),
]

EVENTS = """\
Server-sent events. Every event carries an `id`: the device's cursor once it has handled the event. Store the last one
and come back with it. `data` is one line of JSON.

| event | data | |
|---|---|---|
| `reset` | `{"reason"}` | the cursor cannot be honoured: drop all items, the whole feed follows |
| `hello` | `{"device_id", "cursor", "head"}` | with `retry`, the milliseconds to wait before reconnecting |
| `item` | `Item` or `Tombstone` | first what was missed, ascending by seq, then live |
| `ready` | `{"cursor", "device_id"}` | caught up with the head that `hello` named; once |
| `presence` | `{"device_id", "online"}` | another device came or went; `hello` and `reset` begin with none there |
| `reauth` | `{"expires_in"}` | get a new token and reconnect; nothing is lost |
| `bye` | `{"reason"}` | the stream ends (`drain`, `rotate` or `expired`): reconnect after `retry` |
| `revoked` | `{}` | the device is out: do not reconnect |

A comment comes at once, and at least every 12 seconds."""


class UnsupportedServer(StarlingError):
    """Streams need the server that `starling serve` runs: this one cannot hand a connection over."""

    code = "unsupported_server"


class StreamResponse(Response[None]):
    """Starts the response, sends the first comment, and gives the connection to the hub's stream."""

    def __init__(self, hub: Hub, stream: Stream, principal: Principal) -> None:
        super().__init__(None)
        self._hub, self._stream, self._principal = hub, stream, principal

    def to_asgi_response(self, *_: Any, **__: Any) -> ASGIApp:  # type: ignore[override]
        """The ASGI application that does so."""
        return self._respond

    async def _respond(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
            await send({"type": "http.response.body", "body": COMMENT, "more_body": True})
            taken = scope["extensions"][EXTENSION](self._stream)  # type: ignore[index, operator]
        finally:
            self._hub.release(self._stream)
        if taken:
            await self._hub.join(self._stream, self._principal)


async def subscriber(
    request: Request[Any, Any, State],
    services: NamedDependency[Services],
    ticket: Annotated[str | None, QueryParameter(description="A stream ticket, in place of a token.")] = None,
) -> Principal:
    """Who opens a stream: by token or by ticket. Raises `Unauthorized`, `TooManyRequests`; `BadRequest` for both."""
    return await ticket_or_token(request, services, ticket, services.tokens.redeem_ticket)


@get(
    "/v1/stream",
    operation_id="openStream",
    opt=spends(STREAMS),
    summary="The feed as it happens",
    security=[*needs(Permission.STREAM), {TICKET: []}],
    responses={200: ResponseSpec(str, description=EVENTS, media_type="text/event-stream", generate_examples=False)},
)
async def open_stream(
    request: Request[Any, Any, State],
    subscriber: NamedDependency[Principal],
    services: NamedDependency[Services],
    cursor: Annotated[str | None, QueryParameter(description="Where to go on; `now` for live events only.")] = None,
) -> StreamResponse:
    """The feed as server-sent events: what was missed since the cursor, then everything as it happens.

    Only for a device. Begins after the `Last-Event-ID` header, else after `cursor`, else at the beginning. A cursor
    that cannot be honoured is answered with a `reset` event, never with an error.
    """
    if EXTENSION not in (request.scope.get("extensions") or {}):
        raise UnsupportedServer
    require_device(subscriber)
    require(subscriber, Permission.STREAM)
    start = request.headers.get("last-event-id") or cursor
    elsewhere = await services.presence.elsewhere(subscriber.feed_id)
    return StreamResponse(services.hub, services.hub.admit(subscriber, start, elsewhere), subscriber)


@post(
    "/v1/stream/tickets",
    operation_id="issueTicket",
    opt=spends(STREAMS),
    summary="A ticket for the stream",
    status_code=200,
    security=needs(Permission.STREAM),
    responses={200: answer(TicketShape, "The ticket; it opens streams for its life, and nothing else.")},
)
async def issue_ticket(principal: NamedDependency[Principal], services: NamedDependency[Services]) -> Response[bytes]:
    """A ticket for the browser's `EventSource`, which cannot send headers. Only for a device."""
    require_device(principal)
    require(principal, Permission.STREAM)
    ticket = await services.tokens.issue_ticket(principal)
    url = f"{services.public_url}/v1/stream?ticket={ticket}"
    return json_response(answers.json({"ticket": ticket, "expires_in": int(TICKET_LIFE.total_seconds()), "url": url}))
