"""The feed as pages, and what devices did to it: `/v1/changes`."""

from typing import Annotated

from litestar import Controller, Response, get, post
from litestar.di import NamedDependency
from litestar.params import JSONBody, QueryParameter

from app.actions.bodies import DeviceChanges
from app.actions.items import Caller
from app.api.requests import json_response
from app.api.services import Services
from app.model import Principal

MAX_POLL_S = 30


class ChangesController(Controller):
    """The feed without a stream."""

    path = "/v1/changes"

    @get(operation_id="readChanges")
    async def read(
        self,
        principal: NamedDependency[Principal],
        services: NamedDependency[Services],
        cursor: Annotated[str | None, QueryParameter(description="Where the last page ended.")] = None,
        limit: Annotated[int, QueryParameter(ge=1, le=1000)] = 200,
        wait: Annotated[float, QueryParameter(ge=0, le=MAX_POLL_S, description="Seconds to wait for a change.")] = 0,
    ) -> Response[bytes]:
        """What changed after the cursor, in order; from the beginning without one."""
        return json_response(await services.changes.read(principal, cursor, limit=limit, wait_s=wait))

    @post(operation_id="writeChanges", status_code=200)
    async def write(
        self, data: JSONBody[DeviceChanges], caller: NamedDependency[Caller], services: NamedDependency[Services]
    ) -> Response[bytes]:
        """What a device did, in order, each change on its own."""
        return json_response(await services.changes.write(caller.through("device"), data))
