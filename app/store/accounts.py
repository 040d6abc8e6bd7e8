"""Accounts: changing a password, deleting all that there is."""

from collections.abc import AsyncIterator

from sqlalchemy import bindparam, delete, select, update

from app.errors import NotFound
from app.model import FIRST_SYNC, Revoked
from app.store.database import Database
from app.store.revocations import RAISE_AUTH
from app.store.sessions import Account
from app.store.tables import items, replays, sessions, users

PAGE = 50
"""Items read at once: an item may be 500 KiB."""


class Accounts:
    """What a person changes about the account itself."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def password_hash(self, account: Account) -> str | None:
        """What there is to check a password against."""
        query = select(users.c.password_hash).where(users.c.id == account.user_id)
        async with self._database.transaction() as connection:
            return (await connection.execute(query)).scalar_one_or_none()

    async def set_password(self, account: Account, current: str | None, new: str) -> bool:
        """Another password, by their hashes; all sessions end. False: somebody else changed it in the meantime."""
        mine = (users.c.id == account.user_id, users.c.password_hash.is_not_distinct_from(current))
        async with self._database.transaction() as connection:
            changed = await connection.execute(update(users).values(password_hash=new).where(*mine))
            if changed.rowcount:
                await connection.execute(delete(sessions).where(sessions.c.user_id == account.user_id))
            return changed.rowcount == 1

    async def items(self, account: Account) -> AsyncIterator[bytes]:
        """All items that are not deleted, each as its wire JSON, in the order of their last change; read in pages."""
        query = select(items.c.seq, items.c.wire).where(
            items.c.feed_id == account.feed_id, items.c.deleted_at.is_(None), items.c.seq > bindparam("after")
        )
        after = FIRST_SYNC
        while True:
            async with self._database.transaction(account.feed_id, walks=True) as connection:
                rows = (await connection.execute(query.order_by(items.c.seq).limit(PAGE), {"after": after})).all()
            for row in rows:
                yield row.wire
            if len(rows) < PAGE:
                return
            after = rows[-1].seq

    async def delete(self, account: Account) -> Revoked:
        """Deletes the account with all its data; what to tell the other processes. Raises `NotFound`.

        The feed's row is locked first, so a change that waits for it finds no feed. Items and replays have no foreign
        key; everything else goes with the user's row.
        """
        async with self._database.transaction(account.feed_id) as connection:
            raised = (await connection.execute(RAISE_AUTH, {"feeds": [account.feed_id]})).one_or_none()
            if raised is None:
                raise NotFound("This account is gone.")
            for table in (items, replays):
                await connection.execute(delete(table).where(table.c.feed_id == account.feed_id))
            await connection.execute(delete(users).where(users.c.id == account.user_id))
        return Revoked(account.feed_id, raised.auth)
