"""The web server around one Starling: its socket, its signals, its end."""

import asyncio
import contextlib
import errno
import gc
import signal
import socket
import time
from collections.abc import Iterator
from functools import partial

import uvicorn

from app.api.cors import Cors
from app.api.limited import Told
from app.api.measured import Measured
from app.errors import StarlingError
from app.hub.transport import DetachingProtocol, arrivals
from app.main import Starling, web_app

DRAIN_S = 8
LAST_REQUESTS_S = 0.1
"""For connections that were just accepted: what they ask for has been sent already."""
BACKLOG = 4096
USER_TIMEOUT_MS = 15_000
"""How long sent bytes may stay unacknowledged (RFC 5482): ends half-open peers."""


class CannotListen(StarlingError):
    """The address cannot be listened on."""

    code = "cannot_listen"

    def __init__(self, detail: str | None = None, *, is_taken: bool = False) -> None:
        self.is_taken = is_taken
        super().__init__(detail)


class PartFailed(StarlingError):
    """A part of the server ended by itself, which it never should; the log says why."""

    code = "part_failed"


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 takes a free one. Raises `CannotListen`."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    # Connections inherit it. uvloop sets it by itself, asyncio for other sockets alone, and an answer waits 40 ms.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, USER_TIMEOUT_MS)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        is_taken = error.errno == errno.EADDRINUSE
        raise CannotListen(f"Cannot listen on {host}, port {port}: {error.strerror}.", is_taken=is_taken) from None
    listener.listen(BACKLOG)
    return listener


def address_of(listener: socket.socket) -> str:
    """Its URL."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def calm_collector() -> None:
    """Spares the cyclic garbage collector what is made once, and the many requests that are just waiting."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)


class Server(uvicorn.Server):
    """uvicorn, which on SIGTERM or SIGINT says `bye` on every stream, waits for them, and returns."""

    def __init__(self, starling: Starling) -> None:
        self._hub = starling.hub
        self._has_failed = False
        self._arrivals = arrivals()
        proxies = list(starling.settings.trusted_proxies)
        super().__init__(
            uvicorn.Config(
                Measured(Cors(Told(web_app(starling)))),
                http=partial(DetachingProtocol, arrivals=self._arrivals),  # type: ignore[arg-type] # it is only called
                ws="none",
                lifespan="on",
                access_log=False,
                log_config=None,
                server_header=False,
                proxy_headers=bool(proxies),
                forwarded_allow_ips=proxies,
                backlog=BACKLOG,
                timeout_keep_alive=65,
                timeout_graceful_shutdown=DRAIN_S,
            )
        )

    async def on_tick(self, counter: int) -> bool:
        """What uvicorn does ten times a second; requests that take too long to arrive are ended."""
        self._arrivals.tick(time.monotonic())
        self._has_failed = self._has_failed or self.lifespan.error_occurred or self.lifespan.shutdown_failed
        return self._has_failed or await super().on_tick(counter)

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        """Returns when it was asked to end. Raises `PartFailed`."""
        await super().serve(sockets)
        if self._has_failed:
            raise PartFailed

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Takes no more connections; ends waits and streams, then what is left, then the parts behind."""
        for server in self.servers:
            server.close()
        await asyncio.sleep(LAST_REQUESTS_S)
        self._hub.drain()
        await super().shutdown(sockets)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Handles signals in the loop, and does not raise them again: what comes after the server ends in order too."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.handle_exit, number, None)
        try:
            yield
        finally:
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.remove_signal_handler(number)
