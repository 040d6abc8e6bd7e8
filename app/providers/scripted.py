"""A provider that needs no key and says the same each time: for trying Starling out, and for its tests."""

import asyncio
import re
from collections.abc import AsyncGenerator

from app.providers.provider import Ask, End

WORD_S = 0.03
_WORDS = re.compile(r"\s*\S+\s*?|\s+")


class Scripted:
    """Answers with a sentence that repeats the prompt, word by word."""

    default_model = "scripted"

    def __init__(self, pause_s: float = WORD_S) -> None:
        """`pause_s`: seconds before each word."""
        self._pause_s = pause_s

    async def stream(self, ask: Ask) -> AsyncGenerator[str | End, None]:
        """As in `Provider`."""
        words: list[str] = _WORDS.findall(
            f"You asked: {ask.prompt}\n\nNo model is connected, so this answer is a script. "
            "It arrives word by word on every device that is online, and stays as one item."
        )
        for word in words:
            await asyncio.sleep(self._pause_s)
            yield word
        yield End("stop", {"input_tokens": len(ask.prompt.split()), "output_tokens": len(words)})
