"""Grants and the tokens that came from each: giving, refreshing, revoking."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import Connection, delete, func, insert, select, text, update
from uuid_utils.compat import uuid7

from app.model import Message, Revoked
from app.store.database import SET_FEEDS, array
from app.store.revocations import RAISE_AUTH
from app.store.security import EventKind, noted
from app.store.tables import devices, feeds, grants, refresh_tokens, tokens
from app.store.users import is_enabled

REFRESH_LIFE = timedelta(days=180)
RETRY_WITHIN = timedelta(days=1)
SPENT = 2
"""Uses after which a refresh token gives nothing any more: the first, and one more when its answer was lost."""
USED_KEPT = timedelta(days=30)

# Whoever revokes locks the feed's row first, then the rest. Whoever refreshes does the same: in another order, a thief
# and his victim could wait for each other, and the revocation be the one that is given up. No row: the token is
# unknown, or of a disabled account, where it must not be used up.
_LOCK_FEED = text("""
select 1 from feeds join users on users.id = feeds.user_id where users.disabled_at is null and feeds.id = (
    select grants.feed_id from grants join refresh_tokens on refresh_tokens.grant_id = grants.id
    where refresh_tokens.hash = :hash
) for no key update of feeds
""")
_REDEEM = text("""
update refresh_tokens as mine set uses = mine.uses + 1, used_at = coalesce(mine.used_at, now())
from grants where mine.hash = :hash and grants.id = mine.grant_id and grants.client_id = :client
    and grants.revoked_at is null and mine.expires_at > now()
    and (mine.uses = 0 or (
        mine.uses < :spent and mine.used_at > now() - cast(:within as interval)
        and not exists (select from refresh_tokens as next where next.parent = mine.hash and next.uses > 0)
    ))
returning grants.id, grants.feed_id, grants.device_id, grants.scopes
""")
_RENEW = text("""
update refresh_tokens as mine set used_at = now(), expires_at = now() + cast(:life as interval)
from grants where mine.hash = :hash and grants.id = mine.grant_id and grants.client_id = :client
    and grants.revoked_at is null and mine.expires_at > now()
