"""Reading items: one, or a searched and filtered page, newest first."""

from uuid import UUID

import msgspec
from sqlalchemy import ColumnElement, and_, any_, func, literal, or_, select

from app.errors import NotFound
from app.store.database import Database
from app.store.tables import items


class Query(msgspec.Struct, frozen=True):
    """What to look for. `q` is words, "quoted phrases", `or`, `-word` (websearch_to_tsquery); `page` counts from 1."""

    q: str | None = None
    kind: str | None = None
    collection: str | None = None
    status: str | None = None
    limit: int = 20
    page: int = 1


class Found(msgspec.Struct, frozen=True):
    """A page of wire JSONs."""

    wires: list[bytes]
    page: int
    total_pages: int
    total: int


class Place(msgspec.Struct, frozen=True):
    """Where an item stands in its feed, and for whom it is."""

    wire: bytes
    seq: int
    audience: frozenset[UUID] | None


class Items:
    """Items of a feed as a device sees them (its audience), or all of them (device None)."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, feed_id: UUID, item_id: UUID, *, device_id: UUID | None = None) -> Place:
        """One item that is not deleted. Raises `NotFound`."""
        query = select(items.c.wire, items.c.seq, items.c.audience).where(
            items.c.feed_id == feed_id, items.c.id == item_id, items.c.deleted_at.is_(None), visible(device_id)
        )
        async with self._database.transaction(feed_id) as connection:
            row = (await connection.execute(query)).one_or_none()
        if row is None:
            raise NotFound
        return Place(row.wire, row.seq, None if row.audience is None else frozenset(row.audience))

    async def find(self, feed_id: UUID, query: Query, *, device_id: UUID | None = None) -> Found:
        """One page of what matches, newest change first."""
        matching = _matching(feed_id, query, device_id)
        counted = select(func.count()).select_from(items).where(matching)
        paged = (
            select(items.c.wire)
            .where(matching)
            .order_by(items.c.seq.desc())
            .limit(query.limit)
            .offset((query.page - 1) * query.limit)
        )
        async with self._database.transaction(feed_id) as connection:
            total: int = (await connection.execute(counted)).scalar_one()
            wires = list((await connection.execute(paged)).scalars()) if total else []
        return Found(wires, query.page, -(-total // query.limit), total)


def _matching(feed_id: UUID, query: Query, device_id: UUID | None) -> ColumnElement[bool]:
    conditions = [items.c.feed_id == feed_id, items.c.deleted_at.is_(None), visible(device_id)]
    for column, value in (
        (items.c.kind, query.kind),
        (items.c.collection, query.collection),
        (items.c.status, query.status),
    ):
        if value is not None:
            conditions.append(column == value)
    if query.q:
        conditions.append(items.c.search.bool_op("@@")(func.websearch_to_tsquery("simple", query.q)))
    return and_(*conditions)


def visible(device_id: UUID | None) -> ColumnElement[bool]:
    """Whether an item is for that device; all are for a client that is none."""
    if device_id is None:
        return literal(True)
    return or_(items.c.audience.is_(None), literal(device_id) == any_(items.c.audience))
