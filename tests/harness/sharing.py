"""ChatGPT's files: a host that keeps them, and an assistant that shares them."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2

from app.model import Scope
from app.outbound import Internet
from tests.harness.live import Live, serving
from tests.harness.people import Assistant, Person
from tests.harness.sites import Site, answer, internet, site

HOST = "files.oaiusercontent.com"
SCOPES = (Scope.ITEMS_READ, Scope.FILES_READ, Scope.FILES_WRITE)


def ref(name: str = "a.pdf", link: str | None = None, **more: Any) -> dict[str, Any]:
    """A file as the host delivers it."""
    there = link or f"https://{HOST}/file-{name}?sig=secret"
    return {"name": name, "id": f"file-{name}", "mime_type": "application/pdf", "download_link": there, **more}


@dataclass
class Sharing:
    """A person's assistant, and the host whose files it shares."""

    live: Live
    person: Person
    assistant: Assistant
    host: Site

    async def share(self, refs: Sequence[Any], **body: Any) -> httpx2.Response:
        """Whatever comes of it."""
        return await self.assistant.call("POST", "/actions/files", {"openaiFileIdRefs": list(refs), **body})

    async def total(self) -> int:
        """How many items there are."""
        return int((await self.assistant.call("GET", "/actions/items")).json()["total"])


@asynccontextmanager
async def sharing(
    database_url: str, data_dir: Path, made: Internet | None = None, **settings: Any
) -> AsyncIterator[Sharing]:
    """All of that, while the body runs; the host's content is `content`."""
    async with site(HOST) as host:
        host.answer = answer(body=b"content")
        async with serving(database_url, data_dir, made or internet({HOST: host}), **settings) as live:
            person = await live.person()
            yield Sharing(live, person, await live.assistant(person, "conversation", scopes=SCOPES), host)
