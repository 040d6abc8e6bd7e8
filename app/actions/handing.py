"""Files of an item, handed to an assistant's host in the form that it takes."""

from base64 import b64encode
from collections.abc import Awaitable, Callable, Sequence
from typing import Any
from uuid import UUID

from app.actions import answers
from app.actions.access import require
from app.blobs.store import BlobStore
from app.model import File, Principal, Scope
from app.store.items import Items

INLINE_BYTES = 60 * 1024
"""What is handed over in the answer itself: hosts read fewer than 100,000 characters, and base64 takes 4 for 3."""
MAX_OUT_BYTES = 10 * 1024 * 1024
"""Of one file that a host takes."""
MEDIA = ("image/", "video/")
"""What hosts take from nobody."""
ON_DEVICES = "Tell the user that what is in left_out can be opened on their devices only, and why."
NO_FILES = "This item has no files: findItems with kind file lists those that have some."

IssueTickets = Callable[[Principal, Sequence[UUID]], Awaitable[Sequence[str]]]


class Handing:
    """Hands files over. Raises `InsufficientScope` first of all."""

    def __init__(self, items: Items, blobs: BlobStore, issue_tickets: IssueTickets, public_url: str) -> None:
        self._items = items
        self._blobs = blobs
        self._issue_tickets = issue_tickets
        self._public_url = public_url

    async def get(self, principal: Principal, item_id: UUID) -> bytes:
        """`{"openaiFileResponse", "left_out", "next_step"}` of an item's files. Raises `NotFound`, `Unavailable`."""
        require(principal, Scope.FILES_READ)
        place = await self._items.get(principal.feed_id, item_id, device_id=principal.device_id)
        files = answers.files_of(place.wire)
        left_out = [{**_described(file), "reason": reason} for file in files if (reason := _obstacle(file))]
        wanted = [file for file in files if _obstacle(file) is None]
        is_small = sum(file.size for file in wanted) <= INLINE_BYTES
        handed = [await self._inline(file) for file in wanted] if is_small else await self._links(principal, wanted)
        answer: dict[str, Any] = {"openaiFileResponse": handed, "left_out": left_out}
        if left_out or not files:
            answer["next_step"] = ON_DEVICES if left_out else NO_FILES
        return answers.json(answer)

    async def _inline(self, file: File) -> dict[str, str]:
        async with self._blobs.reading(file.sha256, 0, file.size) as pieces:
            content = b"".join([piece async for piece in pieces])
        return {"name": file.name, "mime_type": file.mime_type, "content": b64encode(content).decode("ascii")}

    async def _links(self, principal: Principal, files: Sequence[File]) -> list[str]:
        tickets = await self._issue_tickets(principal, [file.id for file in files])
        return [
            f"{self._public_url}/v1/files/{file.id}?ticket={ticket}"
            for file, ticket in zip(files, tickets, strict=True)
        ]


def _described(file: File) -> dict[str, Any]:
    return {"id": file.id, "name": file.name, "mime_type": file.mime_type, "size": file.size}


def _obstacle(file: File) -> str | None:
    if file.mime_type.lower().startswith(MEDIA):
        return "Images and videos cannot be handed over."
    return "It is larger than 10 MB." if file.size > MAX_OUT_BYTES else None
