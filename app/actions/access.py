"""What a principal may do."""

from uuid import UUID

from app.errors import DeviceRequired, InsufficientScope
from app.model import Principal, Scope


def require(principal: Principal, scope: Scope) -> None:
    """Raises `InsufficientScope` unless the principal was given the scope."""
    if scope not in principal.scopes:
        raise InsufficientScope(f"This needs the scope {scope.value}.", scope=scope.value)


def require_device(principal: Principal) -> UUID:
    """The device the principal is. Raises `DeviceRequired`."""
    if principal.device_id is None:
        raise DeviceRequired
    return principal.device_id
