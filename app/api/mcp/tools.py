"""Actions as MCP tools. A tool is made of the handler that serves the action over HTTP: same words, same work."""

from collections.abc import Mapping
from http import HTTPMethod
from typing import Any

import msgspec
from litestar import Litestar, Response
from litestar.handlers import HTTPRouteHandler
from litestar.routes import HTTPRoute
from mcp import types

from app import telemetry
from app.actions import answers
from app.api.actions import ActionsController
from app.api.declared import CONSEQUENTIAL
from app.api.mcp.arguments import Arguments
from app.api.mcp.exchange import Exchange
from app.api.openapi.schemas import Schema, cleaned
from app.errors import InsufficientScope, StarlingError, Unavailable


class Tool:
    """One action."""

    def __init__(self, handler: HTTPRouteHandler) -> None:
        self._handler = handler
        self._arguments = Arguments(handler)
        self.name = str(handler.operation_id)
        telemetry.tool_refusals.labels(self.name, Unavailable.code)  # the first one, too, is to be a rise
        self.described = types.Tool(
            name=self.name,
            title=handler.summary,
            description=" ".join((handler.fn.__doc__ or "").split()),
            input_schema=self._arguments.schema,
            output_schema=_answer(handler),
            annotations=_hints(handler),
        )

    async def call(self, exchange: Exchange, sent: Mapping[str, Any]) -> types.CallToolResult:
        """Its answer, or what to do better. Raises `InsufficientScope`, for the client to ask the person for more."""
        given = {
            "services": exchange.services,
            "caller": exchange.caller,
            "principal": exchange.caller.principal,
        }
        try:
            response: Response[bytes] = await self._handler.fn(**await self._arguments.bind(sent, given))
        except InsufficientScope:
            raise
        except StarlingError as error:
            telemetry.tool_refusals.labels(self.name, error.code).inc()
            return _result(answers.json(answers.problem(error)), is_error=True)
        return _result(response.content, structured=msgspec.json.decode(response.content))


def of(app: Litestar) -> list[Tool]:
    """All actions of an application, by name."""
    handlers = (
        handler
        for route in app.routes
        if isinstance(route, HTTPRoute) and route.path.startswith(f"{ActionsController.path}/")
        for handler in route.route_handlers
        if handler.resolve_include_in_schema()
    )
    return sorted((Tool(handler) for handler in handlers), key=lambda tool: tool.name)


def _result(body: bytes, *, structured: Any = None, is_error: bool = False) -> types.CallToolResult:
    """As text for models, and as a value for programs."""
    text = types.TextContent(type="text", text=body.decode())
    return types.CallToolResult(content=[text], structured_content=structured, is_error=is_error)


def _answer(handler: HTTPRouteHandler) -> Schema:
    declared = handler.responses or {}
    shape: Any = declared[min(declared)].data_container
    return cleaned(shape.model_json_schema())


def _hints(handler: HTTPRouteHandler) -> types.ToolAnnotations:
    """What a host decides by whether to ask the person first (docs/decisions/0037)."""
    reads = HTTPMethod.GET in handler.http_methods
    return types.ToolAnnotations(
        read_only_hint=reads,
        destructive_hint=handler.opt.get(CONSEQUENTIAL, False),
        idempotent_hint=HTTPMethod.POST not in handler.http_methods,
        open_world_hint=False,
    )
