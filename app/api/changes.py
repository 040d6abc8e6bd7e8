"""The feed as pages, and what devices did to it: `/v1/changes`."""

from typing import Annotated, Any

from litestar import Controller, Request, Response, get, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import JSONBody, QueryParameter

from app.actions.bodies import DeviceChanges
from app.actions.items import Caller
from app.actions.shapes import ChangeResultsShape, PageShape
from app.api.declared import answer, needs, refusal
from app.api.limited import charge, payer, spends
from app.api.requests import json_response
from app.api.services import Services
from app.limits.budgets import CHANGES, WRITES
from app.model import Principal, Scope

MAX_POLL_S = 30


class ChangesController(Controller):
    """The feed without a stream."""

    path = "/v1/changes"
    opt = spends(CHANGES)

    @get(
        operation_id="readChanges",
        summary="The feed, page by page",
        security=needs(Scope.ITEMS_READ),
        responses={200: answer(PageShape, "What changed, ascending by seq; deletions as tombstones.")},
    )
    async def read(
        self,
        principal: NamedDependency[Principal],
        services: NamedDependency[Services],
        cursor: Annotated[
            str | None, QueryParameter(description="Where the last page ended; without it, from the beginning.")
        ] = None,
        limit: Annotated[int, QueryParameter(ge=1, le=1000, description="Items a page; it also ends at 1 MiB.")] = 200,
        wait: Annotated[float, QueryParameter(ge=0, le=MAX_POLL_S, description="Seconds to wait for a change.")] = 0,
    ) -> Response[bytes]:
        """What changed after the cursor, in order; from the beginning without one.

        An item comes once, as it is now. A cursor that cannot be honoured is answered with `reset`: drop everything,
        these items start from the beginning. `wait` makes it a long poll.
        """
        return json_response(await services.changes.read(principal, cursor, limit=limit, wait_s=wait))

    @post(
        operation_id="writeChanges",
        summary="What a device did, offline included",
        status_code=200,
        security=needs(Scope.ITEMS_WRITE),
        responses={
            200: answer(ChangeResultsShape, "One result a change, in order."),
            409: refusal("The feed's history was rewritten (`epoch_changed`): read the feed anew first."),
        },
    )
    async def write(
        self,
        request: Request[Any, Any, State],
        data: JSONBody[DeviceChanges],
        caller: NamedDependency[Caller],
        services: NamedDependency[Services],
    ) -> Response[bytes]:
        """What a device did, in order, each change on its own.

        A field conflicts if somebody changed it after `base_seq` to another value; the current item comes back.
        """
        charge(request, services.limiter, WRITES, payer(caller.principal), len(data.changes))
        return json_response(await services.changes.write(caller.through("device"), data))
