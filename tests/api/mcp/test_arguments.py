"""Handlers that can be tools, and those that cannot."""

from typing import Annotated, Any

import pytest
from litestar import Litestar, Request, get
from litestar.handlers import HTTPRouteHandler
from litestar.params import QueryParameter

from app.api.mcp.arguments import Arguments
from app.errors import InvalidField

Count = Annotated[int, QueryParameter(ge=1, le=3, description="How many.")]


@get("/counted", sync_to_thread=False)
def counted(count: Count, again: Annotated[str | None, QueryParameter(description="Or not.")] = None) -> str:
    return f"{count} {again}"


@get("/bound", sync_to_thread=False)
def bound(request: Request[Any, Any, Any]) -> str:
    return request.method


def registered(handler: HTTPRouteHandler) -> HTTPRouteHandler:
    """As an application knows it."""
    (route,) = Litestar([handler], openapi_config=None).routes
    return next(each for each in route.route_handlers if each.name == handler.name)  # type: ignore[union-attr]


async def test_parameters_become_one_object() -> None:
    arguments = Arguments(registered(counted))
    assert arguments.schema == {
        "type": "object",
        "additionalProperties": False,
        "required": ["count"],
        "properties": {
            "count": {"type": "integer", "minimum": 1, "maximum": 3, "description": "How many."},
            "again": {"anyOf": [{"type": "string"}, {"type": "null"}], "description": "Or not."},
        },
    }
    assert await arguments.bind({"count": 2}, {}) == {"count": 2, "again": None}
    for wrong in ({}, {"count": 4}, {"count": "x"}, {"count": 1, "more": 1}):
        with pytest.raises(InvalidField):
            await arguments.bind(wrong, {})


async def test_what_only_a_request_has_no_tool_can_give() -> None:
    with pytest.raises(TypeError, match="request"):
        Arguments(registered(bound))
