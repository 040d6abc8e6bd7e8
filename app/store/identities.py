"""People as a sign-in provider knows them."""

from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import Insert, Select, delete, insert, select

from app.store.database import Database
from app.store.sessions import Account, Opening, Proof, begin
from app.store.tables import identities, sessions, users


class Identity(msgspec.Struct, frozen=True):
    """Somebody whom a provider let sign in just now: its name for the person never changes, an address may."""

    issuer: str
    subject: str

    def who(self) -> Select[Any]:
        """The person, while the two are joined."""
        mine = (identities.c.issuer == self.issuer, identities.c.subject == self.subject)
        return select(users.c.id).join(identities, identities.c.user_id == users.c.id).where(*mine)


def joined(identity: Identity, user_id: UUID) -> Insert:
    """The statement that joins the two."""
    return insert(identities).values(user_id=user_id, **msgspec.structs.asdict(identity))


class Identities:
    """Which accounts a provider lets people in to."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def of(self, user_id: UUID) -> list[dict[str, Any]]:
        """Those of a person, oldest first: `{"issuer", "subject", "created_at"}`."""
        columns = (identities.c.issuer, identities.c.subject, identities.c.created_at)
        query = select(*columns).where(identities.c.user_id == user_id).order_by(identities.c.created_at)
        async with self._database.transaction() as connection:
            return [dict(row._mapping) for row in await connection.execute(query)]

    async def part(self, account: Account, opening: Opening, proof: Proof) -> bool:
        """Takes all of a person's away and begins a session; their others end. False: the proof holds no longer."""
        async with self._database.transaction() as connection:
            await connection.execute(delete(sessions).where(sessions.c.user_id == account.user_id))
            if await begin(connection, opening, proof) is None:
                await connection.rollback()
                return False
            await connection.execute(delete(identities).where(identities.c.user_id == account.user_id))
            return True
