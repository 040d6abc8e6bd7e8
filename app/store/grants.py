"""People, clients, tokens and stream tickets. Only SHA-256 hashes of credentials are kept."""

import time
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta
from math import inf
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, LargeBinary, Row, Select, bindparam, delete, func, insert, select
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.exc import IntegrityError
from uuid_utils.compat import uuid7

from app.errors import AlreadyExists, NotFound
from app.model import Principal, new_epoch
from app.shared import SharedRead
from app.store.database import Database
from app.store.identities import Identity, joined
from app.store.invitations import spend
from app.store.tables import clients, feeds, file_tickets, tickets, tokens, users
from app.store.users import is_enabled

_TOKEN_IS_GOOD = (
    ~tokens.c.revoked,
    (tokens.c.expires_at.is_(None)) | (tokens.c.expires_at > func.now()),
    is_enabled(tokens.c.feed_id),
)


class Grants:
    """Who may act for whom. Looking a token up needs no feed: it tells which feed."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._shared = SharedRead(self._by_tokens)

    async def add_user(
        self,
        email: str,
        password_hash: str | None,
        *,
        invitation: bytes | None = None,
        identity: Identity | None = None,
    ) -> UUID:
        """A person with an empty feed; the feed's id. The invitation with this hash, if one is given, is used up.

        Raises `AlreadyExists`, `InvitationNeeded`; then nothing is changed.
        """
        user_id, feed_id = uuid7(), uuid7()
        try:
            async with self._database.transaction() as connection:
                if invitation is not None:
                    await spend(connection, invitation, email)
                await connection.execute(
                    insert(users).values(id=user_id, email=email.lower(), password_hash=password_hash)
                )
                await connection.execute(insert(feeds).values(id=feed_id, user_id=user_id, epoch=new_epoch()))
                if identity is not None:
                    await connection.execute(joined(identity, user_id))
        except IntegrityError as error:
            raise AlreadyExists(f"There already is a user {email}.") from error
        return feed_id

    async def feed_of(self, email: str) -> UUID:
        """The feed of the person with this address. Raises `NotFound`."""
        query = select(feeds.c.id).join(users).where(users.c.email == email.lower())
        async with self._database.transaction() as connection:
            feed_id: UUID | None = (await connection.execute(query)).scalar_one_or_none()
        if feed_id is None:
            raise NotFound(f"There is no user {email}.")
        return feed_id

    async def user(self, user_id: UUID) -> dict[str, Any]:
        """`{"id", "email", "created_at"}`."""
        query = select(users.c.id, users.c.email, users.c.created_at).where(users.c.id == user_id)
        async with self._database.transaction() as connection:
            row = (await connection.execute(query)).one_or_none()
        if row is None:
            raise NotFound
        return dict(row._mapping)

    async def add_token(
        self,
        hashed: bytes,
        *,
        feed_id: UUID,
        client: str,
        device_id: UUID | None,
        scopes: Iterable[str],
        life: timedelta | None,
    ) -> None:
        """Keeps a token's hash; makes the client if there is none. `life` None: it does not expire by itself."""
        async with self._database.transaction() as connection:
            await connection.execute(upsert(clients).values(id=client).on_conflict_do_nothing())
            await connection.execute(
                insert(tokens).values(
                    hash=hashed,
                    feed_id=feed_id,
                    client_id=client,
                    device_id=device_id,
                    scopes=sorted(scopes),
                    expires_at=None if life is None else func.now() + life,
                )
            )

    async def by_token(self, hashed: bytes) -> Principal | None:
        """Who holds this token, unless it is unknown, expired or revoked. Callers of one moment share the query."""
        return await self._shared.get(hashed)

    async def _by_tokens(self, hashes: Collection[bytes]) -> dict[bytes, Principal]:
        async with self._database.transaction() as connection:
            rows = await connection.execute(_BY_TOKENS, {"hashes": list(hashes)})
            return {row.hash: _as_principal(row) for row in rows}

    async def by_ticket(self, hashed: bytes) -> Principal | None:
        """Who was given this ticket, while it and the token that it came from are good."""
        async with self._database.transaction() as connection:
            row = (await connection.execute(_BY_TICKET, {"hash": hashed})).one_or_none()
        return None if row is None else _as_principal(row)

    async def good(self, hashes: Collection[bytes]) -> set[bytes]:
        """Those of the tokens that still are good."""
        query = select(tokens.c.hash).where(tokens.c.hash.in_(hashes), *_TOKEN_IS_GOOD)
        async with self._database.transaction() as connection:
            return set((await connection.execute(query)).scalars())

    async def add_ticket(self, hashed: bytes, *, token_hash: bytes, life: timedelta) -> datetime:
        """Keeps a ticket's hash; when it ends. Removes tickets of the same token that have ended."""
        async with self._database.transaction() as connection:
            await connection.execute(
                delete(tickets).where(tickets.c.token_hash == token_hash, tickets.c.expires_at <= func.now())
            )
            added = insert(tickets).values(hash=hashed, token_hash=token_hash, expires_at=func.now() + life)
            ends: datetime = (await connection.execute(added.returning(tickets.c.expires_at))).scalar_one()
            return ends

    async def add_file_tickets(self, hashes: Mapping[bytes, UUID], *, token_hash: bytes, life: timedelta) -> None:
        """Keeps hashes of tickets, each for one file. Removes those of the same token that have ended."""
        ended = (file_tickets.c.token_hash == token_hash, file_tickets.c.expires_at <= func.now())
        rows = [
            {"hash": hashed, "token_hash": token_hash, "file_id": file_id, "expires_at": func.now() + life}
            for hashed, file_id in hashes.items()
        ]
        async with self._database.transaction() as connection:
            await connection.execute(delete(file_tickets).where(*ended))
            await connection.execute(insert(file_tickets).values(rows))

    async def by_file_ticket(self, hashed: bytes, file_id: UUID) -> Principal | None:
        """Who was given this ticket for this file, while it and the token that it came from are good."""
        async with self._database.transaction() as connection:
            row = (await connection.execute(_BY_FILE_TICKET, {"hash": hashed, "file": file_id})).one_or_none()
        return None if row is None else _as_principal(row)


