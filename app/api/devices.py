"""Devices, acknowledgements, and who one is."""

from typing import Annotated
from uuid import UUID

from litestar import Controller, Response, delete, get, patch, post
from litestar.di import NamedDependency
from litestar.params import JSONBody, PathParameter

from app.actions import answers
from app.actions.bodies import Ack, Rename
from app.actions.shapes import DeviceShape, DevicesShape, MeShape
from app.api.declared import answer, empty, needs, refusal
from app.api.limited import spends
from app.api.requests import json_response
from app.api.services import Services
from app.limits.budgets import ACKS, API
from app.model import Principal, Scope

DeviceId = Annotated[UUID, PathParameter(description="The device's id.")]


class DevicesController(Controller):
    """The user's devices."""

    path = "/v1/devices"
    opt = spends(API)

    @get(
        operation_id="readDevices",
        summary="The user's devices",
        security=needs(Scope.ITEMS_READ),
        responses={200: answer(DevicesShape, "The devices, oldest first.")},
    )
    async def list(self, principal: NamedDependency[Principal], services: NamedDependency[Services]) -> Response[bytes]:
        """All devices, oldest first."""
        return json_response(answers.json(await services.devices.list(principal)))

    @patch(
        "/{device_id:uuid}",
        operation_id="renameDevice",
        summary="Rename a device",
        security=needs(Scope.DEVICES_MANAGE),
        responses={200: answer(DeviceShape, "The device.")},
    )
    async def rename(
        self,
        device_id: DeviceId,
        data: JSONBody[Rename],
        principal: NamedDependency[Principal],
        services: NamedDependency[Services],
    ) -> Response[bytes]:
        """Gives a device another name. A device may rename itself without the scope."""
        return json_response(answers.json(await services.devices.rename(principal, device_id, data.name)))

    @delete(
        "/{device_id:uuid}",
        operation_id="revokeDevice",
        summary="Revoke a device",
        status_code=204,
        security=needs(Scope.DEVICES_MANAGE),
        responses={204: empty("It is out.")},
    )
    async def revoke(
        self, device_id: DeviceId, principal: NamedDependency[Principal], services: NamedDependency[Services]
    ) -> None:
        """Revokes a device: its tokens end, its open streams are cut. A device may revoke itself without the scope."""
        await services.devices.revoke(principal, device_id)


@post(
    "/v1/ack",
    operation_id="acknowledge",
    opt=spends(ACKS),
    summary="Acknowledge what is stored",
    status_code=204,
    security=needs(Scope.STREAM),
    responses={
        204: empty("Noted."),
        409: refusal("The cursor is of a history that was rewritten (`epoch_changed`)."),
    },
)
async def acknowledge(
    data: JSONBody[Ack], principal: NamedDependency[Principal], services: NamedDependency[Services]
) -> None:
    """The device has stored everything up to the cursor. Receipts are made of this; a lower cursor changes nothing."""
    await services.devices.ack(principal, data.cursor)


@get(
    "/v1/me",
    operation_id="readMe",
    opt=spends(API),
    summary="Who the token acts as",
    security=needs(),
    responses={200: answer(MeShape, "The user, the device if it is one, and where the feed stands.")},
)
async def me(principal: NamedDependency[Principal], services: NamedDependency[Services]) -> Response[bytes]:
    """Who the token's holder is, and where the feed stands."""
    return json_response(answers.json(await services.devices.me(principal)))
