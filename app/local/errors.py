"""The one error of this package."""

from typing import ClassVar

from app.errors import StarlingError


class LocalDatabaseError(StarlingError):
    """The embedded Postgres cannot run."""

    status: ClassVar[int] = 503
    code: ClassVar[str] = "database_unavailable"
