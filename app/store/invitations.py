"""Invitations to make an account, for one use each. Only their hashes are kept."""

from datetime import timedelta

import msgspec
from sqlalchemy import delete, func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from app.errors import InvitationNeeded
from app.store.database import Database
from app.store.tables import invitations


class Invitation(msgspec.Struct, frozen=True):
    """An invitation that is good; `email`: the only address it is for, if it is for one."""

    email: str | None


class Invitations:
    """Those that nobody has used yet."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, hashed: bytes, email: str | None, life: timedelta) -> None:
        """Keeps an invitation; removes those that have ended."""
        async with self._database.transaction() as connection:
            await connection.execute(delete(invitations).where(invitations.c.expires_at <= func.now()))
            ends = func.now() + life
            new = insert(invitations).values(hash=hashed, email=email and email.lower(), expires_at=ends)
            await connection.execute(new)

    async def find(self, hashed: bytes) -> Invitation | None:
        """The invitation, unless it was used or has ended."""
        query = select(invitations.c.email).where(invitations.c.hash == hashed, invitations.c.expires_at > func.now())
        async with self._database.transaction() as connection:
            row = (await connection.execute(query)).one_or_none()
        return None if row is None else Invitation(row.email)


async def spend(connection: AsyncConnection, hashed: bytes, email: str) -> None:
    """Uses an invitation up, in the transaction that makes the account. Of any number at once, one does.

    Raises `InvitationNeeded` for one that is unknown, used, ended or for another address.
    """
    good = (invitations.c.hash == hashed, invitations.c.expires_at > func.now())
    is_for = invitations.c.email.is_(None) | (invitations.c.email == email.lower())
    if (await connection.execute(delete(invitations).where(*good, is_for))).rowcount != 1:
        raise InvitationNeeded("This invitation was used already, has ended, or is for another address.")
