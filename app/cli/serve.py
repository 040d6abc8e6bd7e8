"""`starling serve` and `starling migrate`."""

import asyncio
import resource

import click
import structlog
import uvloop
from prometheus_client import start_http_server

from app.cli.crew import Crew, metrics_of_many
from app.cli.opening import opened, opened_bus, settings
from app.cli.server import Server, address_of, calm_collector, listen
from app.cli.worker import Orders
from app.local import Postgres
from app.main import LISTENING_POOL, WRITING_POOL, Starling
from app.settings import Settings
from app.store import schema

SPARE_CONNECTIONS = 20
"""For commands, and for what Postgres keeps to itself."""

log = structlog.get_logger(__name__)


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8000, show_default=True, type=click.IntRange(0, 65535), help="0 takes a free one.")
@click.option("--workers", default=1, show_default=True, type=click.IntRange(1, 64), help="Processes that serve.")
def serve(host: str, port: int, workers: int) -> None:
    """Run the server until SIGTERM or Ctrl-C. With several workers SIGHUP replaces them, one after another."""
    read = settings()
    raise_file_limit()
    if workers == 1:
        uvloop.run(_serve(read, host, port))
    else:
        asyncio.run(_serve_by_many(read, host, port, workers))


@click.command()
@click.option(
    "--pre", "part", flag_value="pre", help="What is safe while older processes run: before the first new one."
)
@click.option("--post", "part", flag_value="post", help="The rest: after the last older process has ended.")
def migrate(part: schema.Part | None) -> None:
    """Bring the database's schema up to date: all of it, or one half of a live upgrade."""
    done = asyncio.run(_migrate(settings(quiet=True), part or "all"))
    click.echo(f"Migrated: {', '.join(done)}." if done else "There was nothing to do.")


async def _serve(read: Settings, host: str, port: int) -> None:
    with listen(host, port) as listener:
        async with opened(read) as found:
            address = address_of(listener)
            if read.metrics_port is not None:
                start_http_server(read.metrics_port, addr="127.0.0.1")
            starling = Starling(read, found.url, read.public_url or address, found.landmark)
            await starling.prepare()
            server = Server(starling)
            calm_collector()
            log.info("starling.listening", address=address, public_url=starling.services.public_url)
            await server.serve([listener])
    log.info("starling.stopped")


async def _serve_by_many(read: Settings, host: str, port: int, workers: int) -> None:
    of_each = read.database_pool + WRITING_POOL + LISTENING_POOL
    connections = (workers + 1) * of_each + SPARE_CONNECTIONS
    with listen(host, port) as listener, metrics_of_many(read.metrics_port) as metrics:
        async with opened(read, connections) as found, opened_bus(read) as redis_url:
            address = address_of(listener)
            public_url = read.public_url or address
            orders = Orders(listener, found.url, redis_url, public_url, found.landmark, metrics)
            told = {"address": address, "public_url": public_url, "workers": workers}
            await Crew(workers, orders).serve(lambda: log.info("starling.listening", **told))
    log.info("starling.stopped")


async def _migrate(read: Settings, part: schema.Part) -> list[str]:
    if read.database_url is not None:
        return await schema.migrate(read.database_url, part)
    read.data_dir.mkdir(parents=True, exist_ok=True)
    postgres = Postgres(read.data_dir)
    try:
        await postgres.start()
        return await schema.migrate(postgres.url, part)
    finally:
        await postgres.stop()


def raise_file_limit() -> None:
    """Every stream is a file: takes what the system allows."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
