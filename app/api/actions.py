"""The operations of the custom GPT (protocol, Actions)."""

from uuid import UUID

from litestar import Controller, Response, delete, get, patch, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody

from app.actions import answers
from app.actions.bodies import SaveItem, UpdateItem
from app.actions.items import Caller
from app.api.requests import Wait, json_response
from app.api.services import Services
from app.model import Principal
from app.store.items import Query


class ActionsController(Controller):
    """What an assistant calls."""

    path = "/actions"

    @post("/items", operation_id="saveItem")
    async def save_item(
        self, data: JSONBody[SaveItem], caller: NamedDependency[Caller], services: NamedDependency[Services]
    ) -> Response[bytes]:
        """Saves an item; every device of the user gets it."""
        written = await services.items.save(caller, data)
        return json_response(written.json(), 200 if written.duplicate else 201)

    @get("/items", operation_id="findItems")
    async def find_items(
        self,
        wanted: NamedDependency[Query],
        principal: NamedDependency[Principal],
        services: NamedDependency[Services],
    ) -> Response[bytes]:
        """Finds items by words, kind, collection or status, newest change first."""
        return json_response(await services.items.find(principal, wanted))

    @get("/items/{item_id:uuid}", operation_id="getItem")
    async def get_item(
        self, item_id: FromPath[UUID], principal: NamedDependency[Principal], services: NamedDependency[Services]
    ) -> Response[bytes]:
        """One item."""
        return json_response(await services.items.get(principal, item_id))

    @patch("/items/{item_id:uuid}", operation_id="updateItem")
    async def update_item(
        self,
        item_id: FromPath[UUID],
        data: JSONBody[UpdateItem],
        caller: NamedDependency[Caller],
        services: NamedDependency[Services],
    ) -> Response[bytes]:
        """Changes the fields that are sent; `null` clears one."""
        return json_response((await services.items.update(caller, item_id, data)).json())

    @delete("/items/{item_id:uuid}", operation_id="deleteItem", status_code=200)
    async def delete_item(
        self,
        item_id: FromPath[UUID],
        caller: NamedDependency[Caller],
        services: NamedDependency[Services],
        wait_for_delivery: Wait = 0,
    ) -> Response[bytes]:
        """Deletes an item on every device."""
        return json_response((await services.items.delete(caller, item_id, wait_s=wait_for_delivery)).json())

    @get("/items/{item_id:uuid}/delivery", operation_id="getDelivery")
    async def get_delivery(
        self, item_id: FromPath[UUID], principal: NamedDependency[Principal], services: NamedDependency[Services]
    ) -> Response[bytes]:
        """Which devices have the item, which are getting it, which will."""
        return json_response(await services.items.delivery(principal, item_id))

    @get("/devices", operation_id="listDevices")
    async def list_devices(
        self, principal: NamedDependency[Principal], services: NamedDependency[Services]
    ) -> Response[bytes]:
        """The user's devices."""
        return json_response(answers.json(await services.devices.list(principal)))
