"""Changes as the actions make them, and a committer that runs."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import msgspec
from hypothesis import strategies as st

from app.errors import StarlingError
from app.model import Changed, Origin
from app.store.commit import Committer
from app.store.database import Database
from app.store.fold import Base, Change, Outcome, Replay

ORIGIN = Origin("action", "chatgpt")
FEED = UUID("0199aaaa-0000-7000-8000-000000000001")
ITEM = UUID("0199bbbb-0000-7000-8000-000000000001")
NOW = datetime(2026, 8, 1, 12, tzinfo=UTC)
_TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=50)
VALUES = st.fixed_dictionaries(
    {},
    optional={
        "title": _TEXTS,
        "text": _TEXTS,
        "url": st.just("https://example.com/?q=%22"),
        "tags": st.lists(_TEXTS.filter(bool), max_size=3),
        "data": st.dictionaries(_TEXTS, _TEXTS, max_size=3),
        "status": st.sampled_from(["unread", "done"]),
        "collection": _TEXTS.filter(bool),
        "expires_at": st.datetimes(timezones=st.just(UTC)).filter(lambda at: at.year > 2030),
    },
)
"""Hypothesis makes the fields of an item."""
_CHANGE = {"kind", "audience", "files", "replay", "epoch", "fresh"}


def put(feed_id: UUID, item_id: UUID | None = None, base: Base = "create", **said: Any) -> Change:
    """A put; what is no field of the item is the change's own."""
    own = {name: value for name, value in said.items() if name in _CHANGE}
    values = {name: value for name, value in said.items() if name not in _CHANGE}
    return Change(feed_id, item_id or uuid4(), "put", base, ORIGIN, values=values, **own)


def delete(feed_id: UUID, item_id: UUID, base: Base = "any", **own: Any) -> Change:
    """A delete."""
    return Change(feed_id, item_id, "delete", base, ORIGIN, **own)


def expire(feed_id: UUID, item_id: UUID) -> Change:
    """What the upkeep submits."""
    return Change(feed_id, item_id, "expire", "any", ORIGIN)


def named(key: bytes, body: bytes = b"", *, keeps_answer: bool = True, life: timedelta = timedelta(days=1)) -> Replay:
    """An idempotency key."""
    return Replay(key.ljust(32, b"."), body, life, keeps_answer)


def item_of(outcome: Outcome) -> dict[str, Any]:
    """The item that the caller gets."""
    assert outcome.wire is not None
    item: dict[str, Any] = msgspec.json.decode(outcome.wire)
    return item


def error_of(outcome: Outcome) -> type[StarlingError] | None:
    """The kind of its error."""
    return None if outcome.error is None else type(outcome.error)


@dataclass
class Published:
    """Takes what a committer publishes."""

    messages: list[Changed] = field(default_factory=list)

    def __call__(self, messages: Sequence[Changed]) -> None:
        self.messages.extend(messages)

    def seqs(self, feed_id: UUID) -> list[int]:
        """Of one feed, in the order of publication."""
        return [message.seq for message in self.messages if message.feed_id == feed_id]


@asynccontextmanager
async def committing(
    database: Database, publish: Callable[[Sequence[Changed]], None] | None = None
) -> AsyncIterator[Committer]:
    """A committer that runs while the body does."""
    committer = Committer(database, publish or Published())
    async with running(committer):
        yield committer


@asynccontextmanager
async def running(committer: Committer) -> AsyncIterator[None]:
    """Runs it while the body does."""
    task = asyncio.create_task(committer.run())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
