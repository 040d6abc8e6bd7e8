"""A device that hands in what it did while it was offline."""

from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import httpx2

from tests.harness.live import Live
from tests.harness.people import Assistant, TestDevice

RESULT_KEYS = ["change_id", "status", "item", "error"]


def change(item_id: str, base: int | None, **rest: Any) -> dict[str, Any]:
    """One change with a name of its own; `rest` is `put` or `delete`."""
    return {"change_id": str(uuid4()), "id": item_id, "base_seq": base, **rest}


@dataclass
class Offline:
    """`one` change or many; each result is checked for its form."""

    live: Live
    device: TestDevice
    assistant: Assistant
    epoch: str

    async def post(self, *changes: dict[str, Any], epoch: str | None = None) -> httpx2.Response:
        """A batch."""
        body = {"epoch": epoch or self.epoch, "changes": list(changes)}
        return await self.live.http.post("/v1/changes", json=body, headers=self.device.headers)

    async def results(self, *changes: dict[str, Any]) -> list[dict[str, Any]]:
        """The results of a batch."""
        response = await self.post(*changes)
        assert response.status_code == 200, response.text
        assert list(response.json()) == ["results"]
        found: list[dict[str, Any]] = response.json()["results"]
        assert [each["change_id"] for each in found] == [each["change_id"] for each in changes]
        assert all(list(each) == RESULT_KEYS for each in found)
        return found

    async def one(self, item_id: str, base: int | None, **rest: Any) -> tuple[str, Any, Any]:
        """Status, item and error of one change."""
        (result,) = await self.results(change(item_id, base, **rest))
        return result["status"], result["item"], result["error"]

    async def patch(self, item_id: str, **fields: Any) -> None:
        """Somebody else's change."""
        response = await self.assistant.call("PATCH", f"/actions/items/{item_id}", fields)
        assert response.status_code == 200

    async def now(self, item_id: str) -> Any:
        """The item as it is; None when it is deleted."""
        response = await self.assistant.call("GET", f"/v1/items/{item_id}")
        return response.json() if response.status_code == 200 else None
