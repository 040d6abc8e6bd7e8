"""Every provider against an imitation of its API by others, with answers cut into single characters and few bytes."""

import asyncio
from collections.abc import AsyncIterator

import httpx2
import pytest

from app.providers import Ask, End, ProviderFailed, Providers, provided
from tests.harness.models import KEY, imitated, settings

NAMES = ["openai", "openai-responses", "gemini", "groq", "anthropic"]
TEXT = (
    'Gr\u00f6\u00dfe \N{ROCKET}\N{ROCKET} e\u0301 \u2028 \u4f60\u597d "quoted" \\ data: x\n\nevent: y\n'
    ": no comment \u05d0 end"
)
FIXTURES = {
    "short": {"response": {"content": TEXT}, "chunkSize": 1},
    "whole": {"response": {"content": TEXT}, "chunkSize": 10_000},
    "bounded": {"response": {"content": "cut", "finishReason": "length"}, "chunkSize": 2},
    "broken": {"response": {"content": "never to its end"}, "chunkSize": 2, "truncateAfterChunks": 4},
    "busy": {"response": {"error": {"message": "slow down", "type": "rate_limit_error"}, "status": 429}},
    "down": {"response": {"error": {"message": KEY, "type": "server_error"}, "status": 500}},
    "slow": {"response": {"content": "too late"}, "chunkSize": 1, "streamingProfile": {"ttft": 60_000}},
    "steady": {"response": {"content": "one two three four"}, "chunkSize": 2, "latency": 100},
}


@pytest.fixture(scope="module")
async def url() -> AsyncIterator[str]:
    async with imitated(FIXTURES) as address:
        yield address


@pytest.fixture
async def providers(url: str) -> AsyncIterator[Providers]:
    async with httpx2.AsyncClient(trust_env=False) as client:
        yield provided(settings(url), client)


async def answered(providers: Providers, name: str, prompt: str) -> tuple[list[str], End]:
    _, provider = providers.chosen(name)
    parts = [part async for part in provider.stream(Ask(prompt, provider.default_model, "Be brief."))]
    end = parts.pop()
    assert isinstance(end, End)
    assert all(isinstance(part, str) and part for part in parts)
    return [str(part) for part in parts], end


async def failed(providers: Providers, name: str, prompt: str) -> tuple[str, ProviderFailed]:
    _, provider = providers.chosen(name)
    text = ""
    try:
        async for part in provider.stream(Ask(prompt, provider.default_model)):
            text += str(part)
    except ProviderFailed as failure:
        return text, failure
    raise AssertionError("it did not fail")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("prompt", ["short", "whole"])
async def test_a_text_comes_whole_however_it_is_cut(providers: Providers, name: str, prompt: str) -> None:
    parts, end = await answered(providers, name, prompt)
    assert "".join(parts) == TEXT
    assert len(parts) > len(TEXT) // 2 if prompt == "short" else len(parts) <= 2
    assert end.finish_reason == "stop"
    assert end.usage is None or all(isinstance(number, int) for number in end.usage.values())


@pytest.mark.parametrize("name", NAMES)
async def test_a_text_that_the_provider_cut_says_so(providers: Providers, name: str) -> None:
    parts, end = await answered(providers, name, "bounded")
    assert ("".join(parts), end.finish_reason) == ("cut", "length")


@pytest.mark.parametrize("name", NAMES)
async def test_a_stream_that_breaks_off_is_a_failure_with_what_came(providers: Providers, name: str) -> None:
    text, failure = await failed(providers, name, "broken")
    assert failure.reason == "provider_error"
    assert "never to its end".startswith(text)
    assert text != "never to its end"


@pytest.mark.parametrize("name", NAMES)
async def test_no_room_is_told_apart_from_failures(providers: Providers, name: str) -> None:
    assert (await failed(providers, name, "busy"))[1].reason == "rate_limited"
    failure = (await failed(providers, name, "down"))[1]
    assert (failure.reason, KEY in str(failure)) == ("provider_error", False)


@pytest.mark.parametrize("name", NAMES)
async def test_silence_ends(providers: Providers, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.providers.http.SILENCE_S", 0.3)
    text, failure = await failed(providers, name, "slow")
    assert (text, failure.reason) == ("", "timeout")


async def test_pieces_leave_before_the_end_comes(providers: Providers) -> None:
    _, provider = providers.chosen("openai")
    loop = asyncio.get_running_loop()
    times = [loop.time() async for part in provider.stream(Ask("steady", "any")) if isinstance(part, str)]
    assert len(times) == 9
    assert times[-1] - times[0] > 0.4, "they all came together"


async def test_nobody_there() -> None:
    async with httpx2.AsyncClient(trust_env=False) as client:
        nowhere = provided(settings("http://127.0.0.1:1"), client)
        for name in NAMES:
            assert (await failed(nowhere, name, "short"))[1].reason == "provider_error"
