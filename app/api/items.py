"""Reading items: `/v1/items`."""

from typing import Annotated
from uuid import UUID

from litestar import Controller, Response, get
from litestar.di import NamedDependency
from litestar.params import PathParameter, QueryParameter

from app.actions import answers
from app.actions.fields import MAX_QUERY
from app.actions.shapes import FoundShape, ItemShape
from app.api.declared import answer, needs
from app.api.limited import spends
from app.api.requests import json_response
from app.api.services import Services
from app.errors import InvalidField
from app.limits.budgets import API
from app.model import Kind, Principal, Scope, Status
from app.store.items import Query

Q = Annotated[
    str | None, QueryParameter(max_length=MAX_QUERY, description='Words to find; "quoted phrases", or, -not.')
]
ItemId = Annotated[UUID, PathParameter(description="The item's id.")]
Filter = Annotated[str | None, QueryParameter(max_length=200, description="Only items of this collection.")]
Limit = Annotated[int, QueryParameter(ge=1, le=100, description="Items a page.")]
Page = Annotated[int, QueryParameter(ge=1, le=1_000_000, description="The page, from 1.")]


def item_query(
    principal: NamedDependency[Principal],  # first of all, so that strangers are refused as such
    q: Q = None,
    kind: Annotated[Kind | None, QueryParameter(description="Only items of this kind.")] = None,
    collection: Filter = None,
    status: Annotated[Status | None, QueryParameter(description="Only items of this status.")] = None,
    limit: Limit = 20,
    page: Page = 1,
) -> Query:
    """What a find asks for. Raises `InvalidField` for text that cannot be in an item."""
    for field, text in (("q", q), ("collection", collection)):
        if text and "\0" in text:
            raise InvalidField(field, f"{field}: the text holds a NUL character.")
    return Query(q, kind, collection, status, limit, page)


class ItemsController(Controller):
    """The items of the feed."""

    path = "/v1/items"
    opt = spends(API)

    @get(
        operation_id="listItems",
        summary="Find items",
        security=needs(Scope.ITEMS_READ),
        responses={200: answer(FoundShape, "A page of what matches, newest change first.")},
    )
    async def find(
        self,
        wanted: NamedDependency[Query],
        principal: NamedDependency[Principal],
        services: NamedDependency[Services],
    ) -> Response[bytes]:
        """Searched and filtered items, newest change first."""
        return json_response(answers.found(await services.items.find(principal, wanted)))

    @get(
        "/{item_id:uuid}",
        operation_id="readItem",
        summary="One item",
        security=needs(Scope.ITEMS_READ),
        responses={200: answer(ItemShape, "The item.")},
    )
    async def get(
        self, item_id: ItemId, principal: NamedDependency[Principal], services: NamedDependency[Services]
    ) -> Response[bytes]:
        """One item. A deleted one is not found."""
        return json_response(await services.items.get(principal, item_id))
