"""A device that uploads and downloads files."""

import hashlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx2

from tests.harness.live import Live
from tests.harness.people import TestDevice


@dataclass(frozen=True)
class Uploader:
    """Speaks `/v1/files` for one token."""

    live: Live
    token: str

    @classmethod
    def of(cls, live: Live, device: TestDevice) -> "Uploader":
        """That device."""
        return cls(live, device.token)

    def headers(self, **more: str) -> dict[str, str]:
        """With the token; underscores stand for hyphens."""
        return {
            "authorization": f"Bearer {self.token}",
            **{name.replace("_", "-"): said for name, said in more.items()},
        }

    async def send(self, content: bytes | AsyncIterator[bytes], params: Any = None, **headers: str) -> httpx2.Response:
        """An upload, whatever comes of it."""
        return await self.live.http.post("/v1/files", content=content, params=params, headers=self.headers(**headers))

    async def upload(self, content: bytes = b"content", **params: Any) -> dict[str, Any]:
        """An upload that succeeds."""
        answer = await self.send(content, params)
        assert answer.status_code in (200, 201), answer.text
        found: dict[str, Any] = answer.json()
        assert found["sha256"] == hashlib.sha256(content).hexdigest()
        return found

    async def fetch(self, file_id: str, **headers: str) -> httpx2.Response:
        """A download, or what comes instead."""
        return await self.live.http.get(f"/v1/files/{file_id}", headers=self.headers(**headers))
