"""A certified sign-in provider as a process of its own, and how a person passes through it."""

import asyncio
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urljoin

import httpx2

from tests.harness.browser import forms

WITHIN_S = 60


@dataclass
class RealProvider:
    """It runs until the end of the test; the clients are named after how their tokens are signed."""

    process: Process
    issuer: str

    async def serve(self, callback: str) -> None:
        """Takes that address for its clients' own, with new keys."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{callback}\n".encode())
        assert await self._line() == "ready"

    async def _line(self) -> str:
        assert self.process.stdout is not None
        async with asyncio.timeout(WITHIN_S):
            return (await self.process.stdout.readline()).decode().strip()

    def settings(self, alg: str = "RS256") -> dict[str, Any]:
        """For a server that lets people sign in through it."""
        return {
            "oidc_issuer": self.issuer,
            "oidc_client_id": alg,
            "oidc_client_secret": f"secret of {alg} & co",
            "oidc_label": "Example",
        }


@asynccontextmanager
async def real_provider() -> AsyncIterator[RealProvider]:
    """Started; it serves nothing before `serve`."""
    script = Path(__file__).with_suffix(".mjs")
    process = await asyncio.create_subprocess_exec("node", str(script), stdin=PIPE, stdout=PIPE)
    provider = RealProvider(process, "")
    try:
        provider.issuer = await provider._line()
        yield provider
    finally:
        process.kill()
        await process.wait()


@dataclass
class Visitor:
    """A person's browser on the provider's own pages."""

    claims: dict[str, str]
    http: httpx2.AsyncClient = field(default_factory=lambda: httpx2.AsyncClient(timeout=WITHIN_S))
    typed: int = 0
    """How often it had to sign in there."""

    async def pass_through(self, to: str) -> str:
        """Signs in where it must, agrees to all, and returns the address that the provider sends it back to."""
        issuer = urljoin(to, "/")
        answer = await self.http.get(to)
        while True:
            while answer.status_code in (302, 303):
                to = urljoin(str(answer.url), answer.headers["location"])
                if not to.startswith(issuer):
                    return to
                answer = await self.http.get(to)
            assert answer.status_code == 200, answer.text
            ((action, fields),) = forms(answer.text)
            if "login" in fields:
                self.typed += 1
                fields |= {"login": urlencode(self.claims), "password": "any"}
            answer = await self.http.post(urljoin(str(answer.url), action), data=fields)
