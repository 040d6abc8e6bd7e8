"""Stands between a client and the server, as a bad network does: cuts, loses answers, hands bytes on one by one."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from urllib.parse import urlsplit


@dataclass
class Front:
    """`url` leads through it. Numbers are of what it has met so far."""

    url: str
    upstream: tuple[str, int]
    lose: bytes = b""
    """A request whose head begins so is carried out, and its answer lost; once."""
    singly: bool = False
    """Answers come byte by byte."""
    met: list[bytes] = field(default_factory=list)
    """The first line of each request."""
    _connections: set[tuple[asyncio.StreamWriter, asyncio.StreamWriter]] = field(default_factory=set)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        up_reader, up_writer = await asyncio.open_connection(*self.upstream)
        pair = (writer, up_writer)
        self._connections.add(pair)
        try:
            with suppress(ConnectionError):
                await asyncio.gather(self._requests(reader, up_writer), self._answers(up_reader, writer))
        finally:
            self._connections.discard(pair)
            self._tasks.discard(task)
            for each in pair:
                each.transport.abort()

    async def _requests(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            if b" HTTP/1.1\r\n" in data:
                self.met.append(data.partition(b"\r\n")[0])
            writer.write(data)
        writer.transport.abort()

    async def _answers(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            if self.lose and self.met[-1].startswith(self.lose):
                self.lose = b""
                break
            for piece in [bytes([byte]) for byte in data] if self.singly else [data]:
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(0)
        writer.transport.abort()

    def count(self, begins: bytes) -> int:
        """Requests whose first line begins so."""
        return sum(line.startswith(begins) for line in self.met)

    def cut(self) -> None:
        """Ends every connection, without a word."""
        for pair in list(self._connections):
            for each in pair:
                each.transport.abort()


@asynccontextmanager
async def front_of(url: str) -> AsyncIterator[Front]:
    """One before the server at this address."""
    parts = urlsplit(url)
    assert parts.hostname is not None
    assert parts.port is not None
    front = Front("", (parts.hostname, parts.port))
    server = await asyncio.start_server(front.serve, "127.0.0.1", 0)
    front.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield front
    finally:
        server.close()
        front.cut()
        await asyncio.gather(*front._tasks)
