"""Counts and times every reply, around everything else."""

import time

from litestar.enums import ScopeType
from litestar.types import ASGIApp, Message, Receive, Scope, Send
from prometheus_client import Counter, Histogram

from app import telemetry

METHODS = frozenset({"GET", "POST", "PATCH", "DELETE"})
_OF_V1 = {name: name for name in ("ack", "changes", "devices", "files", "items", "me", "stream")}
_OF_ROOT = {
    "actions": "actions",
    "mcp": "mcp",
    "oauth": "oauth",
    ".well-known": "discovery",
    "account": "pages",
    "activate": "pages",
    "sign-in": "pages",
    "sign-up": "pages",
    "sign-out": "pages",
    "assets": "pages",
    "privacy": "pages",
    "openapi": "documents",
    "healthz": "health",
    "readyz": "health",
}


def route(path: str) -> str:
    """What the metrics call this path: a few names, whatever is asked for."""
    first, second = [*path.split("/", 3), "", ""][1:3]
    if first == "v1":
        return "tickets" if path == "/v1/stream/tickets" else _OF_V1.get(second, "other")
    return _OF_ROOT.get(first, "other")


class Measured:
    """An ASGI application around another. A reply is timed up to its head: what comes later is the reader's pace."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._seconds: dict[tuple[str, str], Histogram] = {}
        self._replies: dict[tuple[str, int], Counter] = {}
        for name in {*_OF_V1.values(), *_OF_ROOT.values(), "tickets", "other"}:
            for status in ("500", "503"):  # the first failure, too, is to be a rise
                telemetry.replies.labels(name, status)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes everything on."""
        if scope["type"] != ScopeType.HTTP:
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()

        async def send_measured(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._note(scope["path"], scope["method"], message["status"], time.perf_counter() - began)
            await send(message)

        await self._app(scope, receive, send_measured)

    def _note(self, path: str, method: str, status: int, seconds: float) -> None:
        name = route(path)
        timed, counted = (name, method if method in METHODS else "other"), (name, status)
        if timed not in self._seconds:  # looking a label up costs as much as all the rest
            self._seconds[timed] = telemetry.request_seconds.labels(*timed)
        if counted not in self._replies:
            self._replies[counted] = telemetry.replies.labels(name, str(status))
        self._seconds[timed].observe(seconds)
        self._replies[counted].inc()
