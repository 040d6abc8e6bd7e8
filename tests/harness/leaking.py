"""A deliberately broken server, the control of the canaries: it logs tokens, and keeps sessions as they are."""

import structlog

from app.auth import people
from app.auth.tokens import Tokens
from app.cli import main
from app.model import Principal

_authenticate = Tokens.authenticate


async def talkative(self: Tokens, token: str) -> Principal:
    """Says what it was shown."""
    structlog.get_logger().debug("token.shown", token=token)
    return await _authenticate(self, token)


if __name__ == "__main__":
    Tokens.authenticate = talkative  # type: ignore[method-assign]
    setattr(people, "digest", str.encode)  # noqa: B010
    main()
