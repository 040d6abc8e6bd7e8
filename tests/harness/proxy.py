"""Stands between the server and Postgres, and loses connections at the worst moment: around what commits."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from urllib.parse import unquote

SOCKET = ".s.PGSQL.5432"
_COMMIT = b"COMMIT;\0"
_BIRTHS = b"commit_new_items"
_SYNC = b"S\0\0\0\4"
_READY = b"Z"

Mode = Literal["pass", "before", "after", "hold", "hang"]


async def _nothing() -> None:
    """Does nothing."""


@dataclass
class Proxy:
    """What happens to the next COMMIT, or statement that makes new items, once; then all passes again.

    before   both sides are cut, the server never sees it       after   the server carries it out, its answer is lost
    hold     it waits for `release`, and then passes            hang    our side is cut, the server waits for `release`
    """

    url: str
    upstream: Path
    mode: Mode = "pass"
    release: asyncio.Event = field(default_factory=asyncio.Event)
    met: asyncio.Event = field(default_factory=asyncio.Event)
    """It met the mode."""
    on_lost: Callable[[], Awaitable[None]] = _nothing
    """Runs between the server's commit and the loss of its answer."""
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        server_reader, server_writer = await asyncio.open_unix_connection(self.upstream)
        back = asyncio.create_task(_copy(server_reader, writer))
        try:
            await self._requests(reader, writer, server_reader, server_writer, back)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            back.cancel()
            writer.transport.abort()
            server_writer.transport.abort()
            self._tasks.discard(task)

    async def _requests(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        server_reader: asyncio.StreamReader,
        server_writer: asyncio.StreamWriter,
        back: asyncio.Task[None],
    ) -> None:
        server_writer.write(await _startup(reader))
        committing = b""  # the prepared statement's name
        while True:
            message = await _message(reader)
            if message[:1] == b"P" and _BIRTHS in message:
                committing = message[5:].partition(b"\0")[0]
            is_birth = message[:1] == b"B" and message[5:].split(b"\0")[1] == committing != b""
            while is_birth and message[-5:] != _SYNC:
                message += await _message(reader)
            mode = self.mode
            if mode == "pass" or not (is_birth or message[5:] == _COMMIT):
                server_writer.write(message)
                continue
            self.mode = "pass"
            self.met.set()
            if mode == "before":
                return
            if mode == "hold":
                await self.release.wait()
                server_writer.write(message)
                continue
            if mode == "hang":
                writer.transport.abort()
                await self.release.wait()
                return
            await _stop(back)
            server_writer.write(message)
            while (await _message(server_reader))[:1] != _READY:
                pass
            await self.on_lost()
            return

    async def close(self) -> None:
        """Cuts every connection."""
        self.release.set()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


@asynccontextmanager
async def proxied(database_url: str, directory: Path) -> AsyncIterator[Proxy]:
    """A proxy before this database; its socket lies in `directory`."""
    address, _, upstream = database_url.partition("?host=")
    proxy = Proxy(f"{address}?host={directory}", Path(unquote(upstream), SOCKET))
    server = await asyncio.start_unix_server(proxy.serve, directory / SOCKET)
    try:
        yield proxy
    finally:
        server.close()
        await proxy.close()


async def _startup(reader: asyncio.StreamReader) -> bytes:
    size = await reader.readexactly(4)
    return size + await reader.readexactly(int.from_bytes(size) - 4)


async def _message(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readexactly(5)
    return head + await reader.readexactly(int.from_bytes(head[1:]) - 4)


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while data := await reader.read(65536):
            writer.write(data)
        writer.close()


async def _stop(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
