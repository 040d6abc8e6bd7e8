"""People who are signed in to the pages. Only hashes of their cookies are kept."""

from datetime import timedelta
from typing import Any, Protocol
from uuid import UUID

import msgspec
from sqlalchemy import ColumnElement, Select, delete, func, insert, literal, null, select
from sqlalchemy.ext.asyncio import AsyncConnection

from app.errors import AccountDisabled
from app.store.database import Database
from app.store.security import EventKind, noted_by
from app.store.tables import feeds, sessions, users

PROVEN_FOR = timedelta(minutes=10)


class Account(msgspec.Struct, frozen=True):
    """A person, for the pages. `is_proven`: a provider was asked just now to let them sign in anew."""

    user_id: UUID
    feed_id: UUID
    email: str
    has_password: bool = True
    is_proven: bool = False


class Proof(Protocol):
    """Why somebody is taken for a person."""

    def who(self) -> Select[Any]:
        """The person's id, for as long as the proof holds."""
        ...


class Password(msgspec.Struct, frozen=True):
    """Who knows the password of an account: its address, and the hash that the password was checked against."""

    email: str
    hash: str

    def who(self) -> Select[Any]:
        """The person, until the password changes."""
        return select(users.c.id).where(users.c.email == self.email.lower(), users.c.password_hash == self.hash)


class Opening(msgspec.Struct, frozen=True):
    """A session that is about to begin: the hash of its cookie, and the event that tells of it."""

    hash: bytes
    life: timedelta
    event: EventKind
    address: str
    is_proven: bool = False


async def begin(connection: AsyncConnection, opening: Opening, proof: Proof) -> UUID | None:
    """Begins a session and removes the person's that have ended; whose it is. None: the proof holds no longer.

    Every session begins here. The rows of the proof are held to the end of the transaction: whoever changes them
    afterwards finds the session, and this one waits for whoever is changing them. Raises `AccountDisabled`.
    """
    values: dict[str, ColumnElement[Any]] = {
        "hash": literal(opening.hash),
        "expires_at": func.now() + opening.life,
        "proven_at": func.now() if opening.is_proven else null(),
    }
    whose = proof.who().add_columns(*values.values()).with_for_update(read=True)
    new = insert(sessions).from_select(["user_id", *values], whose).returning(sessions.c.user_id)
    user_id: UUID | None = (await connection.execute(new)).scalar_one_or_none()
    if user_id is not None:
        is_disabled = select(users.c.disabled_at.is_not(None)).where(users.c.id == user_id)
        if (await connection.execute(is_disabled)).scalar_one():
            raise AccountDisabled
        ended = delete(sessions).where(sessions.c.user_id == user_id, sessions.c.expires_at <= func.now())
        await connection.execute(ended)
        await connection.execute(noted_by(user_id, opening.event, opening.address))
    return user_id


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

    async def begin(self, opening: Opening, proof: Proof) -> bool:
        """Begins a session, unless the proof holds no longer. Raises `AccountDisabled`."""
        async with self._database.transaction() as connection:
            return await begin(connection, opening, proof) is not None

    async def account(self, hashed: bytes) -> Account | None:
        """Whose session this is, unless it is unknown or has ended, or the account is disabled."""
        query = (
            select(
                users.c.id.label("user_id"),
                feeds.c.id.label("feed_id"),
                users.c.email,
                users.c.password_hash.is_not(None).label("has_password"),
                func.coalesce(sessions.c.proven_at > func.now() - PROVEN_FOR, False).label("is_proven"),
            )
            .select_from(sessions.join(users).join(feeds))
            .where(sessions.c.hash == hashed, sessions.c.expires_at > func.now(), users.c.disabled_at.is_(None))
        )
        async with self._database.transaction() as connection:
            row = (await connection.execute(query)).one_or_none()
        return None if row is None else Account(**row._mapping)

    async def end(self, hashed: bytes) -> None:
        """Ends a session."""
        async with self._database.transaction() as connection:
            await connection.execute(delete(sessions).where(sessions.c.hash == hashed))
