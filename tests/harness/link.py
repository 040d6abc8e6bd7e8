"""A link to Redis that can go down: bytes wait on their way, connections stay, and nobody is told."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, unquote


@dataclass
class Link:
    """`url` leads through it to the Redis behind it."""

    url: str
    upstream: Path
    _is_up: asyncio.Event = field(default_factory=asyncio.Event)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    def down(self) -> None:
        """From now on nothing arrives, at either end."""
        self._is_up.clear()

    def up(self) -> None:
        """What waits arrives, and all that follows."""
        self._is_up.set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            with suppress(OSError, asyncio.CancelledError):  # `close` ends it
                await self._is_up.wait()
                up_reader, up_writer = await asyncio.open_unix_connection(self.upstream)
                await asyncio.gather(self._carry(reader, up_writer), self._carry(up_reader, writer))
        finally:
            writer.transport.abort()
            self._tasks.discard(task)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with suppress(ConnectionError):
                while data := await reader.read(65536):
                    await self._is_up.wait()
                    writer.write(data)
        finally:
            writer.transport.abort()

    async def close(self) -> None:
        """Ends every connection."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


@asynccontextmanager
async def link_to(redis_url: str, directory: Path) -> AsyncIterator[Link]:
    """A link to the Redis at a `unix://` address; its own socket lies in `directory`."""
    socket = directory / "link.sock"
    link = Link(f"unix://{quote(str(socket))}", Path(unquote(redis_url.removeprefix("unix://"))))
    link.up()
    server = await asyncio.start_unix_server(link.serve, socket)
    try:
        yield link
    finally:
        server.close()
        await link.close()
