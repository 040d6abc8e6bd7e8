"""`starling serve` and `starling migrate`."""

import asyncio
import gc
import resource

import click
import structlog
import uvloop
from prometheus_client import start_http_server

from app.cli.opening import opened, settings
from app.cli.server import Server, listen
from app.local import Postgres
from app.main import Starling
from app.settings import Settings
from app.store import schema

log = structlog.get_logger(__name__)


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8000, show_default=True, type=click.IntRange(0, 65535), help="0 takes a free one.")
def serve(host: str, port: int) -> None:
    """Run the server until SIGTERM or Ctrl-C."""
    read = settings()
    uvloop.run(_serve(read, host, port))


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
    raise_file_limit()
    with listen(host, port) as listener:
        async with opened(read) as found:
            where, at = listener.getsockname()[:2]
            address = f"http://[{where}]:{at}" if ":" in where else f"http://{where}:{at}"
            if read.metrics_port is not None:
                start_http_server(read.metrics_port, addr="127.0.0.1")
            starling = Starling(read, found.url, read.public_url or address, found.landmark)
            await starling.prepare()
            server = Server(starling)
            calm_collector()
            log.info("starling.listening", address=address, public_url=starling.services.public_url)
            await server.serve([listener])
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


def calm_collector() -> None:
    """Spares the cyclic garbage collector what is made once, and the many requests that are just waiting."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)


def raise_file_limit() -> None:
    """Every stream is a file: takes what the system allows."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
