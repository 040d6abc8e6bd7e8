"""Authorization codes. One is redeemed by one `delete … returning`: of any number that try at once, one gets it."""

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

import msgspec
from sqlalchemy import Connection, delete, func, insert

from app.store.tables import authorization_codes
from app.store.users import is_enabled

CODE_LIFE = timedelta(seconds=60)


class Code(msgspec.Struct, frozen=True):
    """An authorization code that was redeemed just now."""

    hash: bytes
    feed_id: UUID
    redirect_uri: str
    scopes: Sequence[str]
    challenge: str | None


class Codes:
    """The codes, within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, code: Code, client_id: str) -> None:
        """Keeps a code for a minute; removes those that have ended."""
        self._connection.execute(delete(authorization_codes).where(authorization_codes.c.expires_at <= func.now()))
        values = {**msgspec.structs.asdict(code), "client_id": client_id, "expires_at": func.now() + CODE_LIFE}
        self._connection.execute(insert(authorization_codes).values(values))

    def take(self, hashed: bytes, client_id: str) -> Code | None:
        """Redeems a code. None: unknown, redeemed, ended, another client's, or of a disabled account."""
        mine = (authorization_codes.c.hash == hashed, authorization_codes.c.client_id == client_id)
        is_good = (authorization_codes.c.expires_at > func.now(), is_enabled(authorization_codes.c.feed_id))
        taken = delete(authorization_codes).where(*mine, *is_good)
        columns = [authorization_codes.c[name] for name in Code.__struct_fields__]
        row = self._connection.execute(taken.returning(*columns)).one_or_none()
        return None if row is None else Code(**row._mapping)