returning grants.id, grants.feed_id, grants.device_id, grants.scopes
""")


class Grant(msgspec.Struct, frozen=True):
    """What a person lets a client do; `id` None until it is kept. `code_hash`: what it is given for."""

    id: UUID | None
    feed_id: UUID
    device_id: UUID | None
    scopes: Sequence[str]
    code_hash: bytes | None = None


class Given(msgspec.Struct, frozen=True):
    """A token that somebody presents."""

    feed_id: UUID
    client_id: str
    device_id: UUID | None
    grant_id: UUID | None
    scopes: Sequence[str]
    hash: bytes
    is_good: bool
    is_refresh: bool
    created_at: datetime
    expires_at: datetime | None


class Families:
    """The grants, within one transaction. `revoked`: what to tell the other processes once it is committed."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.revoked: list[Message] = []

    def add_device(self, feed_id: UUID, name: str, kind: str) -> UUID:
        """A new device; its id."""
        device_id: UUID = uuid7()
        self._see(feed_id)
        self._connection.execute(insert(devices).values(id=device_id, feed_id=feed_id, name=name, kind=kind))
        return device_id

    def add_grant(self, grant: Grant, client_id: str) -> Grant:
        """Keeps a new grant."""
        kept = msgspec.structs.replace(grant, id=uuid7())
        values = {**msgspec.structs.asdict(kept), "client_id": client_id}
        self._connection.execute(insert(grants).values(values))
        event = noted(kept.feed_id, "allowed", client_id=client_id, device_id=kept.device_id)
        self._connection.execute(event)
        return kept

    def add_token(self, hashed: bytes, grant: Grant, client_id: str, scopes: Collection[str], life: timedelta) -> None:
        """Keeps an access token of a grant; removes the grant's tokens that have ended."""
        mine = (tokens.c.feed_id == grant.feed_id, tokens.c.grant_id == grant.id)
        self._connection.execute(delete(tokens).where(*mine, tokens.c.expires_at <= func.now()))
        self._connection.execute(update(grants).values(used_at=func.now()).where(grants.c.id == grant.id))
        values = {"feed_id": grant.feed_id, "client_id": client_id, "device_id": grant.device_id, "grant_id": grant.id}
        ends = func.now() + life
        new = insert(tokens).values(hash=hashed, scopes=sorted(scopes), expires_at=ends, **values)
        self._connection.execute(new)

    def add_refresh_token(self, hashed: bytes, grant: Grant, parent: bytes | None) -> None:
        """Keeps a refresh token. One that was given for the same parent before is spent: its answer was lost."""
        mine = refresh_tokens.c.grant_id == grant.id
        old = delete(refresh_tokens).where(mine, refresh_tokens.c.used_at <= func.now() - USED_KEPT)
        self._connection.execute(old.where(refresh_tokens.c.uses > 0))
        if parent is not None:
            siblings = update(refresh_tokens).values(uses=SPENT, used_at=func.now())
            self._connection.execute(siblings.where(mine, refresh_tokens.c.parent == parent))
        new = insert(refresh_tokens).values(hash=hashed, grant_id=grant.id, parent=parent)
        self._connection.execute(new.values(expires_at=func.now() + REFRESH_LIFE))

    def redeem_refresh(self, hashed: bytes, client_id: str) -> Grant | None:
        """Uses a public client's refresh token, which another replaces.

        One that is spent, or whose successor was used, was stolen: all that its grant gave is revoked.
        """
        arguments = {"hash": hashed, "client": client_id, "spent": SPENT, "within": RETRY_WITHIN}
        if self._connection.execute(_LOCK_FEED, {"hash": hashed}).one_or_none() is None:
            return None
        row = self._connection.execute(_REDEEM, arguments).one_or_none()
        if row is not None:
            return Grant(**row._mapping)
        used = select(grants.c.id, grants.c.feed_id).join(refresh_tokens)
        mine = (refresh_tokens.c.hash == hashed, grants.c.client_id == client_id, grants.c.revoked_at.is_(None))
        reused = self._connection.execute(used.where(*mine, refresh_tokens.c.uses > 0)).one_or_none()
        if reused is not None:
            self.revoke_grant(reused.feed_id, reused.id, why="reused")
        return None

    def renew_refresh(self, hashed: bytes, client_id: str) -> Grant | None:
        """Uses a confidential client's refresh token, which stays: nobody else can use it without the secret."""
        if self._connection.execute(_LOCK_FEED, {"hash": hashed}).one_or_none() is None:
            return None
        row = self._connection.execute(
            _RENEW, {"hash": hashed, "client": client_id, "life": REFRESH_LIFE}
        ).one_or_none()
        return None if row is None else Grant(**row._mapping)

    def given(self, hashed: bytes) -> Given | None:
        """The access or refresh token with this hash."""
        row = self._connection.execute(_access(hashed)).one_or_none()
        if row is None:
            row = self._connection.execute(_refresh(hashed)).one_or_none()
        return None if row is None else Given(**row._mapping)

    def revoke_given_for(self, code_hash: bytes) -> None:
        """Takes back what a code gave: it was presented again (RFC 6749, section 4.1.2)."""
        query = select(grants.c.id, grants.c.feed_id).where(grants.c.code_hash == code_hash)
        row = self._connection.execute(query).one_or_none()
        if row is not None:
            self.revoke_grant(row.feed_id, row.id, why="reused")

    def revoke_grant(self, feed_id: UUID, grant_id: UUID, *, why: EventKind = "revoked") -> bool:
        """Ends a grant with all its tokens and its device; whether it was in force.

        The feed's row is locked first, so a change that commits later carries the new `auth`.
        """
        self._connection.execute(select(feeds.c.id).where(feeds.c.id == feed_id).with_for_update(key_share=True))
        mine = (grants.c.feed_id == feed_id, grants.c.id == grant_id, grants.c.revoked_at.is_(None))
        ended = (
            update(grants).values(revoked_at=func.now()).where(*mine).returning(grants.c.device_id, grants.c.client_id)
        )
        row = self._connection.execute(ended).one_or_none()
        if row is None:
            return False
        of_grant = (tokens.c.feed_id == feed_id, tokens.c.grant_id == grant_id)
        self._connection.execute(update(tokens).values(revoked=True).where(*of_grant))
        self._connection.execute(delete(refresh_tokens).where(refresh_tokens.c.grant_id == grant_id))
        if row.device_id is not None:
            self._end_device(feed_id, row.device_id)
        auth = self._raise_auth(feed_id)
        event = noted(feed_id, why, client_id=row.client_id, device_id=row.device_id)
        self._connection.execute(event)
        self.revoked.append(Revoked(feed_id, auth))
        return True

    def revoke_token(self, token: Given) -> None:
        """Ends a token with the grant or device that it is of."""
        if token.grant_id is not None:
            self.revoke_grant(token.feed_id, token.grant_id)
            return
        auth = self._raise_auth(token.feed_id)
        if token.device_id is not None:
            self._end_device(token.feed_id, token.device_id)
        self._connection.execute(update(tokens).values(revoked=True).where(tokens.c.hash == token.hash))
        self.revoked.append(Revoked(token.feed_id, auth))

    def _end_device(self, feed_id: UUID, device_id: UUID) -> None:
        self._see(feed_id)
        mine = (devices.c.feed_id == feed_id, devices.c.id == device_id, devices.c.revoked_at.is_(None))
        self._connection.execute(update(devices).values(revoked_at=func.now()).where(*mine))
        of_device = (tokens.c.feed_id == feed_id, tokens.c.device_id == device_id)
        self._connection.execute(update(tokens).values(revoked=True).where(*of_device))

    def _raise_auth(self, feed_id: UUID) -> int:
        return int(self._connection.execute(RAISE_AUTH, {"feeds": [feed_id]}).one().auth)

    def _see(self, feed_id: UUID) -> None:
        self._connection.execute(SET_FEEDS, {"feeds": array([feed_id])})


def _access(hashed: bytes) -> Any:
    is_good = ~tokens.c.revoked & (tokens.c.expires_at.is_(None) | (tokens.c.expires_at > func.now()))
    is_good &= is_enabled(tokens.c.feed_id)
    shared = (tokens.c.feed_id, tokens.c.client_id, tokens.c.device_id, tokens.c.grant_id, tokens.c.scopes)
    more = (tokens.c.hash, is_good.label("is_good"), text("false as is_refresh"))
    return select(*shared, *more, tokens.c.created_at, tokens.c.expires_at).where(tokens.c.hash == hashed)


def _refresh(hashed: bytes) -> Any:
    is_good = grants.c.revoked_at.is_(None) & (refresh_tokens.c.expires_at > func.now()) & (refresh_tokens.c.uses == 0)
    is_good &= is_enabled(grants.c.feed_id)
    shared = (grants.c.feed_id, grants.c.client_id, grants.c.device_id, grants.c.id.label("grant_id"), grants.c.scopes)
    more = (refresh_tokens.c.hash, is_good.label("is_good"), text("true as is_refresh"))
    times = (refresh_tokens.c.created_at, refresh_tokens.c.expires_at)
    return select(*shared, *more, *times).join(refresh_tokens).where(refresh_tokens.c.hash == hashed)
