"""Web Push: how a device lets itself be woken."""

from litestar import Controller, Response, delete, get, post
from litestar.di import NamedDependency
from litestar.params import JSONBody

from app.actions import answers
from app.actions.bodies import PushSubscription
from app.actions.shapes import PushKeyShape
from app.api.declared import answer, empty, needs
from app.api.limited import spends
from app.api.requests import json_response
from app.api.services import Services
from app.limits.budgets import API
from app.model import Principal, Scope


class PushController(Controller):
    """The device's own subscription."""

    path = "/v1/push"
    opt = spends(API)

    @get(
        "/key",
        operation_id="readPushKey",
        summary="What a browser subscribes with",
        security=needs(Scope.STREAM),
        responses={200: answer(PushKeyShape, "The server's public key.")},
    )
    async def key(self, principal: NamedDependency[Principal], services: NamedDependency[Services]) -> Response[bytes]:
        """The `applicationServerKey` for `pushManager.subscribe`. It stays the same."""
        return json_response(answers.json(services.push.key(principal)))

    @post(
        "/subscriptions",
        operation_id="subscribePush",
        summary="Let this device be woken",
        status_code=204,
        security=needs(Scope.STREAM),
        responses={204: empty("It will be pushed what comes while it has no stream open.")},
    )
    async def subscribe(
        self,
        data: JSONBody[PushSubscription],
        principal: NamedDependency[Principal],
        services: NamedDependency[Services],
    ) -> None:
        """Where the device can be pushed notifications, as the browser's `PushSubscription.toJSON()` says it.

        Replaces what it said before. Only for a device.
        """
        await services.push.subscribe(principal, data)

    @delete(
        "/subscriptions",
        operation_id="unsubscribePush",
        summary="Let this device sleep",
        status_code=204,
        security=needs(Scope.STREAM),
        responses={204: empty("It is pushed nothing any more.")},
    )
    async def unsubscribe(self, principal: NamedDependency[Principal], services: NamedDependency[Services]) -> None:
        """Forgets where the device can be pushed to."""
        await services.push.unsubscribe(principal)
