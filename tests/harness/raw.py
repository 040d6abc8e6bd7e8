"""Requests as bytes, for what no well-behaved client can send."""

import asyncio
from dataclasses import dataclass
from urllib.parse import urlsplit

DEADLINE_S = 30.0


@dataclass(frozen=True)
class Answer:
    """The first response on a connection."""

    status: int
    headers: dict[str, str]
    body: bytes


async def exchange(url: str, *parts: bytes) -> Answer:
    """Sends the parts until the server has had enough of them; reads one response."""
    address = urlsplit(url)
    async with asyncio.timeout(DEADLINE_S):
        reader, writer = await asyncio.open_connection(address.hostname, address.port)
        sending = asyncio.create_task(_send(writer, parts))
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            status, *lines = head.strip().split("\r\n")
            headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
            body = await reader.readexactly(int(headers.get("content-length", "0")))
            return Answer(int(status.split()[1]), headers, body)
        finally:
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)
            writer.transport.abort()


async def _send(writer: asyncio.StreamWriter, parts: tuple[bytes, ...]) -> None:
    for part in parts:
        writer.write(part)
        await writer.drain()


def request(method: str, target: str, token: str, *headers: str, body: bytes | None = b"") -> bytes:
    """A whole request; without a body, its head alone."""
    lines = [f"{method} {target} HTTP/1.1", "host: x", f"authorization: Bearer {token}", *headers]
    if body is not None:
        lines.append(f"content-length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + (body or b"")
