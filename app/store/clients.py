"""OAuth clients as they are registered: by the command line, or by themselves (RFC 7591, or a document of theirs)."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Literal

import msgspec
from sqlalchemy import delete, exists, func, insert, or_, select, union, update

from app.errors import AlreadyExists, NotFound
from app.model import Revoked
from app.store.database import SET_FEEDS, Database, array
from app.store.revocations import RAISE_AUTH
from app.store.tables import authorization_codes, clients, devices, feeds, grants, tokens

MadeBy = Literal["command", "registration", "document"]


class Registration(msgspec.Struct, frozen=True):
    """An OAuth client. `secret_hash` None: a public one (RFC 6749, section 2.1)."""

    id: str
    name: str
    secret_hash: bytes | None
    redirect_uris: Sequence[str]
    scopes: Sequence[str]
    made_by: MadeBy
    created_at: datetime | None = None


COLUMNS = (
    clients.c.id,
    clients.c.name,
    clients.c.secret_hash,
    clients.c.redirect_uris,
    clients.c.scopes,
    clients.c.made_by,
    clients.c.created_at,
)

IS_HELD = or_(
    exists().where(grants.c.client_id == clients.c.id, grants.c.revoked_at.is_(None)),
    exists().where(tokens.c.client_id == clients.c.id, ~tokens.c.revoked),
    exists().where(authorization_codes.c.client_id == clients.c.id),
)
"""Whether somebody lets the client in, or is just about to."""


def as_registration(row: Any) -> Registration:
    """A client from a row with its columns."""
    return Registration(**row._mapping)


class Clients:
    """The registered clients. A client that tokens were only issued to, from the command line, is none of them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, new: Registration) -> None:
        """Registers a client. Raises `AlreadyExists`, also for one that only holds tokens so far."""
        values = {column.name: getattr(new, column.name) for column in COLUMNS if column.name != "created_at"}
        known = select(clients.c.id).where(clients.c.id == new.id)
        async with self._database.transaction() as connection:
            if (await connection.execute(known)).one_or_none() is not None:
                raise AlreadyExists(f"There already is a client {new.id}.")
            await connection.execute(insert(clients).values(values))

    async def all(self) -> list[Registration]:
        """All of them, oldest first."""
        query = select(*COLUMNS).where(clients.c.made_by.is_not(None)).order_by(clients.c.created_at, clients.c.id)
        async with self._database.transaction() as connection:
            return [as_registration(row) for row in await connection.execute(query)]

    async def revoke(self, client_id: str) -> list[Revoked]:
        """Deletes the client with all that it was given; the feeds that lost something. Raises `NotFound`.

        Its row is locked first, as by those who give it something: what is just being given is waited for, and goes.
        """
        mine = select(clients.c.id).where(clients.c.id == client_id).with_for_update()
        held = [select(each.c.feed_id).where(each.c.client_id == client_id) for each in (tokens, grants)]
        locked = select(feeds.c.id).where(feeds.c.id.in_(union(*held))).order_by(feeds.c.id).with_for_update()
        own = select(grants.c.device_id).where(grants.c.client_id == client_id)
        async with self._database.transaction() as connection:
            if (await connection.execute(mine)).one_or_none() is None:
                raise NotFound(f"There is no client {client_id}.")
            ids = list((await connection.execute(locked)).scalars())
            rows = (await connection.execute(RAISE_AUTH, {"feeds": ids})).all()
            await connection.execute(SET_FEEDS, {"feeds": array(ids)})
            await connection.execute(update(devices).values(revoked_at=func.now()).where(devices.c.id.in_(own)))
            await connection.execute(delete(clients).where(clients.c.id == client_id))
        return [Revoked(row.id, row.auth) for row in rows]

    async def clear_unused(self, keep: timedelta, most: int) -> None:
        """Removes clients that registered themselves and act for nobody: older ones, and the oldest above `most`."""
        unused = select(clients.c.id).where(clients.c.made_by == "registration", ~IS_HELD)
        above = unused.order_by(clients.c.created_at.desc(), clients.c.id).offset(most)
        old = unused.where(clients.c.created_at < func.now() - keep)
        # Whom somebody is just letting in is locked, and left alone; then nobody can be let in until they are gone.
        locked = select(clients.c.id).where(clients.c.id.in_(union(above, old))).with_for_update(skip_locked=True)
        async with self._database.transaction() as connection:
            ids = list((await connection.execute(locked)).scalars())
            await connection.execute(delete(clients).where(clients.c.id.in_(ids), ~IS_HELD))
