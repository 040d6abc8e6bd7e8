"""The sign-in provider: an OpenID Connect provider that the operator named, over HTTP.

The address is the operator's, so it may lead anywhere, and through the environment's proxy. What is answered is bounded
in bytes and time, and redirects are not followed.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeVar
from urllib.parse import quote_plus, urlencode, urlsplit

import httpx2
import msgspec
import structlog
from pydantic import SecretStr

from app.auth import idtokens
from app.auth.people import is_email
from app.errors import ProviderAway, SignInFailed

DEADLINE_S = 15.0
"""For everything that one step of a sign-in asks for."""
SILENCE_S = 5.0
MAX_BYTES = 256 * 1024
METADATA_S = 300.0
SCOPE = "openid email"
T = TypeVar("T")

log = structlog.get_logger(__name__)


class Metadata(msgspec.Struct, frozen=True):
    """What is read of the provider's description (OpenID Connect Discovery, section 3; RFC 9207, section 3)."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str | None = None
    token_endpoint_auth_methods_supported: Sequence[str] = ("client_secret_basic",)
    authorization_response_iss_parameter_supported: bool = False

    @property
    def endpoints(self) -> list[str]:
        """All addresses."""
        named = (self.authorization_endpoint, self.token_endpoint, self.jwks_uri, self.userinfo_endpoint)
        return [each for each in named if each is not None]


class _Keys(msgspec.Struct):
    keys: list[dict[str, Any]]


class _Tokens(msgspec.Struct):
    id_token: str
    access_token: str | None = None


class _Error(msgspec.Struct):
    error: str


class Vouched(msgspec.Struct, frozen=True):
    """Whom the provider vouches for. `email`: only one that it confirmed; `asked_at`: when they last signed in."""

    subject: str
    email: str | None
    asked_at: float | None


