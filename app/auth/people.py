"""People sign up, in and out of the pages."""

import asyncio
import ipaddress
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import timedelta

from app.auth.passwords import MAX_LENGTH, hash_password, verify_password
from app.auth.tokens import digest, new_secret
from app.errors import InvalidField, SignUpClosed, WrongPassword
from app.model import Message
from app.store.accounts import Accounts
from app.store.database import Database
from app.store.grants import Grants
from app.store.security import EventKind, SecurityEvents
from app.store.sessions import Account, Sessions
from app.store.throttles import Throttles

MAX_EMAIL = 254  # RFC 5321, 4.5.3.1.3
SESSION_LIFE = timedelta(days=14)
HASHING_AT_ONCE = 2
PERIOD = timedelta(minutes=15)
PER_ACCOUNT, PER_ADDRESS, SIGN_UPS = 10, 50, 10


class People:
    """Accounts and sessions. Passwords are hashed a few at a time: each takes 64 MiB and a good part of a second."""

    def __init__(
        self,
        grants: Grants,
        database: Database,
        throttles: Throttles,
        publish: Callable[[Sequence[Message]], None],
        *,
        is_open: bool,
    ) -> None:
        self._grants = grants
        self._sessions = Sessions(database)
        self._accounts = Accounts(database)
        self.events = SecurityEvents(database)
        self._publish = publish
        self._throttles = throttles
        self._hashing = asyncio.Semaphore(HASHING_AT_ONCE)
        self.is_open = is_open
        """Whether anybody may sign up."""

    async def sign_up(self, email: str, password: str, address: str) -> str:
        """A new account; a session's secret. Raises `SignUpClosed`, `InvalidField`, `AlreadyExists`."""
        if not self.is_open:
            raise SignUpClosed
        email = email.strip()
        if not is_email(email):
            raise InvalidField("email", "This is no e-mail address.")
        await self._throttles.hit("sign-up", network(address), limit=SIGN_UPS, period=timedelta(hours=1))
        async with self._hashing:
            hashed = await hash_password(password)
        await self._grants.add_user(email, hashed)
        return await self._begin(email, "signed_up", address)

    async def sign_in(self, email: str, password: str, address: str) -> str:
        """A session's secret. Raises `WrongPassword`; `TooManyRequests` after that was tried too often."""
        email = email.strip()[:MAX_EMAIL]
        await self._throttles.hit("sign-in address", network(address), limit=PER_ADDRESS, period=PERIOD)
        await self._throttles.hit("sign-in account", email.lower(), limit=PER_ACCOUNT, period=PERIOD)
        found = await self._sessions.credentials(email) if is_email(email) else None
        async with self._hashing:
            is_right = await verify_password(found[1] if found else None, password[: MAX_LENGTH + 1])
        if found is None:
            raise WrongPassword
        if found[1] is None or not is_right:
            await self.events.note(found[0], "sign_in_failed", address)
            raise WrongPassword
        await self._throttles.clear("sign-in account", email.lower())
        return await self._begin(email, "signed_in", address)

    async def account(self, secret: str | None) -> Account | None:
        """Who is signed in with this session's secret."""
        return None if not secret else await self._sessions.account(digest(secret))

    async def change_password(self, account: Account, current: str, new: str, address: str) -> str:
        """A new session's secret; all others end. Devices stay. Raises `WrongPassword`, `InvalidField`."""
        await self._require_password(account, current, address)
        async with self._hashing:
            hashed = await hash_password(new)
        await self._accounts.set_password(account, hashed)
        return await self._begin(account.email, "password_changed", address)

    async def delete(self, account: Account, password: str, address: str) -> None:
        """Deletes the account with everything in it, and cuts its streams. Raises `WrongPassword`."""
        await self._require_password(account, password, address)
        self._publish([await self._accounts.delete(account)])

    def items(self, account: Account) -> AsyncIterator[bytes]:
        """All that the person has saved, item by item."""
        return self._accounts.items(account)

    async def _require_password(self, account: Account, password: str, address: str) -> None:
        await self._throttles.hit("sign-in address", network(address), limit=PER_ADDRESS, period=PERIOD)
        await self._throttles.hit("sign-in account", account.email, limit=PER_ACCOUNT, period=PERIOD)
        kept = await self._accounts.password_hash(account)
        async with self._hashing:
            if not await verify_password(kept, password):
                raise WrongPassword("The password is wrong.")
        await self._throttles.clear("sign-in account", account.email)

    async def sign_out(self, secret: str) -> None:
        """Ends the session."""
        await self._sessions.end(digest(secret))

    async def _begin(self, email: str, event: EventKind, address: str) -> str:
        found = await self._sessions.credentials(email)
        if found is None:
            raise WrongPassword
        secret = new_secret("stn")
        await self._sessions.add(digest(secret), found[0], SESSION_LIFE)
        await self.events.note(found[0], event, address)
        return secret


def is_email(text: str) -> bool:
    """Whether it can be an address; only a letter sent there could tell more."""
    user, at, host = text.rpartition("@")
    is_plain = len(text) <= MAX_EMAIL and text.isprintable() and " " not in text
    return is_plain and bool(user and at and host)


def network(address: str) -> str:
    """Whom an address belongs to, as far as it can be told: with IPv6, everybody has at least a /64."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if parsed.version == 4:
        return address
    return str(ipaddress.ip_network((parsed, 64), strict=False))
