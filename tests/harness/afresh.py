"""What a device holds after it came back, against a fresh read of the state."""

from typing import Any

import httpx2

from tests.harness.listener import Listener


async def items(url: str, token: str) -> dict[str, Any]:
    """A fresh read of the state, by id."""
    async with httpx2.AsyncClient(base_url=url, headers={"authorization": f"Bearer {token}"}) as http:
        found = (await http.get("/v1/items", params={"limit": 100})).json()
    return {item["id"]: item for item in found["items"]}


def held_after(before: Listener, back: Listener) -> dict[str, Any]:
    """What a device holds that went on from `before`."""
    back.events[:0] = before.events
    return back.state()


async def reconnected(url: str, before: Listener, head: int) -> Listener:
    """The same device with the cursor that it stored."""
    back = Listener(url, before.token, before.cursor)
    await back.open()
    await back.until(lambda seen: "ready" in seen.names and str(seen.cursor).split(".")[1] == str(head))
    await back.close()
    return back
