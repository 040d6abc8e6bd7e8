"""What the handlers are given: made once by the composition root."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from app.actions.answering import AnswerActions
from app.actions.changes import ChangeActions
from app.actions.devices import DeviceActions
from app.actions.files import FileActions
from app.actions.handing import Handing
from app.actions.items import ItemActions
from app.actions.notifications import NotificationActions
from app.actions.push import PushActions
from app.actions.sharing import Sharing
from app.auth.activation import Activation
from app.auth.documents import Documents
from app.auth.oauth import OAuth
from app.auth.people import People
from app.auth.registration import Registrar
from app.auth.tokens import Tokens
from app.auth.upstream import Upstream
from app.bus.local import LocalBus
from app.bus.presence import Presence
from app.hub.hub import Hub
from app.limits.limiter import Limiter
from app.store.feed import FeedReader
from app.store.grants import Grants
from app.store.ledger import Ledgers


@dataclass(frozen=True)
class Services:
    """The parts of a running server that requests reach."""

    items: ItemActions
    notifications: NotificationActions
    push: PushActions
    changes: ChangeActions
    devices: DeviceActions
    files: FileActions
    sharing: Sharing
    handing: Handing
    answers: AnswerActions
    tokens: Tokens
    oauth: OAuth
    registrar: Registrar
    documents: Documents
    activation: Activation
    people: People
    upstream: Upstream | None
    ledgers: Ledgers
    grants: Grants
    reader: FeedReader
    hub: Hub
    presence: Presence
    bus: LocalBus
    limiter: Limiter | None
    """None: everything may be asked for at any rate."""
    check_ready: Callable[[], Awaitable[None]]
    public_url: str
    tombstone_days: float

    @property
    def provider(self) -> str | None:
        """What people call the sign-in provider, if there is one."""
        return None if self.upstream is None else self.upstream.label
