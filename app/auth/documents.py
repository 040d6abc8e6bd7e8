"""Clients that describe themselves in a document at the URL that is their id.

By draft-ietf-oauth-client-id-metadata-document. Anybody can write one, and change it at any time: so it is fetched for
people who are signed in alone, rarely, through the guard of `app.outbound`, and read with suspicion.
"""

import asyncio
import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from urllib.parse import unquote, urlsplit

import structlog
from pydantic_core import from_json

from app.auth.redirects import is_registrable
from app.auth.registration import PUBLIC, InvalidMetadata, read_metadata
from app.errors import ClientRefused, StarlingError
from app.limits.networks import network
from app.outbound import FetchFailed, FetchTooLarge, Internet, Outbound, Response, UrlRefused
from app.store.clients import Registration
from app.store.descriptions import Descriptions
from app.store.throttles import Throttles

MAX_URL, MAX_BYTES, WITHIN_S = 500, 16 * 1024, 10.0
SHORTEST, LONGEST = timedelta(minutes=5), timedelta(hours=24)
"""How long a document is believed, whatever its server says."""
KEPT_UNUSED = 1000
PER_ADDRESS, PER_ADDRESS_IN = 60, timedelta(hours=1)
PER_URL, PER_URL_IN = 10, timedelta(minutes=1)

_URL = re.compile(r"https://[a-z0-9._-]+(?P<path>/((?![?#\\])[!-~])*)")
_JSON = re.compile(r"application/([!#$&^_.+a-z0-9-]+\+)?json", re.IGNORECASE)
_MAX_AGE = re.compile(r"(?:^|[\s,])max-age=\"?([0-9]{1,9})", re.IGNORECASE)
_AGE = re.compile(r"[0-9]{1,9}")

log = structlog.get_logger(__name__)


def is_url(client_id: str) -> bool:
    """Whether the id asks to be read as a URL; no other kind of id looks like this."""
    return client_id.startswith("https://")


def is_well_formed(url: str) -> bool:
    """Whether it may be a client's id (section 3 of the draft): one spelling, which every reader takes alike."""
    found = _URL.fullmatch(url)
    if found is None or len(url) > MAX_URL:
        return False
    return not any(unquote(segment) in (".", "..") for segment in found["path"].split("/"))


class Documents:
    """Makes clients known that describe themselves."""

    def __init__(self, internet: Internet, descriptions: Descriptions, throttles: Throttles) -> None:
        self._outbound = Outbound(internet, max_bytes=MAX_BYTES, within_s=WITHIN_S)
        self._descriptions = descriptions
        self._throttles = throttles
        self._asking: dict[str, asyncio.Task[None]] = {}

    async def ensure(self, url: str, address: str) -> None:
        """Returns when the client is known as it describes itself these days.

        Raises `ClientRefused`, `TooManyRequests`. Those who ask for the same URL at the same time share the answer.
        """
        if not is_well_formed(url):
            raise ClientRefused(
                "A program's URL is https://host/path in lower-case and without a port, a query, a fragment, "
                f"a user name or dots for a path, and has {MAX_URL} characters at most."
            )
        task = self._asking.get(url)
        if task is None:
            task = self._asking[url] = asyncio.create_task(self._ensure(url, address))
            task.add_done_callback(lambda done: self._forget(url, done))
        await asyncio.shield(task)

    def _forget(self, url: str, done: asyncio.Task[None]) -> None:
        del self._asking[url]
        if not done.cancelled():
            done.exception()  # all who asked may have gone

    async def _ensure(self, url: str, address: str) -> None:
        if await self._descriptions.is_known(url):
            return
        await self._throttles.hit("document", network(address), limit=PER_ADDRESS, period=PER_ADDRESS_IN)
        await self._throttles.hit("document at", url, limit=PER_URL, period=PER_URL_IN)
        try:
            new, life = await self._fetch(url)
        except (ClientRefused, UrlRefused, FetchFailed, FetchTooLarge) as error:
            log.info("document.refused", host=urlsplit(url).hostname, reason=error.detail)
            raise _unfit(url, error) from None
        await self._descriptions.keep(new, life, KEPT_UNUSED)

    async def _fetch(self, url: str) -> tuple[Registration, timedelta]:
        async with self._outbound.get(url, {"accept": "application/json"}) as response:
            return describe(url, await _read(response)), believed_for(response.headers)


async def _read(response: Response) -> bytes:
    kind = response.headers.get("content-type", "").partition(";")[0].strip()
    if not _JSON.fullmatch(kind):
        raise ClientRefused("It is not served as JSON.")
    return await response.read()


def describe(url: str, body: bytes) -> Registration:
    """The client that the document at this URL describes (sections 4 and 4.1 of the draft). Raises `ClientRefused`."""
    try:
        document = from_json(body, allow_inf_nan=False)
    except ValueError:
        raise ClientRefused("It cannot be read as JSON.") from None
    if not isinstance(document, dict) or document.get("client_id") != url:
        raise ClientRefused("Its client_id is not the very URL that it stands at.")
    if document.keys() & {"client_secret", "client_secret_expires_at"}:
        raise ClientRefused("It has a secret, which everybody can read there.")
    if not _may_be_public(document):
        raise ClientRefused(f"It does not allow the token_endpoint_auth_method {PUBLIC}, the only one for it here.")
    try:
        metadata = read_metadata(_for_this_server(url, document))
    except InvalidMetadata as error:
        raise ClientRefused(error.args[1]) from None
    return Registration(
        id=url,
        name=metadata["client_name"],
        secret_hash=None,
        redirect_uris=metadata["redirect_uris"],
        scopes=metadata["scope"].split(),
        made_by="document",
    )


def _may_be_public(document: dict[str, Any]) -> bool:
    """A document has one method that it prefers, and may list others that a server can choose from."""
    preferred = document.get("token_endpoint_auth_method") or PUBLIC
    others = document.get("token_endpoint_auth_methods_supported")
    if not isinstance(preferred, str) or preferred.startswith("client_secret"):
        return False
    return preferred == PUBLIC or (isinstance(others, list) and PUBLIC in others)


def _for_this_server(url: str, document: dict[str, Any]) -> dict[str, Any]:
    """As the client would register here: a document speaks to all servers, so what is of no use here is left out."""
    uris = document.get("redirect_uris")
    if isinstance(uris, list):
        uris = [each for each in uris if not isinstance(each, str) or is_registrable(each)]
    return {
        "redirect_uris": uris,
        "client_name": document.get("client_name") or urlsplit(url).hostname,
        "scope": document.get("scope"),
        "token_endpoint_auth_method": PUBLIC,
    }


def believed_for(headers: Mapping[str, str]) -> timedelta:
    """How long a document may be kept by what its server says (RFC 9111), within our bounds."""
    control = headers.get("cache-control", "").lower()
    said, age = _MAX_AGE.search(control), headers.get("age", "")
    if said is None or "no-store" in control or "no-cache" in control:
        return SHORTEST
    passed = int(age) if _AGE.fullmatch(age) else 0
    return min(max(timedelta(seconds=int(said[1]) - passed), SHORTEST), LONGEST)


def _unfit(url: str, error: StarlingError) -> ClientRefused:
    return ClientRefused(f"The program that sent you here should be described at {url}. {error.detail}")
