"""The errors of this package."""

from typing import ClassVar

from app.errors import StarlingError


class LocalServerError(StarlingError):
    """An embedded server cannot run."""

    status: ClassVar[int] = 503
    code: ClassVar[str] = "embedded_server_unavailable"


class LocalDatabaseError(LocalServerError):
    """The embedded Postgres cannot run."""

    code: ClassVar[str] = "database_unavailable"


class LocalBusError(LocalServerError):
    """The embedded Valkey cannot run."""

    code: ClassVar[str] = "bus_unavailable"
