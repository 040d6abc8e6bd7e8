"""Sign-ins through a provider that are under way. One is taken up by one `delete … returning`."""

from datetime import timedelta
from typing import Any

import msgspec
from sqlalchemy import Row, delete, func, insert, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from app.errors import AlreadyExists, SignInFailed
from app.store.database import Database
from app.store.identities import Identity, joined
from app.store.sessions import Opening, Proof, begin
from app.store.tables import pending_sign_ins

LIFE = timedelta(minutes=10)


class Pending(msgspec.Struct, frozen=True):
    """A sign-in under way. `destination` is sealed; with `identity` and `email` the provider has answered already."""

    destination: bytes
    invitation_hash: bytes | None
    again: bool
    identity: Identity | None = None
    email: str | None = None


class PendingSignIns:
    """Those that may still be taken up."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, hashed: bytes, pending: Pending) -> None:
        """Keeps one for ten minutes; removes those that have ended."""
        values = {name: getattr(pending, name) for name in ("destination", "invitation_hash", "again", "email")}
        if pending.identity is not None:
            values |= msgspec.structs.asdict(pending.identity)
        async with self._database.transaction() as connection:
            await connection.execute(delete(pending_sign_ins).where(pending_sign_ins.c.expires_at <= func.now()))
            new = insert(pending_sign_ins).values(hash=hashed, expires_at=func.now() + LIFE, **values)
            await connection.execute(new)

    async def find(self, hashed: bytes) -> Pending | None:
        """One that may be taken up."""
        query = select(*_COLUMNS).where(*_open(hashed))
        async with self._database.transaction() as connection:
            return _read((await connection.execute(query)).one_or_none())

    async def take(self, hashed: bytes) -> Pending | None:
        """Takes one up: of any number that try, one gets it."""
        async with self._database.transaction() as connection:
            return await _take(connection, hashed)

    async def join(self, hashed: bytes, opening: Opening, proof: Proof) -> bool:
        """Takes one up that the provider has answered, joins its identity to who has the proof, begins a session.

        False: the proof holds no longer. Raises `SignInFailed`, `AlreadyExists`. Then nothing is changed.
        """
        try:
            async with self._database.transaction() as connection:
                pending = await _take(connection, hashed)
                if pending is None or pending.identity is None:
                    raise SignInFailed
                user_id = await begin(connection, opening, proof)
                if user_id is None:
                    await connection.rollback()
                    return False
                await connection.execute(joined(pending.identity, user_id))
        except IntegrityError as error:
            raise AlreadyExists("Somebody else has joined this to an account in the meantime.") from error
        return True


async def _take(connection: AsyncConnection, hashed: bytes) -> Pending | None:
    taken = delete(pending_sign_ins).where(*_open(hashed)).returning(*_COLUMNS)
    return _read((await connection.execute(taken)).one_or_none())


_COLUMNS = [
    pending_sign_ins.c[name] for name in ("destination", "invitation_hash", "again", "issuer", "subject", "email")
]


def _open(hashed: bytes) -> tuple[Any, ...]:
    return pending_sign_ins.c.hash == hashed, pending_sign_ins.c.expires_at > func.now()


def _read(row: Row[Any] | None) -> Pending | None:
    if row is None:
        return None
    kept = {name: getattr(row, name) for name in ("destination", "invitation_hash", "again", "email")}
    identity = None if row.subject is None else Identity(row.issuer, row.subject)
    return Pending(**kept, identity=identity)
