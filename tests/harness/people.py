"""A person with devices and tokens, made in the database as the command line makes them."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx2

from app.auth.tokens import Tokens
from app.model import DEVICE_SCOPES, Scope
from app.store.database import Database
from app.store.devices import Devices
from app.store.grants import Grants

GPT_SCOPES = (Scope.ITEMS_READ, Scope.ITEMS_WRITE)


@dataclass(frozen=True)
class TestDevice:
    """A device and its token."""

    __test__ = False
    id: UUID
    name: str
    token: str

    @property
    def headers(self) -> dict[str, str]:
        """For requests."""
        return {"authorization": f"Bearer {self.token}"}


@dataclass(frozen=True)
class Person:
    """Somebody with a feed."""

    database: Database
    feed_id: UUID
    email: str

    @classmethod
    async def make(cls, database: Database) -> "Person":
        """A new one."""
        email = f"{uuid4()}@example.com"
        return cls(database, await Grants(database).add_user(email, None), email)

    async def device(
        self, name: str = "laptop", kind: str = "desktop", *, life: timedelta | None = None, more: Iterable[str] = ()
    ) -> TestDevice:
        """One more device."""
        device_id = await Devices(self.database).add(self.feed_id, name, kind)
        token = await self._tokens().issue(
            self.feed_id, client="starling", scopes={*DEVICE_SCOPES, *more}, device_id=device_id, life=life
        )
        return TestDevice(device_id, name, token)

    async def token(self, client: str = "chatgpt", scopes: Iterable[str] = GPT_SCOPES) -> str:
        """A token of a client that is no device."""
        return await self._tokens().issue(self.feed_id, client=client, scopes=scopes)

    def _tokens(self) -> Tokens:
        return Tokens(Grants(self.database))


class Assistant:
    """Calls the actions as ChatGPT does: JSON, a bearer token, a conversation."""

    def __init__(self, http: httpx2.AsyncClient, token: str, conversation: str | None = None) -> None:
        self.http = http
        self.headers = {"authorization": f"Bearer {token}"}
        if conversation is not None:
            self.headers["openai-conversation-id"] = conversation

    async def call(self, method: str, path: str, body: Any = None, **options: Any) -> httpx2.Response:
        """Any request."""
        return await self.http.request(method, path, json=body, headers=self.headers, **options)

    async def save(self, **body: Any) -> dict[str, Any]:
        """Saves an item; the answer. A body without words gets a title of its own."""
        response = await self.call("POST", "/actions/items", body or {"title": str(uuid4())})
        assert response.status_code in (200, 201), response.text
        answer: dict[str, Any] = response.json()
        return answer
