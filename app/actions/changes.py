"""The feed as pages, and what devices did to it, offline included."""

import time
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import msgspec
from pydantic import ValidationError

from app.actions import answers, replays
from app.actions.access import require
from app.actions.bodies import DeviceChange, DeviceChanges, Put
from app.actions.invalid import invalid_field
from app.actions.items import Caller
from app.errors import EpochChanged, InvalidField, NotFound, StarlingError, Unauthorized
from app.model import MAX_SEQ, Cursor, Principal, Scope, Start
from app.store.commit import Committer
from app.store.feed import FeedReader, Page
from app.store.fold import Change, Outcome
from app.store.grants import Grants

UntilChanged = Callable[[UUID, int, float], Awaitable[bool]]


class ChangeActions:
    """`until_changed(feed_id, seq, timeout_s)` waits until the feed is past `seq`; False: not worth looking again."""

    def __init__(self, committer: Committer, reader: FeedReader, grants: Grants, until_changed: UntilChanged) -> None:
        self._committer = committer
        self._reader = reader
        self._grants = grants
        self._until_changed = until_changed

    async def read(self, principal: Principal, sent: str | None, *, limit: int, wait_s: float) -> bytes:
        """`{"items", "cursor", "has_more", "reset"}` after the cursor as it was sent; waits while there is nothing."""
        require(principal, Scope.ITEMS_READ)
        deadline = time.monotonic() + wait_s
        reset: str | None = None
        is_waiting, has_waited = wait_s > 0, False
        while True:
            start, page = await self._page(principal, sent, limit)
            # After the page was read: what was revoked before anything in it was committed is seen.
            if has_waited and not await self._grants.good([principal.token_hash]):
                raise Unauthorized("The access token expired or was revoked.")
            reset = reset or start.reset
            cursor = start.cursor.at(page.end)
            if page.rows or reset or page.has_more or not is_waiting:
                return answers.page(
                    (row.wire for row in page.rows),
                    cursor=str(cursor),
                    has_more=page.has_more,
                    reset=None if reset is None else {"reason": reset},
                )
            sent = str(cursor)
            has_waited = True
            is_waiting = await self._until_changed(principal.feed_id, cursor.seq, deadline - time.monotonic())

    async def _page(self, principal: Principal, sent: str | None, limit: int) -> tuple[Start, Page]:
        """Reads after the cursor and judges it by the same read; reads again only if it cannot be honoured."""
        cursor = Cursor.parse(sent) if sent else None
        after = cursor.seq if cursor and cursor.seq <= MAX_SEQ else 0
        refused: str | None = None
        while True:
            page = await self._reader.page(principal.feed_id, after, device_id=principal.device_id, limit=limit)
            if page is None:
                raise NotFound("This account is gone.")
            start = Start.judge(sent, page.head)
            refused = refused or start.reset
            if start.cursor.seq == after:
                return msgspec.structs.replace(start, reset=refused), page
            after, sent = start.cursor.seq, None

    async def write(self, caller: Caller, body: DeviceChanges) -> bytes:
        """`{"results": […]}`, one a change, in order. Raises `EpochChanged`."""
        principal = caller.principal
        require(principal, Scope.ITEMS_WRITE)
        head = await self._reader.head(principal.feed_id)
        if head is None or head.epoch != body.epoch:
            raise EpochChanged(field="epoch")
        wanted = [_change(caller, body.epoch, change) for change in body.changes]
        sound = [change for change in wanted if isinstance(change, Change)]
        outcomes = iter(await self._committer.submit_all(sound))
        results = [
            _refused(asked, change) if isinstance(change, StarlingError) else _result(asked, next(outcomes))
            for asked, change in zip(body.changes, wanted, strict=True)
        ]
        return b'{"results":%b}' % answers.array(results)


def _change(caller: Caller, epoch: str, asked: DeviceChange) -> Change | StarlingError:
    principal = caller.principal
    values: dict[str, Any] = {}
    kind = None
    if asked.put is not None:
        try:
            put = Put.model_validate(asked.put)
        except ValidationError as error:
            return invalid_field([{**each} for each in error.errors(include_url=False)], Put)
        values, kind = put.values(), put.kind
    elif asked.base_seq is None:
        return InvalidField("base_seq", "A delete needs the seq of what it deletes.")
    return Change(
        feed_id=principal.feed_id,
        item_id=asked.id,
        verb="delete" if asked.delete else "put",
        base="create" if asked.base_seq is None else asked.base_seq,
        origin=caller.origin,
        values=values,
        kind=kind,
        replay=replays.of_change(principal, asked.change_id),
        epoch=epoch,
    )


def _result(asked: DeviceChange, outcome: Outcome) -> bytes:
    if isinstance(outcome.error, EpochChanged):
        raise outcome.error
    if outcome.status == "rejected" and outcome.error is not None:
        return _refused(asked, outcome.error)
    return b'{"change_id":%b,"status":%b,"item":%b,"error":null}' % (
        answers.json(asked.change_id),
        answers.json(outcome.status),
        outcome.wire or b"null",
    )


def _refused(asked: DeviceChange, error: StarlingError) -> bytes:
    named = {"change_id": asked.change_id, "status": "rejected", "item": None, "error": answers.problem(error)}
    return answers.json(named)
