"""Answers of models, for devices: `/v1/answers`."""

from typing import Annotated
from uuid import UUID

from litestar import Controller, Response, delete, get, post
from litestar.di import NamedDependency
from litestar.params import JSONBody, PathParameter

from app.actions.bodies import StreamAnswer
from app.actions.items import Caller
from app.actions.shapes import AnswerHandleShape, AnswerShape
from app.api.declared import answer, empty, needs
from app.api.limited import spends
from app.api.requests import json_response
from app.api.services import Services
from app.limits.budgets import API
from app.model import Principal, Scope

AnswerId = Annotated[UUID, PathParameter(description="The answer's id, as it was begun with.")]
BEGUN = {
    202: answer(
        AnswerHandleShape, "It is being written. Its text goes to the devices, and ends as an item of this id."
    ),
}


class AnswersController(Controller):
    """What models write for the user."""

    path = "/v1/answers"
    opt = spends(API)

    @post(
        operation_id="beginAnswer",
        summary="Ask a model",
        status_code=202,
        security=needs(Scope.ANSWERS),
        responses=BEGUN,
    )
    async def begin(
        self, data: JSONBody[StreamAnswer], caller: NamedDependency[Caller], services: NamedDependency[Services]
    ) -> Response[bytes]:
        """Asks a model. Its answer appears on every live device while it is written."""
        return json_response(await services.answers.begin(caller.through("device"), data), 202)

    @get(
        "/{answer_id:uuid}",
        operation_id="readAnswer",
        summary="An answer, as far as it is written",
        security=needs(Scope.ANSWERS),
        responses={200: answer(AnswerShape, "The text so far, and how it ended once it has.")},
    )
    async def get(
        self, answer_id: AnswerId, principal: NamedDependency[Principal], services: NamedDependency[Services]
    ) -> Response[bytes]:
        """The text so far; once `done`, all of it."""
        return json_response(await services.answers.get(principal, answer_id))

    @delete(
        "/{answer_id:uuid}",
        operation_id="cancelAnswer",
        summary="Stop an answer",
        status_code=204,
        security=needs(Scope.ANSWERS),
        responses={204: empty("It is being stopped, or had ended already.")},
    )
    async def cancel(
        self, answer_id: AnswerId, principal: NamedDependency[Principal], services: NamedDependency[Services]
    ) -> None:
        """Stops the model within a second. The text so far stays, as an item whose `finish_reason` is `cancelled`."""
        await services.answers.cancel(principal, answer_id)
