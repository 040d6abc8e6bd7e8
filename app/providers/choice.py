"""The providers that there are keys for."""

from collections.abc import Iterable, Mapping

import httpx2
from pydantic import SecretStr

from app.errors import InvalidField
from app.providers.anthropic import Anthropic
from app.providers.gemini import Gemini
from app.providers.http import HttpProvider, Manner
from app.providers.openai import Chat, Responses
from app.providers.provider import Provider
from app.providers.scripted import Scripted
from app.settings import ModelSettings


class Providers:
    """The providers by name; the first is asked when none is named."""

    def __init__(self, known: Mapping[str, Provider]) -> None:
        self._known = dict(known)

    def chosen(self, name: str | None) -> tuple[str, Provider]:
        """A provider and its name. Raises `InvalidField`."""
        name = name or next(iter(self._known))
        if name not in self._known:
            raise InvalidField("provider", "There is no such provider here.", allowed=list(self._known))
        return name, self._known[name]


def provided(settings: ModelSettings, client: httpx2.AsyncClient) -> Providers:
    """Those with a key, or with an address that may need none, and the scripted one."""
    known: dict[str, Provider] = {}
    for name, manner, default_url, key, base_url in _offered(settings):
        if key is not None or base_url is not None:
            known[name] = HttpProvider(manner, base_url or default_url, key, client)
    return Providers({**known, "scripted": Scripted()})


def _offered(of: ModelSettings) -> Iterable[tuple[str, Manner, str, SecretStr | None, str | None]]:
    openai = ("https://api.openai.com/v1", of.openai_api_key, of.openai_base_url)
    gemini = ("https://generativelanguage.googleapis.com/v1beta", of.gemini_api_key, of.gemini_base_url)
    groq = ("https://api.groq.com/openai/v1", of.groq_api_key, of.groq_base_url)
    anthropic = ("https://api.anthropic.com", of.anthropic_api_key, of.anthropic_base_url)
    yield "openai", Chat("gpt-4o-mini"), *openai
    yield "openai-responses", Responses("gpt-4o-mini"), *openai
    yield "gemini", Gemini("gemini-2.5-flash"), *gemini
    yield "groq", Chat("llama-3.3-70b-versatile"), *groq
    yield "anthropic", Anthropic("claude-3-5-haiku-latest"), *anthropic
