"""What this machine keeps of each server that it is signed in to: tokens, and how far it has read.

All of it is readable by this account alone. A file is replaced as a whole: whoever reads it, or is interrupted, finds
the old one or the new one.
"""

import asyncio
import os
import tempfile
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote, urlsplit

import click
import httpx2
import msgspec

from app.errors import StarlingError
from app.local.startlock import try_lock

LOOPBACK = ("localhost", "127.0.0.1", "::1")
TIMEOUT_S = 30
POLL_S = 0.05


class CannotSignIn(StarlingError):
    """The server did not let this machine in."""

    code = "cannot_sign_in"


class SignedOut(StarlingError):
    """This machine is not signed in: run `starling login`."""

    code = "signed_out"


class Token(msgspec.Struct, frozen=True):
    """What a server gave to this machine. `expires_at`: by this machine's clock, in seconds since 1970."""

    server: str
    access_token: str
    expires_at: float
    refresh_token: str | None = None
    device_id: str | None = None
    scope: str = ""

    @classmethod
    def read(cls, server: str, answer: Mapping[str, Any]) -> Self:
        """From the answer of a token endpoint (RFC 6749, section 5.1). Raises `CannotSignIn`."""
        try:
            return msgspec.convert({**answer, "server": server, "expires_at": time.time() + answer["expires_in"]}, cls)
        except (KeyError, TypeError, msgspec.ValidationError) as error:
            raise CannotSignIn(f"The answer of {server} is no token.") from error


class Credentials:
    """Those for one server, in a directory of their own."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._token, self._cursor = directory / "token.json", directory / "cursor"

    @classmethod
    def of(cls, server: str) -> Self:
        """Where this account keeps them."""
        name = server.removeprefix("https://").removeprefix("http://")
        return cls(_home() / quote(name, safe=":[]"))

    @classmethod
    def known(cls) -> list[Self]:
        """Those for all servers that this account is signed in to."""
        return [cls(path.parent) for path in sorted(_home().glob("*/token.json"))]

    @classmethod
    def chosen(cls, server: str | None) -> Self:
        """Those for this server, or for the only one. Raises `SignedOut`, `UsageError` where there is a choice."""
        if server is not None:
            return cls.of(server)
        known = cls.known()
        if len(known) > 1:
            raise click.UsageError(f"Name a server: {', '.join(each.token().server for each in known)}")
        if not known:
            raise SignedOut
        return known[0]

    def token(self) -> Token:
        """What the server gave. Raises `SignedOut`."""
        try:
            return msgspec.json.decode(self._token.read_bytes(), type=Token)
        except FileNotFoundError:
            raise SignedOut from None
        except msgspec.DecodeError as error:
            raise SignedOut(f"{self._token} cannot be read: run `starling login` again.") from error

    def former(self) -> Token | None:
        """What the server gave before, if it can be told."""
        try:
            return self.token()
        except SignedOut:
            return None

    def keep(self, token: Token) -> Path:
        """Keeps it, on the disk when this returns; where."""
        replace(self._token, msgspec.json.encode(token), durable=True)
        return self._token

    def forget(self) -> None:
        """Removes the token and the cursor."""
        for path in (self._token, self._cursor):
            path.unlink(missing_ok=True)

    def cursor(self) -> str:
        """How far this machine has read; empty at first."""
        try:
            return self._cursor.read_text(errors="replace").strip()
        except FileNotFoundError:
            return ""

    def keep_cursor(self, cursor: str) -> None:
        """Keeps how far it has read. What a crash takes back is read twice."""
        replace(self._cursor, cursor.encode())

    @asynccontextmanager
    async def locked(self) -> AsyncIterator[None]:
        """While the body runs, no other process is in it."""
        _prepare(self.directory)
        while (descriptor := try_lock(self.directory / "lock")) is None:  # noqa: ASYNC110 - held by another process
            await asyncio.sleep(POLL_S)
        try:
            yield
        finally:
            os.close(descriptor)


def address(_: click.Context, parameter: click.Parameter, given: str | None) -> str | None:
    """A server's address as it is kept: https, or on this machine."""
    if given is None:
        return None
    parts = urlsplit(given)
    is_near = parts.scheme == "http" and parts.hostname in LOOPBACK
    if not (is_near or parts.scheme == "https") or not parts.hostname or "@" in parts.netloc:
        raise click.BadParameter("must be an https address, or one of this machine", param=parameter)
    return f"{parts.scheme}://{parts.netloc.lower()}{parts.path}".rstrip("/")


def connect(server: str, timeout: httpx2.Timeout | float = TIMEOUT_S) -> httpx2.AsyncClient:
    """A client of this server. A proxy that the environment names is no way to this very machine."""
    return httpx2.AsyncClient(base_url=server, timeout=timeout, trust_env=urlsplit(server).hostname not in LOOPBACK)


def _home() -> Path:
    return Path(click.get_app_dir("starling")) / "servers"


def _prepare(directory: Path) -> None:
    for each in (directory.parent.parent, directory.parent, directory):
        each.mkdir(mode=0o700, parents=True, exist_ok=True)


def replace(path: Path, content: bytes, *, durable: bool = False) -> None:
    """Writes a file that only this account reads, with its directory; whoever reads it finds all of it."""
    _prepare(path.parent)
    descriptor, scratch = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)  # 0600
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        Path(scratch).replace(path)
    except BaseException:
        with suppress(FileNotFoundError):
            Path(scratch).unlink()
        raise
