"""One request to a model API, read as an event stream."""

import json
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any, Protocol

import httpx2
import msgspec
from pydantic import SecretStr

from app.events import Decoder, Event
from app.providers.provider import Ask, End, FinishReason, ProviderFailed
from app.providers.words import Words

CONNECT_S = 10.0
SILENCE_S = 60.0
"""How long a model may think before its first word, and between two."""
MAX_BYTES = 16 * 1024 * 1024
_BUSY = (429, 529)


class Said(msgspec.Struct, frozen=True):
    """What one event of a provider says."""

    text: str = ""
    finish_reason: FinishReason | None = None
    usage: dict[str, int] = {}
    is_last: bool = False
    """Nothing comes after it."""
    failed: FinishReason | None = None
    """The provider gives up in the middle."""


class Request(msgspec.Struct, frozen=True):
    """Where a question goes, below the base URL, and what it says."""

    path: str
    body: dict[str, Any]
    headers: dict[str, str]


class Manner(Protocol):
    """How one API is asked, and how it answers."""

    default_model: str

    def request(self, ask: Ask, key: str | None) -> Request:
        """The question."""

    def read(self, event: Event) -> Said:
        """What an event says. Raises `ValueError` for what is no event of this API."""


class HttpProvider:
    """A model API behind HTTP. The key leaves in a header and is nowhere else."""

    def __init__(self, manner: Manner, base_url: str, key: SecretStr | None, client: httpx2.AsyncClient) -> None:
        self.default_model = manner.default_model
        self._manner = manner
        self._base_url = base_url.rstrip("/")
        self._key = key
        self._client = client

    async def stream(self, ask: Ask) -> AsyncGenerator[str | End, None]:
        """As in `Provider`."""
        words, usage = Words(), dict[str, int]()
        reason: FinishReason | None = None
        is_over = False
        async with aclosing(self._events(ask)) as events:
            async for event in events:
                said = self._read(event)
                if text := words.add(said.text):
                    yield text
                usage |= said.usage
                reason = said.finish_reason or reason
                if said.failed is not None:
                    raise ProviderFailed(said.failed, "it gave up in the middle")
                if is_over := said.is_last:
                    break
        if rest := words.rest():
            yield rest
        if reason is None and not is_over:
            raise ProviderFailed("provider_error", "its stream broke off")
        yield End(reason or "stop", usage or None)

    def _read(self, event: Event) -> Said:
        try:
            return self._manner.read(event)
        except (ValueError, TypeError, KeyError, AttributeError, IndexError) as error:
            raise ProviderFailed("provider_error", "it sent what its API does not know") from error

    async def _events(self, ask: Ask) -> AsyncGenerator[Event, None]:
        asked = self._manner.request(ask, self._key.get_secret_value() if self._key else None)
        timeout = httpx2.Timeout(SILENCE_S, connect=CONNECT_S)
        headers = {"accept": "text/event-stream", "accept-encoding": "identity", **asked.headers}
        decoder = Decoder()
        try:
            async with self._client.stream(
                "POST", self._base_url + asked.path, json=asked.body, headers=headers, timeout=timeout
            ) as answer:
                if answer.status_code != httpx2.codes.OK:
                    reason: FinishReason = "rate_limited" if answer.status_code in _BUSY else "provider_error"
                    raise ProviderFailed(reason, f"it answered {answer.status_code}")
                size = 0
                async for received in answer.aiter_bytes():
                    size += len(received)
                    if size > MAX_BYTES:
                        raise ProviderFailed("provider_error", "it sent too much")
                    for event in decoder.feed(received):
                        yield event
        except httpx2.TimeoutException as error:
            raise ProviderFailed("timeout", "it was silent for too long") from error
        except (httpx2.HTTPError, httpx2.InvalidURL, UnicodeDecodeError) as error:
            raise ProviderFailed("provider_error", type(error).__name__) from error


def parsed(event: Event) -> Any:
    """The event's JSON, lone surrogates included."""
    return json.loads(event.data)


def counted(**tokens: Any) -> dict[str, int]:
    """The numbers that are numbers."""
    return {name: number for name, number in tokens.items() if isinstance(number, int)}
