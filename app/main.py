"""The composition root: makes every part once, joins them, and runs them as one process."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import httpx2
import structlog
from litestar import Litestar, Router
from litestar.datastructures import State
from litestar.di import Provide

from app.actions.answering import AnswerActions
from app.actions.changes import ChangeActions
from app.actions.devices import DeviceActions
from app.actions.files import FileActions
from app.actions.handing import Handing
from app.actions.intake import Intake
from app.actions.items import ItemActions
from app.actions.notifications import NotificationActions
from app.actions.push import PushActions
from app.actions.receipts import Receipts
from app.actions.scribe import Scribe
from app.actions.sharing import FETCH_S, Sharing
from app.api import problems
from app.api.health import health, ready
from app.api.limited import by_network
from app.api.mcp import tools
from app.api.mcp.door import mcp
from app.api.mcp.server import McpServer
from app.api.oauth import OAuthController, authorization_server, mcp_resource, protected_resource
from app.api.openapi.serving import document
from app.api.options import name_all_methods
from app.api.pages import pages
from app.api.provider import CALLBACK
from app.api.requests import StrictRequest
from app.api.routes import actions, devices
from app.api.services import Services
from app.auth.activation import Activation
from app.auth.documents import Documents
from app.auth.oauth import OAuth
from app.auth.people import People
from app.auth.provider import Provider
from app.auth.registration import Registrar
from app.auth.tokens import Tokens
from app.auth.upstream import Upstream
from app.blobs.store import BlobStore
from app.bus.local import LocalBus
from app.bus.presence import Presence
from app.bus.redis import RedisBus
from app.bus.shared_presence import SharedPresence
from app.bus.shared_texts import SharedTexts
from app.bus.texts import Texts
from app.errors import Unavailable
from app.gauges import Gauges
from app.hub.hub import Caps, History, Hub
from app.limits.limiter import Limiter
from app.limits.shared import SharedLimiter
from app.model import Acked, Changed, Delta, Present, Revoked
from app.outbound import Internet, Outbound
from app.providers import Providers, provided
from app.push.keys import Vapid, kept_secret
from app.push.pusher import Pusher
from app.settings import MAX_BODY_BYTES, ModelSettings, Settings
from app.store.answers import Answers
from app.store.clients import Clients
from app.store.commit import Committer
from app.store.database import Database
from app.store.descriptions import Descriptions
from app.store.devices import Devices
from app.store.feed import FeedReader
from app.store.files import Files, Quota
from app.store.grants import Grants
from app.store.items import Items
from app.store.ledger import Ledgers
from app.store.lineage import Lineage
from app.store.orphans import Orphans
from app.store.push import Subscriptions
from app.store.replays import Replays
from app.store.revocations import Revocations
from app.store.throttles import Throttles
from app.store.upkeep import Upkeep
from app.web.pages import Pages

UPKEEP_S = 30.0
WRITING_POOL, LISTENING_POOL = 2, 1
WRITING_LOCK_MS = 250
"""How long everybody's writes wait for one feed; what is locked for longer waits apart."""

log = structlog.get_logger(__name__)


