"""Which providers there are, by their keys and addresses."""

import httpx2
import pytest
from pydantic import SecretStr

from app.errors import InvalidField
from app.providers import Scripted, provided
from app.settings import ModelSettings


async def test_the_first_with_a_key_is_asked_else_the_scripted_one() -> None:
    async with httpx2.AsyncClient() as client:
        assert isinstance(provided(ModelSettings(), client).chosen(None)[1], Scripted)
        groq = provided(ModelSettings(groq_api_key=SecretStr("k")), client)
        assert groq.chosen(None)[0] == "groq"
        assert groq.chosen("scripted")[0] == "scripted"
        local = provided(ModelSettings(openai_base_url="http://127.0.0.1:9/v1"), client)
        assert local.chosen(None)[0] == "openai"


async def test_one_without_a_key_is_refused_with_those_that_there_are() -> None:
    async with httpx2.AsyncClient() as client:
        providers = provided(ModelSettings(groq_api_key=SecretStr("k")), client)
    with pytest.raises(InvalidField) as refused:
        providers.chosen("anthropic")
    assert refused.value.members["allowed"] == ["groq", "scripted"]


def test_keys_come_from_the_environment_and_are_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "a-secret")
    monkeypatch.setenv("OPENAI_API_KEY", "")
    read = ModelSettings()
    assert read.anthropic_api_key is not None
    assert read.openai_api_key is None
    assert "a-secret" not in repr(read)
