"""`GET /privacy`: what is kept, for how long, and what people can do about it."""

from typing import Any
from urllib.parse import urlsplit

from litestar import Response, get
from litestar.di import NamedDependency

from app.api.services import Services
from app.api.visits import Visit


@get("/privacy", operation_id="showPrivacy")
async def show_privacy(visit: NamedDependency[Visit], services: NamedDependency[Services]) -> Response[Any]:
    """For everybody, signed in or not."""
    host = urlsplit(services.public_url).netloc
    return visit.page("privacy", host=host, tombstone_days=f"{services.tombstone_days:g}")