class Provider:
    """One provider, and this server as its client. Keys are read for each sign-in, so a withdrawn one ends at once."""

    def __init__(self, issuer: str, client_id: str, client_secret: SecretStr, label: str, callback: str) -> None:
        """`callback`: where browsers come back to."""
        self.issuer = issuer
        self.label = label
        self._client_id = client_id
        self._client_secret = client_secret
        self._callback = callback
        self._tls = httpx2.create_ssl_context()
        self._metadata: Metadata | None = None
        self._until = 0.0

    async def authorization_url(self, *, state: str, nonce: str, challenge: str, again: bool) -> str:
        """Where to send the browser. `again`: the person has to sign in anew. Raises `ProviderAway`."""
        async with self._reached() as http:
            endpoint = (await self._discovered(http)).authorization_endpoint
        asked = {
            "response_type": "code",
            "client_id": self._client_id,
            "redirect_uri": self._callback,
            "scope": SCOPE,
            "state": state,
            "nonce": nonce,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
            **({"prompt": "login", "max_age": "0"} if again else {}),
        }
        return f"{endpoint}{'&' if urlsplit(endpoint).query else '?'}{urlencode(asked)}"

    async def redeem(self, code: str, *, issuer: str | None, nonce: str, verifier: str) -> Vouched:
        """Who a code stands for; `issuer` as it came with it (RFC 9207). Raises `ProviderAway`, `SignInFailed`."""
        async with self._reached() as http:
            metadata = await self._discovered(http)
            must_name = metadata.authorization_response_iss_parameter_supported
            if issuer != self.issuer and (must_name or issuer is not None):
                raise self._refused("iss")
            tokens = await self._tokens(http, metadata, code, verifier)
            keys = self._read(_Keys, await self._asked(http, "GET", metadata.jwks_uri)).keys
            try:
                claims = idtokens.claims(
                    tokens.id_token,
                    keys,
                    issuer=self.issuer,
                    client_id=self._client_id,
                    nonce=nonce,
                    now=int(time.time()),
                )
            except idtokens.Untrusted as error:
                raise self._refused(f"id_token: {error}") from error
            if "email" not in claims:
                claims |= await self._userinfo(http, metadata, tokens, claims["sub"])
        return _vouched(claims)

    async def _tokens(self, http: httpx2.AsyncClient, metadata: Metadata, code: str, verifier: str) -> _Tokens:
        """The token endpoint's answer to a code (Core, section 3.1.3)."""
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self._callback,
            "code_verifier": verifier,
        }
        secret = self._client_secret.get_secret_value()
        basic = None
        if "client_secret_basic" in metadata.token_endpoint_auth_methods_supported:
            basic = httpx2.BasicAuth(quote_plus(self._client_id), quote_plus(secret))  # RFC 6749, section 2.3.1
        else:
            form |= {"client_id": self._client_id, "client_secret": secret}
        return self._read(_Tokens, await self._asked(http, "POST", metadata.token_endpoint, data=form, auth=basic))

    async def _userinfo(
        self, http: httpx2.AsyncClient, metadata: Metadata, tokens: _Tokens, subject: str
    ) -> dict[str, Any]:
        """What the token did not say about the same person (Core, section 5.3.2)."""
        if metadata.userinfo_endpoint is None or tokens.access_token is None:
            return {}
        headers = {"authorization": f"Bearer {tokens.access_token}"}
        found = self._read(dict[str, Any], await self._asked(http, "GET", metadata.userinfo_endpoint, headers=headers))
        if found.get("sub") != subject:
            raise self._refused("userinfo")
        return {name: found[name] for name in ("email", "email_verified") if name in found}

    async def _discovered(self, http: httpx2.AsyncClient) -> Metadata:
        if self._metadata is None or time.monotonic() > self._until:
            url = f"{self.issuer.removesuffix('/')}/.well-known/openid-configuration"
            read = self._read(Metadata, await self._asked(http, "GET", url))
            if read.issuer != self.issuer or not all(map(self._is_fit, read.endpoints)):
                raise self._away("another issuer, or addresses without https")
            self._metadata, self._until = read, time.monotonic() + METADATA_S
        return self._metadata

    def _is_fit(self, url: str) -> bool:
        """Whether it is no less safe than the issuer's own address."""
        try:
            parts = urlsplit(url)
        except ValueError:
            return False
        return parts.scheme in {"https", urlsplit(self.issuer).scheme} and bool(parts.hostname)

    @asynccontextmanager
    async def _reached(self) -> AsyncIterator[httpx2.AsyncClient]:
        """A client without memory, for one step."""
        headers = {"accept": "application/json", "accept-encoding": "identity", "user-agent": "Starling"}
        try:
            async with (
                asyncio.timeout(DEADLINE_S),
                httpx2.AsyncClient(verify=self._tls, timeout=SILENCE_S, headers=headers) as http,
            ):
                yield http
        except (httpx2.HTTPError, httpx2.InvalidURL, TimeoutError) as error:
            raise self._away(type(error).__name__) from error

    async def _asked(self, http: httpx2.AsyncClient, method: str, url: str, **options: Any) -> bytes:
        """The body of a 200. A refused code is the sign-in's fault, everything else the provider's."""
        async with http.stream(method, url, follow_redirects=False, **options) as response:
            body = b""
            async for part in response.aiter_raw():
                body += part
                if len(body) > MAX_BYTES:
                    raise self._away("too large")
        if response.status_code == 400 and self._read(_Error, body).error == "invalid_grant":
            raise self._refused("code")
        if response.status_code != 200:
            raise self._away(f"status {response.status_code}")
        return body

    def _read(self, kind: type[T], body: bytes) -> T:
        try:
            return msgspec.json.decode(body, type=kind)
        except (msgspec.DecodeError, ValueError, RecursionError) as error:
            raise self._away("unreadable") from error

    def _away(self, reason: str) -> ProviderAway:
        log.warning("provider.away", issuer=self.issuer, reason=reason)
        return ProviderAway(retry_after=5)

    def _refused(self, reason: str) -> SignInFailed:
        log.warning("provider.refused", issuer=self.issuer, reason=reason)
        return SignInFailed()


def _vouched(claims: dict[str, Any]) -> Vouched:
    email, is_verified = claims.get("email"), claims.get("email_verified")
    is_good = isinstance(email, str) and is_email(email) and (is_verified is True or is_verified == "true")
    asked_at = claims.get("auth_time")
    is_time = isinstance(asked_at, (int, float)) and not isinstance(asked_at, bool)
    return Vouched(claims["sub"], email if is_good else None, asked_at if is_time else None)
