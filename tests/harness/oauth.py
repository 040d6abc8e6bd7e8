"""OAuth clients and what they do, over HTTP; a person's consent is given without a page."""

import base64
import hashlib
import secrets
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
from sqlalchemy import Select, select

from app.auth.asked import Answer
from app.auth.tokens import digest, new_secret
from app.model import Scope
from app.store.clients import Clients, Registration
from app.store.sessions import Account, Opening, Sessions, begin
from app.store.tables import users
from tests.harness.live import Live
from tests.harness.people import Person

CALLBACK = "https://chatgpt.com/aip/g-1/oauth/callback"
OLD_CALLBACK = "https://chat.openai.com/aip/g-1/oauth/callback"
SECRET = "sts_made-up"
DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"


def pkce() -> tuple[str, str]:
    """A verifier and its S256 challenge (RFC 7636), made without the library that checks it."""
    verifier = secrets.token_urlsafe(48)
    return verifier, base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


def query_of(location: str) -> dict[str, str]:
    """The parameters of an address."""
    return {name: values[0] for name, values in parse_qs(urlsplit(location).query, keep_blank_values=True).items()}


@dataclass(frozen=True)
class OAuthClient:
    """A client of a running server."""

    live: Live
    id: str
    secret: str | None
    redirect_uri: str = CALLBACK

    @classmethod
    async def make(
        cls, live: Live, name: str = "gpt", *, public: bool = False, redirect_uris: tuple[str, ...] = (), **more: Any
    ) -> "OAuthClient":
        """Registers it as the command line does."""
        uris = redirect_uris or (CALLBACK, OLD_CALLBACK)
        scopes = more.pop("scopes", sorted(Scope))
        made = Registration(name, name.upper(), None if public else digest(SECRET), uris, scopes, "command")
        await Clients(live.starling.database).add(made)
        return cls(live, name, None if public else SECRET, uris[0])

    async def answer(self, person: Person | None, **asked: str) -> Any:
        """What the person's answer to the request leads to; None denies."""
        pairs = {"response_type": "code", "client_id": self.id, "redirect_uri": self.redirect_uri, **asked}
        feed_id = None if person is None else person.feed_id
        return await self.live.starling.services.oauth.decide(list(pairs.items()), feed_id)

    async def code(self, person: Person, **asked: str) -> str:
        """A code."""
        answer = await self.answer(person, **asked)
        assert isinstance(answer, Answer), answer
        return query_of(answer.location or "")["code"]

    async def post(self, path: str, **form: str) -> httpx2.Response:
        """A form, with the secret in it."""
        own = {"client_id": self.id} if self.secret is None else {"client_id": self.id, "client_secret": self.secret}
        return await self.live.http.post(path, data={**own, **form})

    async def redeem(self, code: str, **more: str) -> httpx2.Response:
        """The token request for a code."""
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": self.redirect_uri, **more}
        return await self.post("/oauth/token", **form)

    async def refresh(self, token: str, **more: str) -> httpx2.Response:
        """The token request for a refresh token."""
        return await self.post("/oauth/token", grant_type="refresh_token", refresh_token=token, **more)

    async def grant(self, person: Person, **more: str) -> dict[str, Any]:
        """The whole way to tokens; with PKCE for a public client. `scope` and the device's name and kind as given."""
        asked = {"scope": more.pop("scope")} if "scope" in more else {}
        if self.secret is None:
            more["code_verifier"], challenge = pkce()
            asked |= {"code_challenge": challenge, "code_challenge_method": "S256"}
        response = await self.redeem(await self.code(person, **asked), **more)
        assert response.status_code == 200, response.text
        answer: dict[str, Any] = response.json()
        return answer


def refused(response: httpx2.Response, error: str, status: int = 400) -> None:
    """Checks an OAuth error (RFC 6749, section 5.2)."""
    assert (response.status_code, response.json().get("error")) == (status, error), response.text
    assert response.headers["cache-control"] == "no-store"
    assert "access_token" not in response.text


async def session_of(live: Live, person: Person) -> str:
    """What the person's browser keeps in its cookie; signed in without a password."""
    secret = new_secret("stn")
    opening = Opening(digest(secret), timedelta(hours=1), "signed_in", "192.0.2.7")
    async with live.starling.database.transaction() as connection:
        assert await begin(connection, opening, Known(person.email)) is not None
    return secret


@dataclass(frozen=True)
class Known:
    """Proof enough of who somebody is, in tests."""

    email: str

    def who(self) -> Select[Any]:
        """The person's id."""
        return select(users.c.id).where(users.c.email == self.email)


async def account_of(live: Live, person: Person) -> Account:
    """The person as the pages know them."""
    found = await Sessions(live.starling.database).credentials(person.email)
    assert found is not None
    return Account(found[0], person.feed_id, person.email)
