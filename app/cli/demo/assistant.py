"""The assistant: calls the actions over HTTP as ChatGPT does."""

import time
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import httpx2

from app.cli.demo.refused import Refused

WAIT_S = 5

Delivery = dict[str, list[dict[str, Any]]]
"""`acknowledged`, `live` and `pending` devices, as the protocol has them."""


@dataclass(frozen=True)
class Answer:
    """What a write was answered. `sent` is in seconds of the performance counter; the rest as the protocol has it."""

    status: int
    item: dict[str, Any]
    delivery: Delivery
    sent: float
    took: float


class Assistant:
    """One conversation. Every method raises `Refused` when the server does not do it."""

    def __init__(self, http: httpx2.AsyncClient, token: str) -> None:
        self._http = http
        self._headers = {"authorization": f"Bearer {token}", "openai-conversation-id": str(uuid4())}

    async def save(self, *, wait: bool = False, **fields: Any) -> Answer:
        """Saves an item; `wait`: is answered once the devices that are online have acknowledged it."""
        waiting = {"wait_for_delivery": WAIT_S} if wait else {}
        return await self._write("POST", "/actions/items", {**fields, **waiting})

    async def update(self, item_id: str, **fields: Any) -> Answer:
        """Changes the fields of an item."""
        return await self._write("PATCH", f"/actions/items/{item_id}", fields)

    async def delete(self, item_id: str) -> Answer:
        """Deletes an item."""
        return await self._write("DELETE", f"/actions/items/{item_id}")

    async def delivery(self, item_id: str) -> Delivery:
        """Which devices have the item by now."""
        answer = await self._ask("GET", f"/actions/items/{item_id}/delivery")
        delivery: Delivery = answer.json()["delivery"]
        return delivery

    async def online(self) -> set[str]:
        """The names of the devices that are online."""
        answer = await self._ask("GET", "/actions/devices")
        return {device["name"] for device in answer.json()["devices"] if device["online"]}

    async def _write(self, method: str, path: str, body: dict[str, Any] | None = None) -> Answer:
        sent = time.perf_counter()
        response = await self._ask(method, path, body)
        took = time.perf_counter() - sent
        answer = response.json()
        return Answer(response.status_code, answer["item"], answer["delivery"], sent, took)

    async def _ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> httpx2.Response:
        try:
            response = await self._http.request(method, path, json=body, headers=self._headers)
        except httpx2.HTTPError as error:
            raise Refused(f"{method} {path}: {type(error).__name__}.") from error
        if not response.is_success:
            raise Refused(f"{method} {path}: {response.status_code} {response.text[:200]}")
        return response
