"""Another origin: a program on this machine to which people come back (RFC 8252, 7.3), or an attacker's site."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from tests.harness.oauth import query_of

HEAD = "<!doctype html><html lang=en><link rel=icon href=data:,><title>Elsewhere</title>"
REPLY = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/html; charset=utf-8\r\ncontent-length: %d\r\nconnection: close\r\n\r\n%b"
)


@dataclass
class Program:
    """Its callback address, what it shows there, and with which parameters people came."""

    page: str
    url: str = ""
    came: list[dict[str, str]] = field(default_factory=list)
    referrers: list[str] = field(default_factory=list)
    """What their browsers said of where they had been."""

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One request."""
        request, *headers = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        self.came.append(query_of(request.split()[1]))
        self.referrers += [line for line in headers if line.lower().startswith("referer:")]
        body = (HEAD + self.page).encode()
        writer.write(REPLY % (len(body), body))
        await writer.drain()
        writer.close()


@asynccontextmanager
async def program(page: str = "<h1>You are back</h1>") -> AsyncIterator[Program]:
    """Listens on a port that it did not register."""
    made = Program(page)
    server = await asyncio.start_server(made.answer, "127.0.0.1", 0)
    made.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/callback"
    async with server:
        yield made
