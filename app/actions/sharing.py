"""Files of a conversation, taken in while the host's links to them live."""

import asyncio
from collections.abc import Sequence
from weakref import WeakValueDictionary

from uuid_utils.compat import uuid7

from app.actions import replays
from app.actions.access import require
from app.actions.bodies import FileRef, ShareFiles
from app.actions.intake import Basket, Intake
from app.actions.items import Caller, Written
from app.actions.names import file_name, media_type
from app.actions.receipts import Receipts
from app.errors import FilesNotFetched, LinksMissing, StarlingError, TooLarge
from app.model import File, Scope
from app.outbound import FetchFailed, Outbound, UrlRefused
from app.store.commit import Committer
from app.store.fold import Change, Outcome, Replay
from app.store.replays import Replays

FETCH_S = 30.0
"""For one file; all are fetched at once."""
SHARE_S = 35.0
"""Until all files are here, the wait for an equal request included. Hosts give up after 45 s."""
AGAIN = "Ask the user to attach the files again, then repeat the call."


class Sharing:
    """Makes items of an assistant's files. Raises `InsufficientScope` first of all."""

    def __init__(
        self,
        outbound: Outbound,
        intake: Intake,
        replays_: Replays,
        committer: Committer,
        receipts: Receipts,
    ) -> None:
        self._outbound = outbound
        self._intake = intake
        self._replays = replays_
        self._committer = committer
        self._receipts = receipts
        self._under_way: WeakValueDictionary[bytes, asyncio.Lock] = WeakValueDictionary()

    async def share(self, caller: Caller, body: ShareFiles) -> Written:
        """A new `file` item with all of the files, or none. A repeat fetches nothing.

        Raises `LinksMissing`, `FilesNotFetched`, `QuotaExceeded`, `TooManyRequests`, `RequestIdReused`.
        """
        principal = caller.principal
        require(principal, Scope.FILES_WRITE)
        if any(ref.download_link is None for ref in body.file_refs):
            raise LinksMissing(field="openaiFileIdRefs", next_step=AGAIN)
        content = replays.canonical(body)
        replay = (
            replays.of_request(principal, body.request_id, "share", content)
            if body.request_id is not None
            else replays.of_equal(principal, caller.conversation_id, b"share\n" + content)
        )
        lock = self._under_way.setdefault(replay.key, asyncio.Lock())
        deadline = asyncio.timeout(SHARE_S)
        try:
            async with deadline, lock:
                outcome = await self._replays.find(principal.feed_id, replay)
                if outcome is None:
                    outcome = await self._make(caller, body, replay, deadline)
        except TimeoutError:
            if not deadline.expired():
                raise
            raise FilesNotFetched("The files did not arrive in time.", retryable=True, next_step=AGAIN) from None
        delivery = await self._receipts.of_write(principal.feed_id, outcome, wait_s=body.wait_for_delivery)
        return Written(outcome.wire or b"", delivery, duplicate=outcome.status == "duplicate")

    async def _make(self, caller: Caller, body: ShareFiles, replay: Replay, deadline: asyncio.Timeout) -> Outcome:
        feed_id = caller.principal.feed_id
        async with self._intake.basket(feed_id, uuid7()) as basket:
            files = await self._fetch_all(basket, body.file_refs)
            deadline.reschedule(None)  # what is committed is answered
            change = Change(
                feed_id=feed_id,
                item_id=basket.item_id,
                verb="put",
                base="create",
                origin=caller.origin,
                values={"title": _title(files), **body.values()},
                kind="file",
                files=files,
                replay=replay,
                fresh=True,
            )
            return await basket.give(self._committer, change)

    async def _fetch_all(self, basket: Basket, refs: Sequence[FileRef]) -> tuple[File, ...]:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._fetch(basket, ref)) for ref in refs]
        arrived = [task.result() for task in tasks]
        failed = {number: found for number, found in enumerate(arrived) if isinstance(found, StarlingError)}
        for error in failed.values():
            if not isinstance(error, (UrlRefused, FetchFailed, TooLarge)):
                raise error
        if failed:
            raise _not_fetched(refs, failed)
        return tuple(found for found in arrived if isinstance(found, File))

    async def _fetch(self, basket: Basket, ref: FileRef) -> File | StarlingError:
        """The file; or why there is none, so that the others are heard, too."""
        try:
            async with self._outbound.get(ref.download_link or "") as response:
                mime_type = media_type(ref.mime_type or response.headers.get("content-type"))
                return await basket.take(file_name(ref.name), mime_type, response.chunks())
        except StarlingError as error:
            return error


def _title(files: Sequence[File]) -> str:
    more = f" and {len(files) - 1} more" if len(files) > 1 else ""
    return files[0].name + more


def _not_fetched(refs: Sequence[FileRef], failed: dict[int, StarlingError]) -> FilesNotFetched:
    """What is wrong with each, by the names that the user knows."""
    files = [
        {"name": file_name(refs[number].name), "code": error.code, "detail": error.detail}
        for number, error in failed.items()
    ]
    first = next(iter(failed))
    bounds = {name: each for error in failed.values() for name, each in error.members.items() if name == "limit"}
    too_large = "Ask the user for smaller files: these are above the limit."
    return FilesNotFetched(
        field=f"openaiFileIdRefs.{first}",
        files=files,
        retryable=all(error.members.get("retryable", False) for error in failed.values()),
        next_step=too_large if bounds else AGAIN,
        **bounds,
    )
