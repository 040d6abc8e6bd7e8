"""One message of a client, on its way through the protocol's machinery."""

from collections.abc import Awaitable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from mcp.server.context import ServerRequestContext
from mcp.shared.exceptions import MCPError
from mcp.types import INTERNAL_ERROR

from app.actions.items import Caller
from app.api.services import Services

T = TypeVar("T")
KEY = "starling.exchange"
Context = ServerRequestContext[Any, Any]


@dataclass
class Exchange:
    """Who asks, and what went wrong that MCP has no words for: the door says that in those of HTTP."""

    caller: Caller
    services: Services
    error: Exception | None = field(default=None, init=False)

    @classmethod
    def of(cls, context: Context) -> "Exchange":
        """The one that a handler of the protocol is part of."""
        if context.request is None:
            raise TypeError("Only messages that came by HTTP are served.")
        exchange: Exchange = context.request.scope[KEY]
        return exchange

    async def watch(self, work: Awaitable[T]) -> T:
        """Awaits it; what it raises, other than an error of the protocol, is for the door."""
        try:
            return await work
        except MCPError:
            raise
        except Exception as error:
            self.error = error
            raise MCPError(INTERNAL_ERROR, "See the reply's status.") from error
