"""Devices, acknowledgements, and who one is."""

from uuid import UUID

from litestar import Controller, Response, delete, get, patch, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody

from app.actions import answers
from app.actions.bodies import Ack, Rename
from app.api.requests import json_response
from app.api.services import Services
from app.model import Principal


class DevicesController(Controller):
    """The user's devices."""

    path = "/v1/devices"

    @get(operation_id="readDevices")
    async def list(self, principal: NamedDependency[Principal], services: NamedDependency[Services]) -> Response[bytes]:
        """All devices, oldest first."""
        return json_response(answers.json(await services.devices.list(principal)))

    @patch("/{device_id:uuid}", operation_id="renameDevice")
    async def rename(
        self,
        device_id: FromPath[UUID],
        data: JSONBody[Rename],
        principal: NamedDependency[Principal],
        services: NamedDependency[Services],
    ) -> Response[bytes]:
        """Gives a device another name."""
        return json_response(answers.json(await services.devices.rename(principal, device_id, data.name)))

    @delete("/{device_id:uuid}", operation_id="revokeDevice", status_code=204)
    async def revoke(
        self, device_id: FromPath[UUID], principal: NamedDependency[Principal], services: NamedDependency[Services]
    ) -> None:
        """Revokes a device: its tokens end, its open streams are cut."""
        await services.devices.revoke(principal, device_id)


@post("/v1/ack", operation_id="acknowledge", status_code=204)
async def acknowledge(
    data: JSONBody[Ack], principal: NamedDependency[Principal], services: NamedDependency[Services]
) -> None:
    """The device has stored everything up to the cursor."""
    await services.devices.ack(principal, data.cursor)


@get("/v1/me", operation_id="readMe")
async def me(principal: NamedDependency[Principal], services: NamedDependency[Services]) -> Response[bytes]:
    """Who the token's holder is, and where the feed stands."""
    return json_response(answers.json(await services.devices.me(principal)))
