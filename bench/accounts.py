"""Users, devices and tokens, many in one transaction, but not too many: each row is looked for among its feeds."""

import asyncio
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import insert
from uuid_utils.compat import uuid7

from app.auth.tokens import digest, new_secret
from app.model import DEVICE_SCOPES, new_epoch
from app.store.database import Database
from app.store.tables import clients, devices, feeds, tokens, users

CLIENT = "bench"
TOGETHER = 1000


@dataclass(frozen=True)
class Account:
    """A user's feed and its epoch, the token of an assistant that writes to it, and one token a device."""

    feed_id: UUID
    epoch: str
    assistant: str
    devices: tuple[str, ...]


def create(database_url: str, number: int, *, devices_each: int) -> list[Account]:
    """New users with an empty feed and so many devices each."""
    return asyncio.run(_create(database_url, number, devices_each))


async def _create(database_url: str, number: int, devices_each: int) -> list[Account]:
    database = Database(database_url, pool_size=1)
    accounts = [
        Account(uuid7(), new_epoch(), new_secret("stl"), tuple(new_secret("stl") for _ in range(devices_each)))
        for _ in range(number)
    ]
    try:
        for start in range(0, number, TOGETHER):
            await _insert(database, accounts[start : start + TOGETHER])
    finally:
        await database.close()
    return accounts


async def _insert(database: Database, accounts: list[Account]) -> None:
    owners = {account.feed_id: uuid7() for account in accounts}
    named: list[dict[str, Any]] = []
    issued: list[dict[str, Any]] = []
    client = f"{CLIENT}-{uuid7()}"
    for account in accounts:
        issued.append(_token(account.feed_id, client, account.assistant, None))
        for place, secret in enumerate(account.devices):
            device_id = uuid7()
            named.append({"id": device_id, "feed_id": account.feed_id, "name": f"device {place}", "kind": "cli"})
            issued.append(_token(account.feed_id, client, secret, device_id))
    async with database.transaction(*owners) as connection:
        await connection.execute(insert(clients).values(id=client))
        people = [{"id": owner, "email": f"{owner}@bench.invalid"} for owner in owners.values()]
        await connection.execute(insert(users), people)
        empty = [{"id": each.feed_id, "user_id": owners[each.feed_id], "epoch": each.epoch} for each in accounts]
        await connection.execute(insert(feeds), empty)
        if named:
            await connection.execute(insert(devices), named)
        await connection.execute(insert(tokens), issued)


def _token(feed_id: UUID, client: str, secret: str, device_id: UUID | None) -> dict[str, Any]:
    scopes = sorted(DEVICE_SCOPES)
    return {
        "hash": digest(secret),
        "feed_id": feed_id,
        "client_id": client,
        "device_id": device_id,
        "scopes": scopes,
        "expires_at": None,
    }
