"""Is the process alive, are the parts behind it there."""

from litestar import Response, get
from litestar.di import NamedDependency

from app.actions import answers
from app.api.limited import spends
from app.api.requests import json_response
from app.api.services import Services


@get("/healthz", operation_id="health", opt=spends(None))
async def health() -> Response[bytes]:
    """The process answers."""
    return json_response(b'{"status":"ok"}')


@get("/readyz", operation_id="ready", opt=spends(None))
async def ready(services: NamedDependency[Services]) -> Response[bytes]:
    """The database answers too; 503 otherwise. Without the bus everything works, later: it is told, and still ready."""
    await services.check_ready()
    bus = "up" if services.bus.is_connected else "down"
    return json_response(answers.json({"status": "ready", "database": "up", "bus": bus}))
