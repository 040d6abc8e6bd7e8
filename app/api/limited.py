"""What requests cost: a route names its budget (`opt=spends(…)`), and a reply says how that stands."""

import math
from collections.abc import Hashable, Mapping
from typing import Any

from litestar import Request
from litestar.connection import ASGIConnection
from litestar.datastructures import State
from litestar.enums import ScopeType
from litestar.handlers import BaseRouteHandler
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from app import telemetry
from app.errors import TooManyRequests
from app.limits.budgets import ALL, UNAUTHORIZED, USER, Budget
from app.limits.limiter import Balance, Limiter
from app.limits.networks import network
from app.model import Principal

BUDGET = "budget"
_BALANCE = "balance"
_FIELDS = {
    each.name: (
        (b"ratelimit-policy", f'"{each.name}";q={each.quota};w={each.window_s}'.encode()),
        f'"{each.name}";r=%d;t=%d'.encode(),
    )
    for each in ALL
}
Connection = ASGIConnection[Any, Any, Any, State]


def spends(budget: Budget | None) -> Mapping[str, Budget | None]:
    """What a route's `opt` says: which budget a request to it is of; None: it may be asked for at any rate."""
    return {BUDGET: budget}


def peer(connection: Connection) -> str:
    """The address a request came from: a trusted proxy's word for it, where there is one."""
    return connection.client.host if connection.client else ""


def charge(connection: Connection, limiter: Limiter | None, budget: Budget, who: Hashable, units: int = 1) -> None:
    """Takes a request's cost. Raises `TooManyRequests`, and then takes nothing. None: nothing is limited."""
    if limiter is None:
        return
    balance = limiter.spend(budget, who, units)
    if balance is None:
        return
    connection.scope["state"][_BALANCE] = balance
    if balance.wait_s:
        telemetry.limited.labels(budget.name).inc()
        detail = f"Too many requests of this kind ({budget.name}): wait {balance.wait_s} s."
        raise TooManyRequests(detail, retry_after=balance.wait_s)


def charge_principal(request: Request[Any, Any, State], limiter: Limiter | None, principal: Principal) -> None:
    """Takes it from the route's budget of the device or client, and from the user's. Raises `TooManyRequests`."""
    charge(request, limiter, request.route_handler.opt[BUDGET], payer(principal))
    charge(request, limiter, USER, principal.user_id)  # last: what is refused is no burden on the user's others


def payer(principal: Principal) -> Hashable:
    """Whose budget a principal spends: each device, and each client of a user, has its own."""
    return principal.device_id or (principal.user_id, principal.client)


def charge_stranger(connection: Connection) -> None:
    """For a credential that is worth nothing: one that is good never pays for its neighbours.

    Raises `TooManyRequests`.
    """
    charge(connection, connection.app.state.services.limiter, UNAUTHORIZED, network(peer(connection)))


async def by_network(connection: Connection, handler: BaseRouteHandler) -> None:
    """A guard for routes that anybody may ask for. Raises `TooManyRequests`."""
    budget = handler.opt.get(BUDGET)
    if budget is not None:
        charge(connection, connection.app.state.services.limiter, budget, network(peer(connection)))


class Told:
    """An ASGI application around another, whose replies tell how the budget stands (RateLimit header fields,
    draft-ietf-httpapi-ratelimit-headers-11).
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        for each in ALL:  # the first refusal, too, is to be a rise
            telemetry.limited.labels(each.name)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Adds the fields to a reply when there is something to tell."""
        if scope["type"] != ScopeType.HTTP:
            await self._app(scope, receive, send)
            return

        async def send_told(message: Message) -> None:
            if message["type"] == "http.response.start" and (balance := scope["state"].get(_BALANCE)) is not None:
                message["headers"] = [*message["headers"], *_fields(balance)]
            await send(message)

        await self._app(scope, receive, send_told)


def _fields(balance: Balance) -> tuple[tuple[bytes, bytes], tuple[bytes, bytes]]:
    """`t` is no later than Retry-After, as section 6 wants it."""
    policy, left = _FIELDS[balance.budget.name]
    return policy, (b"ratelimit", left % (balance.left, balance.wait_s or math.ceil(balance.owed_s)))
