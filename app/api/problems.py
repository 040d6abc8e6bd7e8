"""Every error as `application/problem+json` (RFC 9457), rendered here alone."""

import re
from typing import Any

import structlog
from litestar import Request, Response
from litestar.exceptions import HTTPException, ValidationException
from litestar.handlers import BaseRouteHandler
from litestar.types import ExceptionHandlersMap

from app.actions import answers
from app.actions.invalid import invalid_field
from app.api.limited import charge_stranger
from app.auth.metadata import challenge
from app.errors import (
    BadRequest,
    InsufficientScope,
    InvalidField,
    MethodNotAllowed,
    NotFound,
    StarlingError,
    TooLarge,
    TooManyRequests,
    TooManyStreams,
    Unauthorized,
    Unavailable,
)
from app.settings import MAX_BODY_BYTES

MEDIA_TYPE = "application/problem+json"
STREAM_RETRY_S = 5

_NEXT_ADDRESS = "Check the address; an id in it must be whole, as it was answered."
_BOUND = re.compile(r"[<>]=? (-?[\d.]+)$", re.ASCII)

log = structlog.get_logger(__name__)


def _render(error: StarlingError, status: int | None = None, headers: dict[str, str] | None = None) -> Response[bytes]:
    problem = answers.problem(error)
    if status is not None:
        problem["status"] = status
    return Response(
        answers.json(problem),
        status_code=problem["status"],
        media_type=MEDIA_TYPE,
        headers={"cache-control": "no-store", **(headers or {})},
    )


def _starling(request: Request[Any, Any, Any], error: StarlingError) -> Response[bytes]:
    headers: dict[str, str] = {}
    issuer, path = request.app.state.issuer, request.url.path
    if isinstance(error, Unauthorized):
        try:
            charge_stranger(request)
        except TooManyRequests as refusal:
            return _starling(request, refusal)
        reason = "invalid_token" if "authorization" in request.headers else None
        headers["www-authenticate"] = challenge(issuer, path, error=reason)
    elif isinstance(error, InsufficientScope):
        headers["www-authenticate"] = challenge(issuer, path, error=error.code, scope=error.members["scope"])
    elif isinstance(error, (Unavailable, TooManyRequests)):
        headers["retry-after"] = str(error.retry_after)
    elif isinstance(error, TooManyStreams):
        headers["retry-after"] = str(STREAM_RETRY_S)
    return _render(error, headers=headers)


def _http(request: Request[Any, Any, Any], error: HTTPException) -> Response[bytes]:
    if isinstance(error, ValidationException):
        return _starling(request, _invalid(request.route_handler, error))
    if error.status_code == NotFound.status:
        return _starling(request, NotFound("There is nothing at this address.", next_step=_NEXT_ADDRESS))
    if error.status_code == TooLarge.status:
        return _starling(request, TooLarge(limit=MAX_BODY_BYTES))
    if error.status_code == MethodNotAllowed.status:
        return _render(MethodNotAllowed(), headers=dict(error.headers or {}))
    if error.status_code >= 500:
        return _unexpected(request, error)
    return _render(BadRequest(error.detail), error.status_code, dict(error.headers or {}))


def _invalid(handler: BaseRouteHandler, error: ValidationException) -> StarlingError:
    findings = getattr(error.__cause__, "errors", None)
    if findings:
        return invalid_field(findings, handler.parsed_fn_signature.parameters["data"].annotation)
    extra: Any = error.extra
    first: dict[str, Any] = extra[0] if isinstance(extra, list) and extra else {}
    field = str(first.get("key", "body"))
    if field == "data":
        return InvalidField("body", "A JSON object is needed as the body.")
    detail = first.get("message", error.detail)
    members: dict[str, Any] = {}
    if bound := _BOUND.search(detail):
        members["limit"] = float(bound[1]) if "." in bound[1] else int(bound[1])
    return InvalidField(field, f"{field}: {detail}", **members)


def _unexpected(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    log.error("request.failed", method=request.method, path=request.url.path, exc_info=error)
    return _render(StarlingError("Something went wrong on the server; it was logged."))


HANDLERS: ExceptionHandlersMap = {StarlingError: _starling, HTTPException: _http, Exception: _unexpected}