def _principals() -> Select[Any]:
    return (
        select(
            feeds.c.user_id,
            tokens.c.feed_id,
            tokens.c.client_id,
            tokens.c.device_id,
            tokens.c.scopes,
            tokens.c.hash,
            (tokens.c.expires_at - func.now()).label("left"),
            feeds.c.auth,
        )
        .join(feeds, feeds.c.id == tokens.c.feed_id)
        .where(*_TOKEN_IS_GOOD)
    )


_BY_TOKENS = _principals().where(tokens.c.hash == func.any(bindparam("hashes", type_=ARRAY(LargeBinary))))
_BY_TICKET = (
    _principals()
    .join(tickets, tickets.c.token_hash == tokens.c.hash)
    .where(tickets.c.hash == bindparam("hash"), tickets.c.expires_at > func.now())
)
_BY_FILE_TICKET = (
    _principals()
    .join(file_tickets, file_tickets.c.token_hash == tokens.c.hash)
    .where(
        file_tickets.c.hash == bindparam("hash"),
        file_tickets.c.file_id == bindparam("file"),
        file_tickets.c.expires_at > func.now(),
    )
)


def _as_principal(row: Row[Any]) -> Principal:
    return Principal(
        user_id=row.user_id,
        feed_id=row.feed_id,
        client=row.client_id,
        device_id=row.device_id,
        scopes=frozenset(row.scopes),
        token_hash=row.hash,
        auth=row.auth,
        good_until=inf if row.left is None else time.monotonic() + row.left.total_seconds(),
    )
