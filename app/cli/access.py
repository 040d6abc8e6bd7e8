"""An access token that is good: refreshed before it ends (RFC 6749, section 6), by one process at a time.

The server exchanges a refresh token once, and once more if the answer got lost; whoever comes a third time is a thief.
So processes take turns and look first whether another was faster, and one that got no answer looks whether the server
answers at all before it asks again.
"""

import time
from typing import Any

import httpx2

from app.cli.credentials import Credentials, SignedOut, Token
from app.errors import StarlingError
from app.model import OWN_CLIENT

LEFT_S = 10
"""It is refreshed when no more is left of it. A stream is told earlier, and asks for another one then."""


class Unreachable(StarlingError):
    """The server does not answer right now."""

    code = "unreachable"

    def __init__(self, detail: str | None = None, *, retry_after: float = 0) -> None:
        self.retry_after = retry_after
        super().__init__(detail)


class Access:
    """Of one device to one server."""

    def __init__(self, credentials: Credentials, http: httpx2.AsyncClient) -> None:
        self._credentials = credentials
        self._http = http

    async def token(self, stale: str | None = None) -> str:
        """A good access token, another one than `stale`. Raises `SignedOut`, `Unreachable`."""
        kept = self._credentials.token()
        if not _is_over(kept, stale):
            return kept.access_token
        async with self._credentials.locked():
            kept = self._credentials.token()
            if _is_over(kept, stale):
                kept = await self._refreshed(kept)
                self._credentials.keep(kept)
        return kept.access_token

    async def _refreshed(self, kept: Token) -> Token:
        if kept.refresh_token is None:
            raise SignedOut("The token has ended: run `starling login` again.")
        form = {"grant_type": "refresh_token", "refresh_token": kept.refresh_token, "client_id": OWN_CLIENT}
        try:
            await self._http.get("/healthz")
            answer = await self._http.post("/oauth/token", data=form)
        except httpx2.TransportError as error:
            raise Unreachable from error
        if answer.status_code in (400, 401):
            raise SignedOut("The server takes this machine's token no more: run `starling login` again.")
        if answer.status_code != 200:
            raise Unreachable(retry_after=retry_after(answer))
        return Token.read(kept.server, {"device_id": kept.device_id, **read_object(answer)})


def read_object(answer: httpx2.Response) -> dict[str, Any]:
    """A JSON object. Raises `Unreachable`: what answers is no Starling server."""
    try:
        found = answer.json()
    except ValueError as error:
        raise Unreachable(f"{answer.url.host} does not answer as a Starling server does.") from error
    if not isinstance(found, dict):
        raise Unreachable(f"{answer.url.host} does not answer as a Starling server does.")
    return found


def retry_after(answer: httpx2.Response) -> float:
    """Seconds that the server asks to wait (RFC 9110, section 10.2.3); 0 if it does not say."""
    told = answer.headers.get("retry-after", "")
    return float(told) if told.isascii() and told.isdigit() else 0.0


def _is_over(token: Token, stale: str | None) -> bool:
    return token.access_token == stale or token.expires_at < time.time() + LEFT_S
