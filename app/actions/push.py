"""Where a device can be woken while it has no stream."""

from app.actions.access import require, require_device
from app.actions.bodies import PushSubscription
from app.errors import InvalidField
from app.model import Principal, Scope
from app.outbound import UrlRefused
from app.outbound.urls import Hosts, judge
from app.push.envelope import AUTH_BYTES, is_point
from app.store.push import Subscription, Subscriptions

_ANYWHERE = Hosts(None)


class PushActions:
    """What a device says of its push service."""

    def __init__(self, subscriptions: Subscriptions, public_key: str) -> None:
        self._subscriptions = subscriptions
        self._public_key = public_key

    def key(self, principal: Principal) -> dict[str, str]:
        """`{"public_key"}`: what a browser subscribes with."""
        require(principal, Scope.STREAM)
        return {"public_key": self._public_key}

    async def subscribe(self, principal: Principal, body: PushSubscription) -> None:
        """In place of what the device had. Raises `UrlRefused`, `InvalidField`, `DeviceRequired`."""
        require(principal, Scope.STREAM)
        device_id = require_device(principal)
        try:
            judge(body.endpoint, _ANYWHERE)
        except UrlRefused as refused:
            raise UrlRefused(refused.detail, field="endpoint") from None
        if not is_point(body.keys.p256dh):
            raise InvalidField("keys.p256dh", "This is no public key: an uncompressed point of P-256 in base64url.")
        if len(body.keys.auth) != AUTH_BYTES:
            raise InvalidField("keys.auth", "This is no secret of 16 bytes in base64url.")
        new = Subscription(device_id, body.endpoint, body.keys.p256dh, body.keys.auth)
        await self._subscriptions.keep(principal.feed_id, new)

    async def unsubscribe(self, principal: Principal) -> None:
        """The device is not woken any more."""
        require(principal, Scope.STREAM)
        await self._subscriptions.drop(require_device(principal))
