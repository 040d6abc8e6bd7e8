"""An internet of one's own: a resolver, an authority, and web servers that count who comes."""

import asyncio
import os
import ssl
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from ipaddress import IPv4Address, IPv6Address

import trustme

from app.outbound import Internet
from app.outbound.addresses import is_public
from app.outbound.internet import Endpoint

INSIDE = "127.0.0.1"
"""Where what must not be reached listens."""
OUTSIDE = "127.0.0.2"
"""What tests take for an address on the public internet."""


@cache
def authority() -> trustme.CA:
    """Whom the clients of these tests trust."""
    return trustme.CA()


def trusting() -> ssl.SSLContext:
    """What a client trusts: that authority alone."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    authority().configure_trust(context)
    return context


def outside_too(address: IPv4Address | IPv6Address) -> bool:
    """Judges as the server does, but lets `OUTSIDE` pass."""
    return is_public(address) or str(address) == OUTSIDE


def answer(status: str = "200 OK", body: bytes = b"", **headers: str) -> bytes:
    """An HTTP answer."""
    fields = {"content_length": str(len(body))} | headers
    lines = [f"HTTP/1.1 {status}", *(f"{name.replace('_', '-')}: {value}" for name, value in fields.items())]
    return "\r\n".join([*lines, "", ""]).encode() + body


@dataclass
class Site:
    """A web server over TLS. It gives its answer to every request, then closes or, if it `lingers`, says no more.

    If it `garbles`, the answer is followed by a record that was not encrypted. It waits with answers until it `may_go`.
    """

    endpoint: Endpoint
    answer: bytes = field(default_factory=answer)
    lingers: bool = False
    garbles: bool = False
    connections: int = 0
    open: int = 0
    requests: list[bytes] = field(default_factory=list)
    came: asyncio.Event = field(default_factory=asyncio.Event)
    may_go: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.may_go.set()


@asynccontextmanager
async def site(name: str = "files.example.com", host: str = OUTSIDE) -> AsyncIterator[Site]:
    """One with a certificate of that name, while the body runs. It counts all connections, TLS or not."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority().issue_cert(name).configure_cert(context)
    running: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        made.connections += 1
        made.open += 1
        made.came.set()
        try:
            with suppress(OSError, asyncio.IncompleteReadError):
                await writer.start_tls(context)
                head = await reader.readuntil(b"\r\n\r\n")
                length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
                made.requests.append(head + await reader.readexactly(int(length or 0)))
                await made.may_go.wait()
                writer.write(made.answer)
                await writer.drain()
                if made.garbles:
                    os.write(writer.get_extra_info("socket").fileno(), b"\x17\x03\x03\x00\x05hello")
                while made.lingers and await reader.read(1024):
                    pass
        finally:
            made.open -= 1
            writer.transport.abort() if made.lingers else writer.close()

    def begin(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(serve(reader, writer))
        running.add(task)
        task.add_done_callback(running.discard)

    server = await asyncio.start_server(begin, host, 0)
    made = Site(server.sockets[0].getsockname()[:2])
    try:
        yield made
    finally:
        server.close()
        for task in list(running):
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


class Names:
    """A resolver: to each name the answers given to it, one after another, the last for ever."""

    def __init__(self, answers: Mapping[str, Sequence[Sequence[Endpoint]]]) -> None:
        self._answers = {name: list(each) for name, each in answers.items()}
        self.asked: list[str] = []

    async def __call__(self, host: str) -> Sequence[Endpoint]:
        """As the system's resolver."""
        self.asked.append(host)
        answers = self._answers.get(host)
        if not answers:
            raise OSError("no such name")
        return answers.pop(0) if len(answers) > 1 else answers[0]


def internet(
    names: Mapping[str, Site | Sequence[Endpoint]],
    may_reach: Callable[[IPv4Address | IPv6Address], bool] = outside_too,
) -> Internet:
    """One in which these names exist."""
    known = {name: [[each.endpoint] if isinstance(each, Site) else each] for name, each in names.items()}
    return Internet(Names(known), trusting(), may_reach)
