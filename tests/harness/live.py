"""A server in this process: the real web server on a real socket."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2

from app.cli.server import Server, listen
from app.main import Starling
from app.outbound import Internet
from app.providers import Providers
from app.settings import Settings
from tests.harness.listener import Listener
from tests.harness.people import Assistant, Person, TestDevice
from tests.harness.waiting import eventually


class QuietServer(Server):
    """Leaves the signals to the test runner."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Captures none."""
        yield


@dataclass
class Live:
    """A running server and what tests do with it."""

    starling: Starling
    url: str
    http: httpx2.AsyncClient
    server: QuietServer
    listeners: list[Listener] = field(default_factory=list)

    async def person(self) -> Person:
        """A new user."""
        return await Person.make(self.starling.database)

    async def assistant(self, person: Person, conversation: str | None = None, **options: Any) -> Assistant:
        """A client of that user."""
        return Assistant(self.http, await person.token(**options), conversation)

    async def listen(self, device: TestDevice, cursor: str | None = None, query: str = "") -> Listener:
        """Opens a stream; it is closed when the server ends."""
        return await self.listen_with(device.token, cursor, query)

    async def listen_with(self, token: str | None, cursor: str | None = None, query: str = "") -> Listener:
        """The same for a device that is known by its token alone."""
        listener = Listener(self.url, token, cursor, query)
        self.listeners.append(listener)
        return await listener.open()

    async def get(self, path: str, token: str) -> httpx2.Response:
        """A GET with a bearer token."""
        return await self.http.get(path, headers={"authorization": f"Bearer {token}"})


WIDE_POOL = 60
"""Database connections for tests of what happens at once, so that nobody waits for one."""


@asynccontextmanager
async def serving(
    database_url: str,
    data_dir: Path,
    internet: Internet | None = None,
    providers: Providers | None = None,
    **settings: Any,
) -> AsyncIterator[Live]:
    """A server on a free port; settings as in `Settings`. Tests ask for more than people do: no limits by default."""
    given = {"unsafe_durability": True, "rate_limits": "off", **settings}
    read = Settings(data_dir=data_dir, database_url=database_url, **given)
    with listen("127.0.0.1", 0) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        public_url = read.public_url or url
        starling = Starling(read, database_url, public_url, internet=internet, providers=providers)
        await starling.prepare()
        server = QuietServer(starling)
        task = asyncio.create_task(server.serve([listener]))
        try:
            await eventually(lambda: server.started or task.done(), what="the server's start")
            async with httpx2.AsyncClient(base_url=url, timeout=30) as http:
                live = Live(starling, url, http, server)
                try:
                    yield live
                finally:
                    for each in live.listeners:
                        await each.close()
        finally:
            server.should_exit = True
            await task
