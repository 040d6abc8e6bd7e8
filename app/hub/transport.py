"""Takes a connection out of the web server once its response has started, as uvicorn does for WebSocket upgrades.

From then on it costs no task, no coroutine and no parser: only a transport and a small protocol object.
"""

import asyncio
from collections.abc import Callable
from typing import Any, Protocol

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

EXTENSION = "starling.detach"


class Successor(Protocol):
    """What takes a connection over: an `asyncio.Protocol` that ends its stream when the server shuts down."""

    def taken_over(self, transport: asyncio.Transport, connections: set[Any]) -> None:
        """Called in place of `connection_made`. `connections` are those that a shutdown waits for."""

    def shutdown(self) -> None:
        """The server is going down."""


class DetachingProtocol(HttpToolsProtocol):
    """uvicorn's HTTP protocol, offering `scope["extensions"][EXTENSION](successor) -> bool` to the application."""

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._running = cycle  # `self.cycle` is the newest request's, which may wait behind this one
        cycle.scope["extensions"] = {EXTENSION: self.detach}  # type: ignore[dict-item]
        super()._start_asgi_task(cycle, app)

    def detach(self, successor: Successor) -> bool:
        """Hands the connection over; False when the client has gone already."""
        transport, cycle = self.transport, self._running
        if cycle.disconnected or transport.is_closing():
            return False
        self._unset_keepalive_if_required()
        self.connections.discard(self)
        cycle.response_complete = True
        # Without these references the connection's memory halves: nothing keeps the request alive.
        cycle.scope["extensions"] = {}
        self.parser = self.cycle = self.scope = self.headers = self.flow = None  # type: ignore[assignment]
        del self._running
        self.pipeline.clear()
        successor.taken_over(transport, self.connections)
        transport.set_protocol(successor)  # type: ignore[arg-type]
        transport.resume_reading()  # what still comes is read and thrown away, so that a hang-up is noticed
        return True


Detach = Callable[[Successor], bool]
