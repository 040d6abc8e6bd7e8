"""The web server's end of a connection: how long a request may take to arrive, and how a stream takes it over.

Once a stream's response has started, its connection leaves the web server, as uvicorn does for WebSocket upgrades.
From then on it costs no task, no coroutine and no parser: only a transport and a small protocol object.
"""

import asyncio
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, Protocol

import msgspec
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from app.hub.arrivals import Arrivals

EXTENSION = "starling.detach"
CUT = "starling.cut"
PATIENCE_S = 30.0
BODY_RATE = 16 * 1024
"""Bytes a second that keep a long body alive: a poor mobile connection has as many."""
MAX_HEAD_BYTES = 64 * 1024


class Successor(Protocol):
    """What takes a connection over: an `asyncio.Protocol` that ends its stream when the server shuts down."""

    def taken_over(self, transport: asyncio.Transport, connections: set[Any]) -> None:
        """Called in place of `connection_made`. `connections` are those that a shutdown waits for."""

    def shutdown(self) -> None:
        """The server is going down."""


class DetachingProtocol(HttpToolsProtocol):
    """uvicorn's HTTP protocol, offering `scope["extensions"][EXTENSION](successor) -> bool` to the application, and
    `[CUT]()`, which drops the connection at once.

    A request that has not arrived in PATIENCE_S is answered with 408 (RFC 9110, section 15.5.9) or, before its first
    byte, with the end of the connection. A body may take longer while it comes at BODY_RATE.
    """

    _running: RequestResponseCycle | None = None
    _is_in_head = _is_in_body = False
    _arrived = 0
    """Bytes of the head, or of the body since it was last waited for."""

    def __init__(self, *arguments: Any, arrivals: Arrivals["DetachingProtocol"], **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._arrivals = arrivals

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._arrivals.begin(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._arrivals.end(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self.transport.is_closing():
            return  # it was refused
        self._arrivals.begin(self)
        super().data_received(data)
        if self._is_in_head or self._is_in_body:
            self._arrived += len(data)
        if self._is_in_head and self._arrived > MAX_HEAD_BYTES:
            self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "The request's head is too large.")

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._arrivals.begin(self)
        self._is_in_head, self._arrived = True, 0

    def on_headers_complete(self) -> None:
        super().on_headers_complete()
        self._is_in_head, self._is_in_body, self._arrived = False, True, 0

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._is_in_body = False
        self._arrivals.end(self)

    def overdue(self) -> None:
        """The request has been arriving for PATIENCE_S."""
        if self._is_being_handled or self.flow.read_paused or self._arrived >= PATIENCE_S * BODY_RATE:
            self._arrived = 0
            self._arrivals.begin(self)
        elif self._is_in_head or (self._is_in_body and not self.cycle.response_started):
            self._refuse(HTTPStatus.REQUEST_TIMEOUT, "The request took too long to arrive.")
        else:
            self.transport.close()

    @property
    def _is_being_handled(self) -> bool:
        """Whether a request that has arrived is being answered; a later one on the connection has its time after it."""
        running = self._running
        return running is not None and not running.response_complete and not running.more_body

    def _refuse(self, status: HTTPStatus, detail: str) -> None:
        """Answers in place of the application, and hangs up."""
        code = status.phrase.lower().replace(" ", "_")
        problem = {"type": "about:blank", "title": status.phrase, "status": status, "detail": detail, "code": code}
        body = msgspec.json.encode(problem)
        lines = [
            f"HTTP/1.1 {status} {status.phrase}",
            "content-type: application/problem+json",
            f"content-length: {len(body)}",
            "cache-control: no-store",
            "connection: close",
        ]
        self._arrivals.end(self)
        self.transport.write("\r\n".join([*lines, "", ""]).encode() + body)
        self.transport.close()

    def send_400_response(self, msg: str) -> None:
        """Refuses what is no HTTP."""
        self._refuse(HTTPStatus.BAD_REQUEST, msg)

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._running = cycle  # `self.cycle` is the newest request's, which may wait behind this one
        cycle.scope["extensions"] = {EXTENSION: self.detach, CUT: self.transport.abort}  # type: ignore[dict-item]
        super()._start_asgi_task(cycle, app)

    def detach(self, successor: Successor) -> bool:
        """Hands the connection over; False when the client has gone already."""
        transport, cycle = self.transport, self._running
        if cycle is None or cycle.disconnected or transport.is_closing():
            return False
        self._unset_keepalive_if_required()
        self._arrivals.end(self)
        self.connections.discard(self)
        cycle.response_complete = True
        # Without these references the connection's memory halves: nothing keeps the request alive.
        cycle.scope["extensions"] = {}
        self.parser = self.cycle = self.scope = self.headers = self.flow = None  # type: ignore[assignment]
        self._running = None
        self.pipeline.clear()
        successor.taken_over(transport, self.connections)
        transport.set_protocol(successor)  # type: ignore[arg-type]
        transport.resume_reading()  # what still comes is read and thrown away, so that a hang-up is noticed
        return True


Detach = Callable[[Successor], bool]


def arrivals() -> Arrivals[DetachingProtocol]:
    """What `tick` has to be called of every second or so, and every protocol of a server is given."""
    return Arrivals(PATIENCE_S, DetachingProtocol.overdue)
