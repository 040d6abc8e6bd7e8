"""Requests to the authorization server, in the shape that Authlib reads, and its answers."""

import base64
import binascii
from collections import defaultdict
from collections.abc import Sequence
from typing import Any
from urllib.parse import unquote

import msgspec
from authlib.oauth2.rfc6749 import OAuth2Payload, OAuth2Request
from authlib.oauth2.rfc6749.errors import InvalidRequestError

Pairs = Sequence[tuple[str, str]]


class Answer(msgspec.Struct):
    """What to reply: a JSON object, or a redirect that stands in the headers."""

    status: int
    body: dict[str, Any]
    headers: list[tuple[str, str]]

    @property
    def location(self) -> str | None:
        """Where it leads."""
        return next((value for name, value in self.headers if name == "Location"), None)


class Payload(OAuth2Payload):  # type: ignore[misc]
    """Parameters of a query string or a form."""

    def __init__(self, pairs: Pairs) -> None:
        self._data = dict(pairs)
        self._lists: defaultdict[str, list[str]] = defaultdict(list)
        for name, value in pairs:
            self._lists[name].append(value)

    @property
    def data(self) -> dict[str, str]:
        """The last value of each."""
        return self._data

    @property
    def datalist(self) -> defaultdict[str, list[str]]:
        """All values of each."""
        return self._lists


class Asked(OAuth2Request):  # type: ignore[misc]
    """One request. Its address is of no matter; Authlib only wants to see https."""

    def __init__(self, method: str, pairs: Pairs, authorization: str | None = None, address: str = "") -> None:
        known = {"Authorization": authorization} if authorization and _is_basic(authorization) else {}
        super().__init__(method, "https://starling/", headers=known)
        self.payload = Payload(pairs)
        self.address = address

    @property
    def client_named(self) -> str:
        """The client that it says it comes from."""
        named: str = self.payload.data.get("client_id", "")
        if named or "Authorization" not in self.headers:
            return named
        told = base64.b64decode(self.headers["Authorization"].partition(" ")[2].strip()).decode()
        return unquote(told.partition(":")[0])

    @property
    def args(self) -> dict[str, str]:
        """Of the query string; the two never come together here."""
        return self.payload.data

    @property
    def form(self) -> dict[str, str]:
        """Of the form."""
        return self.payload.data

    def require_single(self) -> None:
        """A parameter stands once (RFC 6749, section 3.2); only `resource` may be repeated (RFC 8707)."""
        for name, values in self.payload.datalist.items():
            if len(values) > 1 and name != "resource":
                raise InvalidRequestError("A parameter is repeated.")


def _is_basic(authorization: str) -> bool:
    """Whether Authlib can read it (what is no UTF-8 raises more than an OAuth error), and the database (no NUL)."""
    scheme, _, encoded = authorization.partition(" ")
    try:
        told = base64.b64decode(encoded.strip()).decode()
    except (binascii.Error, ValueError):
        return False
    return scheme.lower() == "basic" and ":" in told and "\0" not in unquote(told)
