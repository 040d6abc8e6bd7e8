"""A deliberately broken server, the control of the crash tests: it says 201 before it commits."""

import asyncio
from datetime import UTC, datetime

from app.cli import main
from app.store.commit import Committer
from app.store.fold import Change, Outcome, fold

LATE_S = 0.25
_submit = Committer.submit
_behind: "set[asyncio.Task[Outcome]]" = set()


async def hasty_submit(self: Committer, change: Change) -> Outcome:
    """Answers a create at once and commits it a moment later."""
    if change.base != "create":
        return await _submit(self, change)

    async def later() -> Outcome:
        await asyncio.sleep(LATE_S)
        return await _submit(self, change)

    task = asyncio.create_task(later())
    _behind.add(task)
    task.add_done_callback(_behind.discard)
    return fold(change, None, 1, datetime.now(UTC)).outcome


if __name__ == "__main__":
    Committer.submit = hasty_submit  # type: ignore[method-assign]
    main()
