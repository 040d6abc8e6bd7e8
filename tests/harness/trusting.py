"""A deliberately broken server, the control of the bus: its hub believes that the bus loses nothing, and asks nobody.

Like `speechless` it dies in place of publishing an item of that title.
"""

import asyncio

from app.cli import main
from app.hub import hub
from app.hub.hub import Hub
from app.store.commit import Committer
from app.store.revocations import Revocations
from tests.harness.speechless import announce


def look_at_nothing(self: Hub) -> None:
    """In place of a check of the heads after the bus was away."""


async def hear_nothing(self: Revocations, hear: object, on_gap: object) -> None:
    """In place of what the database tells of revocations."""
    await asyncio.Event().wait()


if __name__ == "__main__":
    hub.CHECK_S = 3600.0
    Hub.check_soon = look_at_nothing  # type: ignore[method-assign]
    Revocations.run = hear_nothing  # type: ignore[method-assign]
    Committer._announce = announce  # type: ignore[method-assign]
    main()
