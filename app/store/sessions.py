"""People who are signed in to the pages. Only hashes of their cookies are kept."""

from datetime import timedelta
from uuid import UUID

import msgspec
from sqlalchemy import delete, func, insert, select

from app.store.database import Database
from app.store.tables import feeds, sessions, users


class Account(msgspec.Struct, frozen=True):
    """A person, for the pages."""

    user_id: UUID
    feed_id: UUID
    email: str


class Sessions:
    """Sign-ins that last."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def credentials(self, email: str) -> tuple[UUID, str | None] | None:
        """The id and the password's hash of the person with this address."""
        query = select(users.c.id, users.c.password_hash).where(users.c.email == email.lower())
        async with self._database.transaction() as connection:
            row = (await connection.execute(query)).one_or_none()
        return None if row is None else (row.id, row.password_hash)

    async def add(self, hashed: bytes, user_id: UUID, life: timedelta) -> None:
        """Begins a session; removes the person's sessions that have ended."""
        async with self._database.transaction() as connection:
            ended = delete(sessions).where(sessions.c.user_id == user_id, sessions.c.expires_at <= func.now())
            await connection.execute(ended)
            new = insert(sessions).values(hash=hashed, user_id=user_id, expires_at=func.now() + life)
            await connection.execute(new)

    async def account(self, hashed: bytes) -> Account | None:
        """Whose session this is, unless it is unknown or has ended."""
        query = (
            select(users.c.id.label("user_id"), feeds.c.id.label("feed_id"), users.c.email)
            .select_from(sessions.join(users).join(feeds))
            .where(sessions.c.hash == hashed, sessions.c.expires_at > func.now())
        )
        async with self._database.transaction() as connection:
            row = (await connection.execute(query)).one_or_none()
        return None if row is None else Account(**row._mapping)

    async def end(self, hashed: bytes) -> None:
        """Ends a session."""
        async with self._database.transaction() as connection:
            await connection.execute(delete(sessions).where(sessions.c.hash == hashed))
