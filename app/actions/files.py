"""Files: what a device uploads and downloads."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from uuid import UUID

import msgspec
from uuid_utils.compat import uuid7

from app.actions import answers, replays
from app.actions.access import require
from app.actions.bodies import FileItem
from app.actions.intake import Intake
from app.actions.items import Caller, Written
from app.actions.names import file_name, media_type
from app.actions.receipts import Receipts
from app.blobs.store import BlobStore
from app.errors import InvalidField, TooLarge
from app.model import File, Principal, Scope
from app.store.commit import Committer
from app.store.devices import Devices
from app.store.files import Files
from app.store.fold import Change


class Content(msgspec.Struct, frozen=True):
    """What is uploaded: how its sender calls it, its size if that is known, and its bytes as they come."""

    name: str | None
    mime_type: str | None
    size: int | None
    chunks: AsyncIterator[bytes]


class FileActions:
    """What can be done with files. Each raises `InsufficientScope` first of all."""

    def __init__(
        self,
        intake: Intake,
        files: Files,
        blobs: BlobStore,
        devices: Devices,
        committer: Committer,
        receipts: Receipts,
    ) -> None:
        self._intake = intake
        self._files = files
        self._blobs = blobs
        self._devices = devices
        self._committer = committer
        self._receipts = receipts

    async def upload(self, caller: Caller, body: FileItem, content: Content) -> tuple[File, Written]:
        """A new `file` item with one file; the first one if this is a repeat, by content or `request_id`.

        Raises `TooLarge`, `QuotaExceeded`, `TooManyRequests`, `RequestIdReused`, `InvalidField`.
        """
        principal = caller.principal
        require(principal, Scope.FILES_WRITE)
        name, mime_type = file_name(content.name), media_type(content.mime_type)
        if content.size is not None and content.size > self._intake.max_bytes:
            raise TooLarge("The file is too large.", limit=self._intake.max_bytes)
        audience = await self._audience(principal, body.audience)
        async with self._intake.basket(principal.feed_id, uuid7()) as basket:
            file = await basket.take(name, mime_type, content.chunks, content.size or 0)
            said = b"\n".join(part.encode() for part in (name, mime_type, file.sha256))
            same = replays.canonical(body) + said
            replay = (
                replays.of_request(principal, body.request_id, "upload", same)
                if body.request_id is not None
                else replays.of_equal(principal, caller.conversation_id, b"upload\n" + same)
            )
            change = Change(
                feed_id=principal.feed_id,
                item_id=basket.item_id,
                verb="put",
                base="create",
                origin=caller.origin,
                values={"title": name, **body.values()},
                kind="file",
                audience=audience,
                files=(file,),
                replay=replay,
                fresh=True,
            )
            outcome = await basket.give(self._committer, change)
        delivery = await self._receipts.of_write(principal.feed_id, outcome, wait_s=body.wait_for_delivery)
        written = Written(outcome.wire or b"", delivery, duplicate=outcome.status == "duplicate")
        return answers.files_of(written.wire)[0], written

    async def _audience(self, principal: Principal, audience: list[UUID] | None) -> tuple[UUID, ...] | None:
        if audience is None:
            return None
        known = {device.id for device in await self._devices.of(principal.feed_id)}
        for number, device_id in enumerate(audience):
            if device_id not in known:
                raise InvalidField(f"audience.{number}", "There is no such device.")
        return tuple(dict.fromkeys(audience))

    async def find(self, principal: Principal, file_id: UUID) -> File:
        """A file of an item that the principal can see. Raises `NotFound`."""
        require(principal, Scope.FILES_READ)
        return await self._files.get(principal.feed_id, file_id, device_id=principal.device_id)

    def reading(self, file: File, start: int, end: int) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        """The file's bytes from `start` up to `end`. Raises `Unavailable`."""
        return self._blobs.reading(file.sha256, start, end)
