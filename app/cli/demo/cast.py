"""Who plays: the demo's user, three devices and the assistant, with tokens of their own."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

import httpx2

from app.cli.demo.assistant import Assistant
from app.cli.demo.follower import Follower
from app.errors import NotFound
from app.main import Starling
from app.model import DEVICE_SCOPES, DeviceKind, Scope
from app.store.grants import Grants

EMAIL = "demo@example.com"
CLIENT = "chatgpt"
CLIENT_SCOPES = (Scope.ITEMS_READ, Scope.ITEMS_WRITE)
DEVICES: tuple[tuple[str, DeviceKind], ...] = (("laptop", "desktop"), ("phone", "mobile"), ("browser", "browser"))
TOKEN_LIFE = timedelta(days=1)


@dataclass(frozen=True)
class Cast:
    """The laptop, the phone and the browser, in this order, and the assistant with its token."""

    followers: tuple[Follower, ...]
    assistant: Assistant
    token: str


@asynccontextmanager
async def cast(starling: Starling, http: httpx2.AsyncClient) -> AsyncIterator[Cast]:
    """The cast of one run, offline again when the body ends. The devices of earlier runs are revoked."""
    feed_id = await _feed(starling.grants)
    await _revoke_former(starling, feed_id)
    followers = [await _follower(starling, http, feed_id, name, kind) for name, kind in DEVICES]
    token = await starling.tokens.issue(feed_id, client=CLIENT, scopes=CLIENT_SCOPES, life=TOKEN_LIFE)
    try:
        yield Cast(tuple(followers), Assistant(http, token), token)
    finally:
        for follower in followers:
            await follower.go_offline()


async def _feed(grants: Grants) -> UUID:
    try:
        return await grants.feed_of(EMAIL)
    except NotFound:
        return await grants.add_user(EMAIL, None)


async def _revoke_former(starling: Starling, feed_id: UUID) -> None:
    names = {name for name, _ in DEVICES}
    for device in await starling.devices.of(feed_id):
        if device.name in names:
            await starling.devices.revoke(feed_id, device.id)


async def _follower(starling: Starling, http: httpx2.AsyncClient, feed_id: UUID, name: str, kind: str) -> Follower:
    device_id = await starling.devices.add(feed_id, name, kind)
    token = await starling.tokens.issue(feed_id, client="starling", scopes=DEVICE_SCOPES, device_id=device_id)
    return Follower(http, name, kind, token)
