"""How long assistants wait. ChatGPT gives up after 45 seconds, and then nobody there knows what became of a call."""

import asyncio

from litestar.types import ASGIApp, Receive, Scope, Send

from app.errors import OutcomeUnknown, Unavailable

ANSWER_S = 40.0


def in_time(app: ASGIApp) -> ASGIApp:
    """A middleware that ends what takes longer. What was being written by then may still be saved."""

    async def timed(scope: Scope, receive: Receive, send: Send) -> None:
        deadline = asyncio.timeout(ANSWER_S)
        try:
            async with deadline:
                await app(scope, receive, send)
        except TimeoutError:
            if not deadline.expired():
                raise
            late = Unavailable if scope["method"] == "GET" else OutcomeUnknown  # type: ignore[typeddict-item]
            raise late from None

    return timed
