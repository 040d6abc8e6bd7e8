"""Access tokens and stream tickets: opaque, random, kept as SHA-256, looked up with a short cache."""

import hashlib
import secrets
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Iterable, Sequence
from datetime import timedelta
from uuid import UUID

import msgspec

from app.errors import InvalidField, Unauthorized
from app.model import Message, Principal, Revoked, Scope
from app.store.grants import Grants

CACHE_S = 3.0
CACHE_SIZE = 20_000
TICKET_LIFE = timedelta(seconds=900)
FILE_TICKET_LIFE = timedelta(seconds=300)


def new_secret(prefix: str) -> str:
    """256 random bits that say what they are, so that scanners of leaked secrets can find them."""
    return f"{prefix}_{secrets.token_urlsafe(32)}"


def digest(secret: str) -> bytes:
    """What is kept of a credential."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()


class _Cached(msgspec.Struct, frozen=True):
    principal: Principal
    until: float


class Tokens:
    """Issues credentials and tells who holds one. Run `hear()` so that a revocation empties the cache at once."""

    def __init__(self, grants: Grants) -> None:
        self._grants = grants
        self._cache: OrderedDict[bytes, _Cached] = OrderedDict()
        self._revoked: OrderedDict[UUID, int] = OrderedDict()

    async def issue(
        self,
        feed_id: UUID,
        *,
        client: str,
        scopes: Iterable[str],
        device_id: UUID | None = None,
        life: timedelta | None = None,
    ) -> str:
        """A new token for a client (made if there is none), of a device if given. Raises `InvalidField`."""
        wanted = set(scopes)
        if not wanted or not wanted <= set(Scope):
            raise InvalidField("scope", "Unknown or missing scope.", allowed=sorted(Scope))
        token = new_secret("stl")
        await self._grants.add_token(
            digest(token), feed_id=feed_id, client=client, device_id=device_id, scopes=wanted, life=life
        )
        return token

    async def authenticate(self, token: str) -> Principal:
        """Who holds this token. Raises `Unauthorized`."""
        hashed = digest(token)
        cached = self._cache.get(hashed)
        if cached is not None and self._holds(cached):
            return cached.principal
        principal = await self._grants.by_token(hashed)
        if principal is None:
            self._cache.pop(hashed, None)
            raise Unauthorized("The access token is unknown, expired or revoked.")
        self._cache[hashed] = _Cached(principal, time.monotonic() + CACHE_S)
        while len(self._cache) > CACHE_SIZE:
            self._cache.popitem(last=False)
        return principal

    def _holds(self, cached: _Cached) -> bool:
        principal = cached.principal
        is_fresh = time.monotonic() < min(cached.until, principal.good_until)
        return is_fresh and self._revoked.get(principal.feed_id, 0) <= principal.auth

    async def issue_ticket(self, principal: Principal) -> str:
        """A credential for opening streams where no header can be sent; it dies with the token it came from."""
        ticket = new_secret("stt")
        await self._grants.add_ticket(digest(ticket), token_hash=principal.token_hash, life=TICKET_LIFE)
        return ticket

    async def redeem_ticket(self, ticket: str) -> Principal:
        """Who a ticket was given to; it can be used again. Raises `Unauthorized`."""
        principal = await self._grants.by_ticket(digest(ticket))
        if principal is None:
            raise Unauthorized("The ticket is unknown or expired, or its token was revoked.")
        return principal

    async def issue_file_tickets(self, principal: Principal, file_ids: Sequence[UUID]) -> list[str]:
        """A credential for each file, to download it where no header can be sent; they die with the token."""
        tickets = [new_secret("stf") for _ in file_ids]
        hashes = {digest(ticket): file_id for ticket, file_id in zip(tickets, file_ids, strict=True)}
        await self._grants.add_file_tickets(hashes, token_hash=principal.token_hash, life=FILE_TICKET_LIFE)
        return tickets

    async def redeem_file_ticket(self, ticket: str, file_id: UUID) -> Principal:
        """Who a ticket for that file was given to; it can be used again. Raises `Unauthorized`."""
        principal = await self._grants.by_file_ticket(digest(ticket), file_id)
        if principal is None:
            raise Unauthorized("The ticket is unknown or expired, of another file, or its token was revoked.")
        return principal

    async def hear(self, messages: AsyncIterator[list[Message]]) -> None:
        """Listens for revocations until cancelled."""
        async for batch in messages:
            for message in batch:
                if isinstance(message, Revoked):
                    self._revoked[message.feed_id] = max(message.auth, self._revoked.get(message.feed_id, 0))
                    while len(self._revoked) > CACHE_SIZE:
                        self._revoked.popitem(last=False)
