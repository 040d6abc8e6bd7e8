"""People as the operator sees them: who there is, and whose account is disabled."""

from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import ColumnElement, exists, func, select, update

from app.errors import NotFound
from app.store.database import Database
from app.store.revocations import RAISE_AUTH
from app.store.security import EventKind, noted
from app.store.tables import feeds, users


class User(msgspec.Struct, frozen=True):
    """A person with a feed of `head` changes."""

    email: str
    created_at: datetime
    disabled_at: datetime | None
    head: int


def is_enabled(feed_id: ColumnElement[UUID]) -> ColumnElement[bool]:
    """Whether the account that the feed is of counts: whatever was given to a disabled one is worth nothing."""
    its = feeds.alias("its")
    return exists().where(its.c.id == feed_id, users.c.id == its.c.user_id, users.c.disabled_at.is_(None))


class Users:
    """All people."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def all(self) -> list[User]:
        """In the order of their addresses."""
        query = select(users.c.email, users.c.created_at, users.c.disabled_at, feeds.c.head).join(feeds)
        async with self._database.transaction() as connection:
            return [User(**row._mapping) for row in await connection.execute(query.order_by(users.c.email))]

    async def disable(self, email: str) -> bool:
        """From now on nothing of theirs is accepted, and open streams end; whether that is new. Raises `NotFound`."""
        return await self._set(email, "disabled", func.now(), users.c.disabled_at.is_(None), raise_auth=True)

    async def enable(self, email: str) -> bool:
        """Takes `disable` back: what was given before is worth what it was; whether that is new. Raises `NotFound`."""
        return await self._set(email, "enabled", None, users.c.disabled_at.is_not(None), raise_auth=False)

    async def _set(
        self, email: str, event: EventKind, disabled_at: Any, is_new: ColumnElement[bool], *, raise_auth: bool
    ) -> bool:
        """The feed's row is locked first, as everybody does who revokes."""
        of_feed = select(feeds.c.id).join(users).where(users.c.email == email.lower())
        async with self._database.transaction() as connection:
            feed_id = (await connection.execute(of_feed.with_for_update(of=feeds))).scalar_one_or_none()
            if feed_id is None:
                raise NotFound(f"There is no user {email}.")
            change = update(users).values(disabled_at=disabled_at).where(users.c.email == email.lower(), is_new)
            if (await connection.execute(change)).rowcount == 0:
                return False
            if raise_auth:
                await connection.execute(RAISE_AUTH, {"feeds": [feed_id]})
            await connection.execute(noted(feed_id, event))
        return True
