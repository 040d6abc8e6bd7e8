"""People sign up, in and out of the pages."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import timedelta
from typing import Literal

from app.auth.failures import Failures
from app.auth.passwords import MAX_LENGTH, hash_password, verify_password
from app.auth.tokens import digest, new_secret
from app.errors import InvalidField, InvitationNeeded, SignInAgain, SignUpClosed, WrongPassword
from app.limits.networks import network
from app.model import Message
from app.store.accounts import Accounts
from app.store.database import Database
from app.store.grants import Grants
from app.store.identities import Identities
from app.store.invitations import Invitations
from app.store.security import EventKind, SecurityEvents
from app.store.sessions import Account, Opening, Password, Proof, Sessions
from app.store.throttles import Throttles

MAX_EMAIL = 254  # RFC 5321, 4.5.3.1.3
SignUp = Literal["open", "invitation", "closed"]
SESSION_LIFE = timedelta(days=14)
HASHING_AT_ONCE = 2
PERIOD = timedelta(minutes=15)
TRIES, PER_ADDRESS, PER_ACCOUNT, SIGN_UPS = 10, 50, 100, 10
"""Passwords: from one address for one account, from one address, for one account from anywhere. New accounts."""
_WRONG = "The password is wrong."


class People:
    """Accounts and sessions. Passwords are hashed a few at a time: each takes 64 MiB and a good part of a second."""

    def __init__(
        self,
        grants: Grants,
        database: Database,
        throttles: Throttles,
        publish: Callable[[Sequence[Message]], None],
        *,
        sign_up: SignUp,
    ) -> None:
        self._grants = grants
        self._sessions = Sessions(database)
        self._accounts = Accounts(database)
        self.events = SecurityEvents(database)
        self.failures = Failures(self.events)
        self.identities = Identities(database)
        self._publish = publish
        self._throttles = throttles
        self._hashing = asyncio.Semaphore(HASHING_AT_ONCE)
        self._invitations = Invitations(database)
        self._sign_up = sign_up

    @property
    def is_open(self) -> bool:
        """Whether anybody may sign up."""
        return self._sign_up == "open"

    async def welcome(self, invitation: bytes | None) -> str | None:
        """Whether who has the invitation with this hash, or none, may make an account; the only address it may have.

        Raises `SignUpClosed`, `InvitationNeeded`.
        """
        if self._sign_up == "closed":
            raise SignUpClosed
        if invitation is None:
            if self.is_open:
                return None
            raise InvitationNeeded
        found = await self._invitations.find(invitation)
        if found is None:
            raise InvitationNeeded("This invitation was used already, or has ended.")
        return found.email

    async def sign_up(self, email: str, password: str, address: str, invitation: str | None = None) -> str:
        """A new account; a session's secret. Raises `InvalidField`, `AlreadyExists`, and as `welcome` does."""
        email, spent = email.strip(), digest(invitation) if invitation else None
        await self.welcome(spent)
        if not is_email(email):
            raise InvalidField("email", "This is no e-mail address.")
        await self._throttles.hit("sign-up", network(address), limit=SIGN_UPS, period=timedelta(hours=1))
        hashed = await self._hash(password)
        await self._grants.add_user(email, hashed, invitation=spent)
        return await self._open(Password(email, hashed), "signed_up", address)

    async def sign_in(self, email: str, password: str, address: str) -> str:
        """A session's secret. Raises `AccountDisabled`, and as `verify` does."""
        proof = await self.verify(email, password, address)
        return await self._open(proof, "signed_in", address)

    async def verify(self, email: str, password: str, address: str) -> Password:
        """The proof that somebody knows an account's password. Raises `WrongPassword`, `TooManyRequests`."""
        email, place = email.strip()[:MAX_EMAIL].lower(), network(address)
        await self._throttles.hit("sign-in address", place, limit=PER_ADDRESS, period=PERIOD)
        await self._throttles.hit("sign-in", f"{email} {place}", limit=TRIES, period=PERIOD)
        await self._throttles.hit("sign-in account", email, limit=PER_ACCOUNT, period=PERIOD)
        found = await self._sessions.credentials(email) if is_email(email) else None
        user_id, kept = found or (None, None)
        is_right = await self._is_password(kept, password)
        if user_id is not None and not is_right:
            self.failures.note(user_id, address)
        if kept is None or not is_right:
            raise WrongPassword
        await self._throttles.clear("sign-in", f"{email} {place}")
        await self._throttles.give_back("sign-in account", email)
        return Password(email, kept)

    async def account(self, secret: str | None) -> Account | None:
        """Who is signed in with this session's secret."""
        return None if not secret else await self._sessions.account(digest(secret))

    async def change_password(self, account: Account, current: str, new: str, address: str) -> str:
        """A new session's secret; all others end. Devices stay. Raises `InvalidField`, and as `_require` does."""
        kept = await self._require(account, current, address)
        hashed = await self._hash(new)
        if not await self._accounts.set_password(account, kept, hashed):
            raise WrongPassword(_WRONG)
        return await self._open(Password(account.email, hashed), "password_changed", address)

    async def delete(self, account: Account, password: str, address: str) -> None:
        """Deletes the account with everything in it, and cuts its streams. Raises as `_require` does."""
        await self._require(account, password, address)
        self._publish([await self._accounts.delete(account)])

    async def part(self, account: Account, password: str, address: str) -> str:
        """Ends signing in through providers; a new session's secret; all others end. Raises as `_require` does."""
        kept = await self._require(account, password, address)
        if kept is None:
            raise WrongPassword("Set a password first: without one, nothing would let you in.")
        session = new_secret("stn")
        opening = Opening(digest(session), SESSION_LIFE, "unlinked", address)
        if not await self.identities.part(account, opening, Password(account.email, kept)):
            raise WrongPassword(_WRONG)
        return session

    def items(self, account: Account) -> AsyncIterator[bytes]:
        """All that the person has saved, item by item."""
        return self._accounts.items(account)

    async def sign_out(self, secret: str) -> None:
        """Ends the session."""
        await self._sessions.end(digest(secret))

    async def _require(self, account: Account, password: str, address: str) -> str | None:
        """The hash of the password; None where there is none, and the provider was asked who it is just now.

        Tries are counted for the account alone: only who is signed in gets here. Raises `WrongPassword`,
        `TooManyRequests`, `SignInAgain`.
        """
        kept = await self._accounts.password_hash(account)
        if kept is None:
            if not account.is_proven:
                raise SignInAgain
            return None
        await self._throttles.hit("password", str(account.user_id), limit=TRIES, period=PERIOD)
        if not await self._is_password(kept, password):
            self.failures.note(account.user_id, address)
            raise WrongPassword(_WRONG)
        await self._throttles.clear("password", str(account.user_id))
        return kept

    async def _hash(self, password: str) -> str:
        async with self._hashing:
            return await hash_password(password)

    async def _is_password(self, hashed: str | None, password: str) -> bool:
        async with self._hashing:
            return await verify_password(hashed, password[: MAX_LENGTH + 1])

    async def _open(self, proof: Proof, event: EventKind, address: str) -> str:
        secret = new_secret("stn")
        if not await self._sessions.begin(Opening(digest(secret), SESSION_LIFE, event, address), proof):
            raise WrongPassword
        return secret


def is_email(text: str) -> bool:
    """Whether it can be an address; only a letter sent there could tell more."""
    user, at, host = text.rpartition("@")
    is_plain = len(text) <= MAX_EMAIL and text.isprintable() and " " not in text
    return is_plain and bool(user and at and host)
