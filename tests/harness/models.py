"""An imitation of the model APIs, written by others, as a process of its own."""

import asyncio
import json
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from app.settings import ModelSettings

WITHIN_S = 60
KEY = "a-made-up-key"


@asynccontextmanager
async def imitated(fixtures: Mapping[str, Any]) -> AsyncIterator[str]:
    """Its address; `fixtures` says what is answered to which prompt."""
    script = Path(__file__).with_suffix(".mjs")
    process = await asyncio.create_subprocess_exec("node", str(script), stdin=PIPE, stdout=PIPE)
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        process.stdin.write(json.dumps(fixtures).encode() + b"\n")
        async with asyncio.timeout(WITHIN_S):
            url = (await process.stdout.readline()).decode().strip()
        yield url
    finally:
        process.kill()
        await process.wait()


def settings(url: str) -> ModelSettings:
    """Keys and addresses for all of them."""
    return ModelSettings(
        openai_api_key=SecretStr(KEY),
        openai_base_url=f"{url}/v1",
        gemini_api_key=SecretStr(KEY),
        gemini_base_url=f"{url}/v1beta",
        groq_api_key=SecretStr(KEY),
        groq_base_url=f"{url}/openai/v1",
        anthropic_api_key=SecretStr(KEY),
        anthropic_base_url=url,
    )
