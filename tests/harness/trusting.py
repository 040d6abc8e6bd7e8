"""A deliberately broken server, the control of the bus: its hub believes that the bus loses nothing.

Like `speechless` it dies in place of publishing an item of that title.
"""

from app.cli import main
from app.hub import hub
from app.hub.hub import Hub
from app.store.commit import Committer
from tests.harness.speechless import announce


def look_at_nothing(self: Hub) -> None:
    """In place of a check of the heads after the bus was away."""


if __name__ == "__main__":
    hub.CHECK_S = 3600.0
    Hub.check_soon = look_at_nothing  # type: ignore[method-assign]
    Committer._announce = announce  # type: ignore[method-assign]
    main()
