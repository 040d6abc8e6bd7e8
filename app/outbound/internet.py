"""The only way out: a host is resolved once, all of its addresses are judged, and one of these is connected to."""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from ipaddress import IPv4Address, IPv6Address, ip_address
from ssl import SSLContext

import httpcore2
import structlog

from app.outbound.addresses import is_public
from app.outbound.errors import FetchFailed
from app.outbound.urls import HTTPS

RESOLVE_S, CONNECT_S = 5.0, 5.0
LOOKUPS = 4
TRIED = 4
"""Addresses of a host that are tried."""

Endpoint = tuple[str, int]
"""An IP address and a port."""
Resolve = Callable[[str], Awaitable[Sequence[Endpoint]]]

log = structlog.get_logger(__name__)


class Internet:
    """Connects to public hosts. What is given in the defaults' stead is what a test has for an internet."""

    def __init__(
        self,
        resolve: Resolve | None = None,
        tls: SSLContext | None = None,
        may_reach: Callable[[IPv4Address | IPv6Address], bool] = is_public,
    ) -> None:
        """`tls` holds the authorities that are trusted; None: the system's."""
        self._resolve = resolve or SystemResolver()
        self._tls = tls or httpcore2.default_ssl_context()
        self._may_reach = may_reach
        self._network = httpcore2.AnyIOBackend()

    async def connect(self, host: str) -> httpcore2.AsyncNetworkStream:
        """A connection whose certificate is the host's. Raises `FetchFailed`, in the same words whatever was found."""
        failed = ""
        for address, port in (await self._endpoints(host))[:TRIED]:
            try:
                stream = await self._network.connect_tcp(address, port, timeout=CONNECT_S)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout):
                failed = "unreachable"
                continue
            try:
                return await stream.start_tls(self._tls, server_hostname=host, timeout=CONNECT_S)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout):
                failed = "tls"
            except asyncio.CancelledError:
                await stream.aclose()
                raise
        log.info("outbound.failed", host=host, reason=failed or "unresolved")
        raise FetchFailed

    async def _endpoints(self, host: str) -> Sequence[Endpoint]:
        """All of a host's, or none if one of them is not public."""
        try:
            async with asyncio.timeout(RESOLVE_S):
                found = await self._resolve(host)
        except (OSError, UnicodeError):  # a time-out, too
            return ()
        if all(self._may_reach(ip_address(address)) for address, _ in found):
            return found
        log.warning("outbound.refused", host=host, reason="not_public")
        raise FetchFailed


class SystemResolver:
    """Asks as the system is configured to, in few threads of its own: slow name servers keep nobody else waiting."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(LOOKUPS, thread_name_prefix="lookup")

    async def __call__(self, host: str) -> Sequence[Endpoint]:
        """In the order to try them. Raises `OSError`."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._look_up, host)

    @staticmethod
    def _look_up(host: str) -> Sequence[Endpoint]:
        found = socket.getaddrinfo(host, HTTPS, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG)
        return list(dict.fromkeys((str(each[4][0]), HTTPS) for each in found))
