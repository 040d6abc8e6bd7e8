"""A file as a response: bytes as they are, for nothing to run and nothing to guess."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any
from urllib.parse import quote

from litestar import Response
from litestar.types import ASGIApp, Receive, Scope, Send

from app.api.ranges import Wanted, etag_of
from app.errors import Unavailable
from app.hub.transport import CUT
from app.model import File

STALL_S = 30.0
"""How long a reader may take for a piece."""
Opening = Callable[[int, int], AbstractAsyncContextManager[AsyncIterator[bytes]]]


def disposition(name: str) -> str:
    """To be saved under that name (RFC 6266): as any reader takes it, and in full (RFC 8187)."""
    plain = "".join(character if " " <= character <= "~" and character not in '"\\%' else "_" for character in name)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"


def headers_of(file: File, wanted: Wanted) -> dict[str, str]:
    """What is said of the file in every answer about it, and of the part that this one is."""
    headers = {
        "etag": etag_of(file.sha256),
        "accept-ranges": "bytes",
        "cache-control": "private, no-cache",
        "content-disposition": disposition(file.name),
        "content-security-policy": "default-src 'none'; sandbox",
        "cross-origin-resource-policy": "cross-origin",
        "x-content-type-options": "nosniff",
    }
    if wanted.status != 304:
        headers["content-length"] = str(wanted.end - wanted.start)
    if wanted.status in (200, 206):
        headers["content-type"] = file.mime_type
    if wanted.status == 206:
        headers["content-range"] = f"bytes {wanted.start}-{wanted.end - 1}/{file.size}"
    elif wanted.status == 416:
        headers["content-range"] = f"bytes */{file.size}"
    return headers


class FileResponse(Response[None]):
    """Sends what is wanted of a file, as fast as it is read. `opening(start, end)` has the bytes.

    A store that fails at once is an error like any other; later, and when the reader stalls, the connection is dropped,
    and the reader goes on with a range.
    """

    def __init__(self, file: File, wanted: Wanted, opening: Opening) -> None:
        super().__init__(None)
        self._wanted = wanted
        self._opening = opening
        self._file_headers = headers_of(file, wanted)

    def to_asgi_response(self, *_: Any, **__: Any) -> ASGIApp:  # type: ignore[override]
        """The ASGI application that does so."""
        return self._respond

    async def _respond(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with self._opening(self._wanted.start, self._wanted.end) as pieces:
            raw = [(name.encode(), value.encode("latin-1")) for name, value in self._file_headers.items()]
            gone = asyncio.ensure_future(_hang_up(receive))
            try:
                await send({"type": "http.response.start", "status": self._wanted.status, "headers": raw})
                await _send_all(pieces, send, gone)
            except (TimeoutError, Unavailable):
                scope["extensions"][CUT]()  # type: ignore[index, operator]
                await gone
            finally:
                gone.cancel()


async def _send_all(pieces: AsyncIterator[bytes], send: Send, gone: asyncio.Future[None]) -> None:
    async for piece in pieces:
        if gone.done():
            return
        async with asyncio.timeout(STALL_S):
            await send({"type": "http.response.body", "body": piece, "more_body": True})
    await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _hang_up(receive: Receive) -> None:
    """Returns when the client is gone."""
    while (await receive())["type"] != "http.disconnect":
        pass
