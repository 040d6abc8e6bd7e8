"""CORS: any page may call the API with a token it holds; cookies never count there (protocol, CORS)."""

from litestar.enums import ScopeType
from litestar.types import ASGIApp, Message, Receive, Scope, Send

OPEN = ("/v1/", "/actions/", "/mcp/", "/.well-known/")
OPEN_EXACT = frozenset({"/mcp", "/oauth/token", "/oauth/register", "/oauth/revoke", "/oauth/device_authorization"})
_ORIGIN = (b"access-control-allow-origin", b"*")
_EXPOSED = (
    b"access-control-expose-headers",
    b"etag, content-range, content-disposition, retry-after, ratelimit, ratelimit-policy, www-authenticate",
)
_PREFLIGHT = [
    _ORIGIN,
    (b"access-control-allow-methods", b"GET, POST, PATCH, PUT, DELETE"),
    (
        b"access-control-allow-headers",
        b"authorization, content-type, last-event-id, range, if-none-match, mcp-protocol-version, mcp-method, mcp-name",
    ),
    (b"access-control-max-age", b"86400"),
]


def is_open(path: str) -> bool:
    """Whether pages of other origins may call this path."""
    return path.startswith(OPEN) or path in OPEN_EXACT


class Cors:
    """Answers preflights and adds the headers, before anything else sees the request."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """An ASGI application around another."""
        if scope["type"] != ScopeType.HTTP or not is_open(scope["path"]):
            await self._app(scope, receive, send)
            return
        if scope["method"] == "OPTIONS" and any(
            name == b"access-control-request-method" for name, _ in scope["headers"]
        ):
            await send({"type": "http.response.start", "status": 204, "headers": _PREFLIGHT})
            await send({"type": "http.response.body", "body": b"", "more_body": False})
            return

        async def send_open(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], _ORIGIN, _EXPOSED]
            await send(message)

        await self._app(scope, receive, send_open)
