"""A server that dies at the worst moment: an item of this title is committed, and nobody was told of it yet."""

import os

from app.cli import main
from app.store.batch import Batch
from app.store.births import Births
from app.store.commit import Committer

TITLE = "the last words"
_announce = Committer._announce


def announce(self: Committer, batch: Births | Batch) -> None:
    """Kills the process in place of publishing."""
    if any(TITLE.encode() in (message.wire or b"") for message in batch.messages):
        os._exit(137)
    _announce(self, batch)


if __name__ == "__main__":
    Committer._announce = announce  # type: ignore[method-assign]
    main()
