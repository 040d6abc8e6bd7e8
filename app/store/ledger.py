"""What the authorization server reads and writes in one transaction.

The OAuth library is synchronous, so all of it is: `Ledgers.run` runs such work without a thread.
"""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy import Connection, func, select
from sqlalchemy.dialects.postgresql import insert as upsert

from app.model import Message
from app.store.clients import COLUMNS, Registration, as_registration
from app.store.codes import Codes
from app.store.database import Database
from app.store.families import Families
from app.store.requests import DeviceRequests
from app.store.tables import clients, grants

T = TypeVar("T")


class Ledger:
    """One transaction of the authorization server."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.codes = Codes(connection)
        self.requests = DeviceRequests(connection)
        self.families = Families(connection)

    def client(self, client_id: str) -> Registration | None:
        """A registered client, which cannot be deleted before the end: whoever deletes it locks it first, too."""
        query = select(*COLUMNS).where(clients.c.id == client_id, clients.c.made_by.is_not(None))
        query = query.with_for_update(read=True, key_share=True)
        row = self._connection.execute(query).one_or_none()
        return None if row is None else as_registration(row)

    def ensure_client(self, client_id: str, name: str) -> None:
        """Makes the row of a client that is part of the program, and so is not registered."""
        made = upsert(clients).values(id=client_id, name=name)
        self._connection.execute(made.on_conflict_do_update(index_elements=[clients.c.id], set_={"name": name}))


class Ledgers:
    """Opens ledgers, and tells of what was revoked in them."""

    def __init__(self, database: Database, publish: Callable[[Sequence[Message]], None]) -> None:
        self._database = database
        self._publish = publish

    async def run(self, work: Callable[[Ledger], T]) -> T:
        """Runs synchronous work in one transaction, without a thread. Whatever it returns is committed."""
        async with self._database.transaction() as connection:
            result, revoked = await connection.run_sync(_run, work)
        if revoked:
            self._publish(revoked)
        return result

    async def assistants(self, feed_id: UUID) -> list[dict[str, Any]]:
        """Grants that are no device's, newest first.

        `{"id", "client_id", "name", "scopes", "created_at", "used_at"}` each.
        """
        name = func.coalesce(clients.c.name, clients.c.id).label("name")
        columns = (grants.c.id, grants.c.client_id, name, grants.c.scopes, grants.c.created_at, grants.c.used_at)
        query = select(*columns).join(clients)
        mine = (grants.c.feed_id == feed_id, grants.c.device_id.is_(None), grants.c.revoked_at.is_(None))
        async with self._database.transaction() as connection:
            rows = await connection.execute(query.where(*mine).order_by(grants.c.created_at.desc()))
            return [dict(row._mapping) for row in rows]


def _run(connection: Connection, work: Callable[[Ledger], T]) -> tuple[T, list[Message]]:
    ledger = Ledger(connection)
    return work(ledger), ledger.families.revoked
