"""Who plays: a person, three devices and the assistant, let in as they would be anywhere."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from app.cli.credentials import Credentials, Token
from app.cli.demo.assistant import Assistant
from app.cli.demo.browser import Browser
from app.cli.demo.chatgpt import connected
from app.cli.demo.follower import Follower
from app.cli.demo.mcp import McpAssistant
from app.cli.demo.person import Person
from app.cli.demo.refused import Refused
from app.cli.demo.serving import Serving
from app.cli.device_grant import ask, redeem, revoke
from app.model import DeviceKind
from app.store.clients import Clients

PERSON = "person.json"
DEVICES: tuple[tuple[str, DeviceKind], ...] = (("laptop", "desktop"), ("phone", "mobile"), ("browser", "browser"))


@dataclass(frozen=True)
class Cast:
    """The laptop, the phone and the browser, in this order; ChatGPT with its token, and an assistant by MCP."""

    person: Person
    followers: tuple[Follower, ...]
    codes: tuple[str, ...]
    """What the devices showed, for the person to type."""
    assistant: Assistant
    token: str
    other: McpAssistant


@asynccontextmanager
async def cast(server: Serving, directory: Path) -> AsyncIterator[Cast]:
    """The cast of one run, offline again when the body ends; what they know of the server is kept in `directory`."""
    async with Browser(server.address) as browser:
        person = await Person.arrive(browser, directory / PERSON)
        token = await connected(Clients(server.starling.database), server.http, person)
        other = await McpAssistant.connected(server.http, server.starling.services.public_url, person)
        credentials = [Credentials(directory / name) for name, _ in DEVICES]
        codes = [
            await _let_in(server, person, name, kind, kept)
            for (name, kind), kept in zip(DEVICES, credentials, strict=True)
        ]
    followers = [
        Follower(server.http, name, kind, kept) for (name, kind), kept in zip(DEVICES, credentials, strict=True)
    ]
    try:
        yield Cast(person, tuple(followers), tuple(codes), Assistant(server.http, token), token, other)
    finally:
        for follower in followers:
            await follower.go_offline()
        await other.leave()


async def _let_in(server: Serving, person: Person, name: str, kind: str, kept: Credentials) -> str:
    """The device gets its token; the code that it showed. The device of an earlier run signs out."""
    if (former := kept.former()) is not None:
        await revoke(server.http, former)
    asked = await ask(server.http, name, kind)
    await person.allow_device(asked.verification_uri_complete or asked.verification_uri, asked.user_code)
    token = await redeem(server.http, server.address, asked)
    if not isinstance(token, Token):
        raise Refused(f"The {name} was not let in: {token}.")
    kept.keep(token)
    return asked.user_code
