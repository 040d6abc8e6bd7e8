"""`starling feed new-epoch` and `starling prune`."""

import asyncio
from contextlib import suppress
from datetime import timedelta

import click

from app.cli.opening import run, settings
from app.store.commit import Committer
from app.store.database import Database
from app.store.lineage import rename_histories
from app.store.upkeep import Upkeep


@click.group()
def feed() -> None:
    """The feeds themselves."""


@feed.command("new-epoch")
def new_epoch() -> None:
    """Give every feed a new history name, so that all devices read it anew. For after a restore."""
    click.echo(f"{run(rename_histories)} feeds have a new epoch.")


@click.command()
def prune() -> None:
    """Expire items and remove old tombstones now, as the server does by itself."""
    age = timedelta(days=settings(quiet=True).tombstone_days)

    async def work(database: Database) -> dict[str, int] | None:
        committer = Committer(database, lambda _: None)
        committing = asyncio.create_task(committer.run())
        try:
            return await Upkeep(database, committer, tombstone_age=age).run_once()
        finally:
            committing.cancel()
            with suppress(asyncio.CancelledError):
                await committing

    done = run(work)
    click.echo("Another process is at it." if done is None else ", ".join(f"{n} {what}" for what, n in done.items()))
