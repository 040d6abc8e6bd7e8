"""A database that can be away: a relay before it that cuts every connection and takes no new one, until it ends."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import mkdtemp
from typing import Any
from urllib.parse import unquote

from tests.harness.live import Live, serving

SOCKET = ".s.PGSQL.5432"


@dataclass
class Outage:
    """`url` leads through the relay; between `begin` and `end` nothing passes."""

    url: str
    upstream: Path
    socket: Path
    _server: asyncio.Server | None = None
    _writers: set[asyncio.StreamWriter] = field(default_factory=set)

    async def begin(self) -> None:
        """The database goes away."""
        if self._server is not None:
            self._server.close()
            self.socket.unlink(missing_ok=True)
        self._server = None
        for writer in list(self._writers):
            writer.transport.abort()

    async def end(self) -> None:
        """It is back."""
        self._server = await asyncio.start_unix_server(self._relay, self.socket)

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        up_reader, up_writer = await asyncio.open_unix_connection(self.upstream)
        self._writers |= {writer, up_writer}
        await asyncio.gather(self._copy(reader, up_writer), self._copy(up_reader, writer))
        self._writers -= {writer, up_writer}

    @staticmethod
    async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while data := await reader.read(65536):
                writer.write(data)
        writer.transport.abort()


@asynccontextmanager
async def outage_before(database_url: str) -> AsyncIterator[Outage]:
    """A relay before this database."""
    directory = Path(mkdtemp(prefix="starling-relay-"))
    address, _, host = database_url.partition("?host=")
    outage = Outage(f"{address}?host={directory}", Path(unquote(host), SOCKET), directory / SOCKET)
    await outage.end()
    try:
        yield outage
    finally:
        await outage.begin()
        shutil.rmtree(directory)


def serving_through(outage: Outage, data_dir: Path, **settings: Any) -> AbstractAsyncContextManager[Live]:
    """A server whose database can be away."""
    return serving(outage.url, data_dir, **settings)
