"""A machine of a person: its own home directory, signed in to a server as a device."""

import asyncio
import json
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from app.cli.credentials import Credentials, Token
from tests.harness.live import Live
from tests.harness.oauth import OAuthClient
from tests.harness.people import Person

WITHIN_S = 60.0


@dataclass
class Command:
    """A running `starling` command, and the lines that it has written."""

    process: Process
    lines: list[str] = field(default_factory=list)

    async def line(self) -> str:
        """The next line of its output."""
        assert self.process.stdout is not None
        line = (await asyncio.wait_for(self.process.stdout.readline(), WITHIN_S)).decode()
        assert line, await self.errors()
        self.lines.append(line.removesuffix("\n"))
        return self.lines[-1]

    async def told(self) -> Any:
        """The next line, which is JSON."""
        return json.loads(await self.line())

    async def errors(self) -> str:
        """What it wrote on standard error until it ended."""
        assert self.process.stderr is not None
        return (await asyncio.wait_for(self.process.stderr.read(), WITHIN_S)).decode()

    async def interrupt(self) -> int:
        """Ctrl-C; its exit code."""
        self.process.send_signal(signal.SIGINT)
        return await self.ended()

    async def ended(self) -> int:
        """Its exit code."""
        return await asyncio.wait_for(self.process.wait(), WITHIN_S)


@dataclass
class Machine:
    """One."""

    home: Path

    @property
    def environment(self) -> dict[str, str]:
        """What its processes see."""
        return {"HOME": str(self.home), "XDG_CONFIG_HOME": str(self.home / "config"), "PATH": os.environ["PATH"]}

    def credentials(self, server: str) -> Credentials:
        """What it keeps of a server."""
        name = Credentials.of(server).directory.name
        return Credentials(self.home / "config" / "starling" / "servers" / name)

    async def sign_in(self, live: Live, person: Person, server: str | None = None) -> Token:
        """As `starling login` leaves it, without the person's clicks."""
        own = OAuthClient(live, "starling", None, redirect_uri="http://127.0.0.1:5/callback")
        answer = await own.grant(person, scope="stream items:read", device_name="laptop", device_kind="cli")
        token = Token.read(server or live.url, answer)
        self.credentials(token.server).keep(token)
        return token

    def command(self, *arguments: str) -> list[str]:
        """The words of a `starling` command."""
        return [sys.executable, "-m", "app.cli", *arguments]

    @asynccontextmanager
    async def running(self, *arguments: str) -> AsyncIterator[Command]:
        """A command; it is killed if it still runs at the end."""
        process = await asyncio.create_subprocess_exec(
            *self.command(*arguments), env=self.environment, stdout=PIPE, stderr=PIPE, limit=2**22
        )
        try:
            yield Command(process)
        finally:
            if process.returncode is None:
                process.kill()
            await process.communicate()

    async def run(self, *arguments: str) -> tuple[int, str, str]:
        """Exit code, output and errors of a command that ends by itself."""
        async with self.running(*arguments) as command:
            out, err = await asyncio.wait_for(command.process.communicate(), WITHIN_S)
            return await command.ended(), out.decode(), err.decode()
