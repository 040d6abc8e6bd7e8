"""The embedded database migrates itself, but takes nothing away from an older process that still runs on it."""

from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest

from app.cli import opening
from app.cli.opening import opened
from app.settings import Settings
from app.store.database import Database
from app.store.schema import migrate, require_current
from tests.store.scratch import Scratch
from tests.store.test_schema import run

REVISION = "select version_num from alembic_version"


@pytest.fixture
async def old_url(data_dir: Path) -> AsyncIterator[str]:
    """The embedded database of this version, which runs."""
    async with opened(Settings(data_dir=data_dir)) as found:
        yield found.url


async def test_what_an_older_process_needs_stays_until_it_has_ended(
    old_url: str, data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scratch = Scratch.make(tmp_path / "migrations")
    before = scratch.add("pre", "alter table items add column note text")
    after = scratch.add("post", "alter table items drop column note")
    monkeypatch.setattr(opening, "migrate", partial(migrate, directory=scratch.directory))
    monkeypatch.setattr(opening, "require_current", partial(require_current, directory=scratch.directory))
    older = Database(old_url, pool_size=2)
    await older.ping()

    async with opened(Settings(data_dir=data_dir)) as found:
        assert await run(found.url, REVISION) == [(before,)]
    await older.ping()
    await older.close()
    async with opened(Settings(data_dir=data_dir)) as found:
        assert await run(found.url, REVISION) == [(after,)]
