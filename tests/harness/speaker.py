"""A provider that says what a test tells it to, when the test tells it to."""

import asyncio
from collections.abc import AsyncGenerator

from app.providers import Ask, End, ProviderFailed, Providers


class Speaker:
    """`say` pieces, then an `End` or a failure. Every answer gets all of them from the beginning."""

    default_model = "told"

    def __init__(self) -> None:
        self.asked: list[Ask] = []
        self._said: list[str | End | ProviderFailed] = []
        self._more = asyncio.Condition()

    @property
    def providers(self) -> Providers:
        """The only one there is."""
        return Providers({"speaker": self})

    async def say(self, *parts: str | End | ProviderFailed) -> None:
        """Says more."""
        async with self._more:
            self._said += parts
            self._more.notify_all()

    async def stream(self, ask: Ask) -> AsyncGenerator[str | End, None]:
        """As in `Provider`."""
        self.asked.append(ask)
        heard = 0
        while True:
            part = await self._part(heard)
            heard += 1
            if isinstance(part, ProviderFailed):
                raise part
            yield part
            if isinstance(part, End):
                return

    async def _part(self, number: int) -> str | End | ProviderFailed:
        async with self._more:
            await self._more.wait_for(lambda: len(self._said) > number)
            return self._said[number]
