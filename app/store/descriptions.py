"""OAuth clients that describe themselves: kept as long as their document is believed, or somebody lets them in."""

from datetime import timedelta

from sqlalchemy import Delete, delete, exists, func, or_, select
from sqlalchemy.dialects.postgresql import insert as upsert

from app.store.clients import IS_HELD, Registration
from app.store.database import Database
from app.store.tables import clients


class Descriptions:
    """What these clients' documents said."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def is_known(self, client_id: str) -> bool:
        """Whether the document was read lately, or the operator registered the client, whatever it says of itself."""
        mine = clients.c.id == client_id
        known = exists().where(mine, or_(clients.c.made_by == "command", clients.c.fresh_until > func.now()))
        async with self._database.transaction() as connection:
            return bool((await connection.execute(select(known))).scalar_one())

    async def keep(self, new: Registration, life: timedelta, unused: int) -> None:
        """Keeps what a document says for that long; of clients that nobody lets in, the `unused` read last."""
        said = {
            "name": new.name,
            "redirect_uris": new.redirect_uris,
            "scopes": new.scopes,
            "read_at": func.now(),
            "fresh_until": func.now() + life,
        }
        kept = upsert(clients).values(id=new.id, made_by="document", **said)
        by_document = clients.c.made_by == "document"
        async with self._database.transaction() as connection:
            await connection.execute(
                kept.on_conflict_do_update(index_elements=[clients.c.id], set_=said, where=by_document)
            )
            await connection.execute(_above(unused))


def _above(most: int) -> Delete:
    """Removes those that act for nobody, but for the ones that were read last."""
    unused = select(clients.c.id).where(clients.c.made_by == "document", ~IS_HELD)
    above = unused.order_by(clients.c.read_at.desc(), clients.c.id).offset(most)
    # Whom somebody is just letting in is locked, and left alone.
    spare = select(clients.c.id).where(clients.c.id.in_(above)).with_for_update(skip_locked=True)
    return delete(clients).where(clients.c.id.in_(spare))