class Starling:
    """All parts of one process. `async with starling.running():` runs what runs beside the requests."""

    def __init__(
        self,
        settings: Settings,
        database_url: str,
        public_url: str,
        landmark: Path | None = None,
        process: UUID | None = None,
        internet: Internet | None = None,
        providers: Providers | None = None,
    ) -> None:
        """`process` names this one among those that share the bus: a new name each time.

        `internet` and `providers` are a test's own.
        """
        self.settings = settings
        self.internet = internet or Internet()
        self.database = Database(database_url, pool_size=settings.database_pool)
        # Readers cannot keep writes waiting.
        self.writing = Database(database_url, pool_size=WRITING_POOL, lock_timeout_ms=WRITING_LOCK_MS)
        self.listening = Database(database_url, pool_size=LISTENING_POOL)
        process = process or uuid4()
        self.bus, self.presence, self.texts = _bus(settings, process)
        self.grants = Grants(self.database)
        self.devices = Devices(self.database)
        self.reader = FeedReader(self.database)
        public_url = public_url.rstrip("/")
        subscriptions = Subscriptions(self.database)
        vapid = Vapid(_secret(settings), public_url)
        self.pusher = Pusher(self.internet, subscriptions, self.presence, vapid)
        self.committer = Committer(self.writing, self._announce)
        self.lineage = Lineage(self.database, settings.data_dir / "lineage.json", landmark)
        self.blobs = BlobStore.at(settings.blobs or settings.data_dir / "blobs")
        orphans = Orphans(self.database, self.blobs.delete, self.blobs.sweep)
        self.upkeep = Upkeep(
            self.database,
            self.committer,
            tombstone_age=timedelta(days=settings.tombstone_days),
            also={"files": orphans.files, "blobs": orphans.blobs, "pushes": subscriptions.forget},
        )
        self.tokens = Tokens(self.grants)
        self.limiter = _limiter(settings)
        self.receipts = Receipts(self.devices, self.presence)
        self.models = httpx2.AsyncClient(limits=httpx2.Limits(max_connections=None, max_keepalive_connections=20))
        answers = Answers(self.database)
        self.scribe = Scribe(answers, self.texts, self.committer, self.bus.publish, process)
        self.hub = Hub(
            self.reader,
            self.grants,
            self.devices,
            self.presence,
            Caps(settings.streams_per_device, settings.streams_per_user, settings.stream_lifetime_s),
            history=History(self.lineage.settle, self.lineage.renew),
            read_answers=self.scribe.open,
        )
        ledgers = Ledgers(self.database, self.bus.publish)
        throttles = Throttles(self.database)
        people = People(self.grants, self.database, throttles, self.bus.publish, sign_up=settings.sign_up)
        files = Files(self.database, Quota(settings.user_files_bytes, settings.user_files))
        intake = Intake(files, self.blobs, settings.max_file_bytes)
        items = Items(self.database)
        shared = Outbound(self.internet, max_bytes=settings.max_file_bytes, within_s=FETCH_S, hosts=settings.file_hosts)
        item_actions = ItemActions(self.committer, items, self.receipts)
        self.services = Services(
            items=item_actions,
            notifications=NotificationActions(item_actions, self.devices),
            push=PushActions(subscriptions, vapid.public_key),
            changes=ChangeActions(self.committer, self.reader, self.grants, self.hub.changed),
            devices=DeviceActions(self.devices, self.grants, self.reader, self.presence, self.bus.publish),
            files=FileActions(intake, files, self.blobs, self.devices, self.committer, self.receipts),
            sharing=Sharing(shared, intake, Replays(self.database), self.committer, self.receipts),
            handing=Handing(items, self.blobs, self.tokens.issue_file_tickets, public_url),
            answers=AnswerActions(
                answers,
                Items(self.database),
                self.texts,
                self.scribe,
                providers or provided(ModelSettings(), self.models),
                process,
            ),
            tokens=self.tokens,
            oauth=OAuth(ledgers, public_url),
            registrar=Registrar(Clients(self.database), throttles),
            documents=Documents(self.internet, Descriptions(self.database), throttles),
            activation=Activation(ledgers, throttles),
            people=people,
            upstream=None
            if (provider := _provider(settings, public_url)) is None
            else Upstream(provider, people, self.grants, self.database, throttles),
            ledgers=ledgers,
            grants=self.grants,
            reader=self.reader,
            hub=self.hub,
            presence=self.presence,
            bus=self.bus,
            limiter=self.limiter,
            check_ready=self.database.ping,
            public_url=public_url,
            tombstone_days=settings.tombstone_days,
        )

    def _announce(self, changes: Sequence[Changed]) -> None:
        self.bus.publish(changes)
        self.pusher.take(changes)

    async def prepare(self) -> None:
        """To be awaited before serving. Refuses a database that is too old or may lose data; notices a restored one."""
        await self.database.require_version()
        if not self.settings.unsafe_durability:
            await self.database.require_durability()
        await self.lineage.settle()
        await self.blobs.prepare()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Runs the committer, the hub, the bus and the upkeep while the body runs."""
        try:
            async with self._working():
                yield
        except BaseExceptionGroup as group:
            for error in group.exceptions:
                log.error("starling.part_failed", exc_info=error)  # noqa: TRY400
            raise
        finally:
            await self.models.aclose()
            await self.texts.close()
            for database in (self.listening, self.writing, self.database):
                await database.close()

    @asynccontextmanager
    async def _working(self) -> AsyncIterator[None]:
        pools = {"read": self.database, "write": self.writing}
        async with asyncio.TaskGroup() as tasks:
            work = [
                tasks.create_task(each)
                for each in (
                    self.committer.run(),
                    self.hub.run(self.bus.listen(Changed, Delta, Present, Revoked)),
                    self.tokens.hear(self.bus.listen(Revoked)),
                    self.receipts.hear(self.bus.listen(Acked)),
                    self.bus.run(self.hub.check_soon),
                    Revocations(self.listening).run(self.bus.hand_out, self.hub.check_soon),
                    self.presence.run(),
                    self.scribe.run(),
                    self.pusher.run(),
                    self.services.people.failures.run(),
                    *([] if self.limiter is None else [self.limiter.run()]),
                    self._keep_up(),
                    Gauges(self.hub, self.committer, self.bus, pools).run(),
                )
            ]
            try:
                yield
                await self.scribe.stop()
            finally:
                for task in work:
                    task.cancel()

    async def _keep_up(self) -> None:
        while True:
            await asyncio.sleep(UPKEEP_S)
            try:
                await self.upkeep.run_once()
            except Unavailable as error:
                log.warning("upkeep.failed", reason=error.detail)
            except Exception:
                log.exception("upkeep.failed")


def _bus(settings: Settings, process: UUID) -> tuple[LocalBus, Presence, Texts]:
    if settings.redis_url is None:
        return LocalBus(), Presence(), Texts()
    bus = RedisBus(settings.redis_url, process)
    presence = SharedPresence(settings.redis_url, process, settings.stream_lifetime_s, bus.publish)
    return bus, presence, SharedTexts(settings.redis_url)


def _secret(settings: Settings) -> bytes:
    if settings.secret_key is not None:
        return settings.secret_key.get_secret_value().encode()
    return kept_secret(settings.data_dir / "secret")


def _provider(settings: Settings, public_url: str) -> Provider | None:
    issuer, client_id, secret = settings.oidc_issuer, settings.oidc_client_id, settings.oidc_client_secret
    if issuer is None or client_id is None or secret is None:
        return None
    label = settings.oidc_label or urlsplit(issuer).hostname or issuer
    return Provider(issuer, client_id, secret, label, f"{public_url}{CALLBACK}")


def _limiter(settings: Settings) -> Limiter | None:
    if settings.rate_limits == "off":
        return None
    return Limiter() if settings.redis_url is None else SharedLimiter(settings.redis_url)


def web_app(starling: Starling) -> Litestar:
    """The Litestar application."""

    @asynccontextmanager
    async def lifespan(app: Litestar) -> AsyncIterator[None]:
        async with starling.running(), app.state.mcp.running():
            yield

    services = starling.services
    public = Router(
        path="/",
        route_handlers=[
            pages(),
            document,
            OAuthController,
            authorization_server,
            protected_resource,
            mcp_resource,
        ],
        guards=[by_network],
    )
    app = Litestar(
        route_handlers=[actions(), mcp, devices(), public, health, ready],
        dependencies={"services": Provide(lambda: services, sync_to_thread=False)},
        exception_handlers=problems.HANDLERS,
        request_class=StrictRequest,
        request_max_body_size=MAX_BODY_BYTES,
        lifespan=[lifespan],
        openapi_config=None,
        logging_config=None,
        state=State({"issuer": services.public_url, "services": services, "pages": Pages()}),
    )
    app.state.mcp = McpServer(tools.of(app), services.public_url)
    name_all_methods(app)
    return app
