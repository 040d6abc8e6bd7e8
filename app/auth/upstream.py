"""Signing in through the provider: away to it, back from it, and to an account."""

import secrets
import time
from contextlib import suppress
from datetime import timedelta

import msgspec

from app.auth.browsers import derived, hashed, s256, sealed, unsealed
from app.auth.people import SESSION_LIFE, People
from app.auth.provider import Provider, Vouched
from app.auth.tokens import digest, new_secret
from app.errors import AlreadyExists, SignInFailed, StarlingError, WrongPassword
from app.limits.networks import network
from app.store.database import Database
from app.store.grants import Grants
from app.store.identities import Identity
from app.store.pending import LIFE, Pending, PendingSignIns
from app.store.security import EventKind
from app.store.sessions import Opening, Sessions
from app.store.throttles import Throttles

PERIOD = timedelta(minutes=10)
PER_NETWORK = 100
ENDED = "This sign-in has ended, or was begun in another browser. Begin it again."
UNCONFIRMED = "The provider did not confirm an e-mail address of yours, and an account needs one."
UNPROVABLE = (
    "There is an account with this address, and it has no password to prove that it is yours. Sign in to it as before."
)


class Returned(msgspec.Struct, frozen=True):
    """What a browser brings back from the provider."""

    state: str
    code: str | None
    issuer: str | None


class SignedIn(msgspec.Struct, frozen=True):
    """A session's secret, and the page to go on to."""

    session: str
    destination: str


class PasswordNeeded(msgspec.Struct, frozen=True):
    """There is an account with this address: its password joins the two. `key` names the sign-in in the form."""

    key: str
    email: str


class Failed(msgspec.Struct, frozen=True):
    """What went wrong, and the page that the person was on the way to."""

    error: StarlingError
    destination: str


class Upstream:
    """Sign-ins through one provider. `browser` is the secret in the browser's cookie, everywhere."""

    def __init__(
        self, provider: Provider, people: People, grants: Grants, database: Database, throttles: Throttles
    ) -> None:
        self._provider = provider
        self._people = people
        self._grants = grants
        self._throttles = throttles
        self._sessions = Sessions(database)
        self._pending = PendingSignIns(database)
        self.label = provider.label

    async def begin(self, browser: str, destination: str, invitation: str, address: str, *, again: bool) -> str:
        """Where to send the browser. `again`: to prove anew who it is. Raises `TooManyRequests`, `ProviderAway`."""
        await self._throttles.hit("provider", network(address), limit=PER_NETWORK, period=PERIOD)
        state = secrets.token_urlsafe(32)
        verifier = derived(browser, "verifier", state)
        url = await self._provider.authorization_url(
            state=state, nonce=derived(browser, "nonce", state), challenge=s256(verifier), again=again
        )
        spent = digest(invitation) if invitation else None
        await self._pending.add(hashed(browser, state), Pending(sealed(browser, destination), spent, again))
        return url

    async def finish(self, browser: str, returned: Returned, address: str) -> SignedIn | PasswordNeeded | Failed:
        """What a browser's return leads to. Raises `SignInFailed` where nothing is known of it."""
        pending = await self._pending.take(hashed(browser, returned.state))
        if pending is None:
            raise SignInFailed(ENDED)
        destination = unsealed(browser, pending.destination)
        try:
            if returned.code is None:
                raise SignInFailed("You were not signed in there. Begin again if you want to be.")
            vouched = await self._provider.redeem(
                returned.code,
                issuer=returned.issuer,
                nonce=derived(browser, "nonce", returned.state),
                verifier=derived(browser, "verifier", returned.state),
            )
            found = await self._let_in(pending, vouched, address)
        except StarlingError as error:
            return Failed(error, destination)
        return await self._ask(browser, found) if isinstance(found, Pending) else SignedIn(found, destination)

    async def join(self, browser: str, key: str, password: str, address: str) -> SignedIn:
        """Joins what the provider said to the account with that address. Raises `WrongPassword`, `SignInFailed`."""
        pending = await self._pending.find(hashed(browser, key))
        if pending is None or pending.email is None:
            raise SignInFailed(ENDED)
        proof = await self._people.verify(pending.email, password, address)
        session = new_secret("stn")
        opening = Opening(digest(session), SESSION_LIFE, "linked", address)
        if not await self._pending.join(hashed(browser, key), opening, proof):
            raise WrongPassword
        return SignedIn(session, unsealed(browser, pending.destination))

    async def _let_in(self, pending: Pending, vouched: Vouched, address: str) -> str | Pending:
        """A session's secret; or what the person has to type a password for."""
        if pending.again and vouched.asked_at is not None and vouched.asked_at < time.time() - LIFE.total_seconds():
            raise SignInFailed("The provider did not ask you to sign in again. Sign out there, and try once more.")
        identity = Identity(self._provider.issuer, vouched.subject)
        session = await self._open(identity, "signed_in", address, is_proven=pending.again)
        if session is not None:
            return session
        if vouched.email is None:
            raise SignInFailed(UNCONFIRMED)
        found = await self._sessions.credentials(vouched.email)
        if found is None:
            await self._people.welcome(pending.invitation_hash)
            with suppress(AlreadyExists):
                await self._grants.add_user(vouched.email, None, invitation=pending.invitation_hash, identity=identity)
        elif found[1] is not None:
            return msgspec.structs.replace(pending, identity=identity, email=vouched.email)
        session = await self._open(identity, "signed_up", address, is_proven=pending.again)
        if session is None:  # who comes in two windows at once found an account that the other one had just made
            raise AlreadyExists(UNPROVABLE)
        return session

    async def _ask(self, browser: str, pending: Pending) -> PasswordNeeded:
        key = secrets.token_urlsafe(32)
        await self._pending.add(hashed(browser, key), pending)
        return PasswordNeeded(key, pending.email or "")

    async def _open(self, identity: Identity, event: EventKind, address: str, *, is_proven: bool) -> str | None:
        session = new_secret("stn")
        opening = Opening(digest(session), SESSION_LIFE, event, address, is_proven)
        return session if await self._sessions.begin(opening, identity) else None
